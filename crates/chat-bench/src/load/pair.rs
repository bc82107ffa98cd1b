//! Two members who answer each other, each over blocking sockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::failure::{Context, Failure, Result};
use crate::stamp::{self, Scanner};
use crate::wire::{Step, Wire};

const PATIENCE: Duration = Duration::from_secs(5);

/// Two members.
#[derive(Debug)]
pub(crate) struct Pair {
    members: [Member; 2],
    stamp: u64,
}

#[derive(Debug)]
struct Member {
    wire: Wire,
    hears: TcpStream,
    /// The same connection, unless the system has one for speaking and another for listening.
    says: TcpStream,
    scanner: Scanner,
    buffer: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Pair {
    pub(crate) fn join(wire: Wire, address: SocketAddr) -> Result<Self> {
        let mut pair =
            Self { members: [Member::join(wire, address, 0)?, Member::join(wire, address, 2)?], stamp: 0 };
        // A server that says nothing on joining may not have the second one yet.
        while pair.round_trip().is_err() {
            if pair.stamp > 100 {
                return Err(Failure::new("the two members do not hear each other"));
            }
        }
        pair.members.iter().try_for_each(|member| member.hears.set_read_timeout(Some(PATIENCE)))?;
        Ok(pair)
    }

    /// The first says something, the second hears it and answers, the first hears the answer.
    pub(crate) fn round_trip(&mut self) -> Result<()> {
        let [first, second] = &mut self.members;
        self.stamp += 2;
        first.say(self.stamp)?;
        second.hear(self.stamp)?;
        second.say(self.stamp + 1)?;
        first.hear(self.stamp + 1)
    }
}

impl Member {
    fn join(wire: Wire, address: SocketAddr, who: usize) -> Result<Self> {
        let hears = enter(address, wire.join(who))?;
        let says = if wire == Wire::Redis {
            enter(address, wire.join_as_talker(who + 1))?
        } else {
            hears.try_clone()?
        };
        Ok(Self {
            wire,
            hears,
            says,
            scanner: Scanner::default(),
            buffer: vec![0; 64 * 1024],
            outgoing: Vec::new(),
        })
    }

    fn say(&mut self, stamp: u64) -> Result<()> {
        self.outgoing.clear();
        self.wire.say(&stamp::text(stamp), &mut self.outgoing);
        self.says.write_all(&self.outgoing).when("a member cannot send")
    }

    /// Waits for this message; his own, where a system gives them back, are passed over.
    fn hear(&mut self, awaited: u64) -> Result<()> {
        let mut is_there = false;
        while !is_there {
            let count = self.hears.read(&mut self.buffer).when("a member hears nothing")?;
            if count == 0 {
                return Err(Failure::new("the server closed a connection"));
            }
            self.scanner.scan(&self.buffer[..count], |stamp| is_there |= stamp == awaited);
        }
        Ok(())
    }
}

fn enter(address: SocketAddr, steps: Vec<Step>) -> Result<TcpStream> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    for step in steps {
        socket.write_all(&step.send)?;
        let mut heard = Vec::new();
        while !(step.is_answered)(&heard) {
            let mut buffer = [0; 4096];
            match socket.read(&mut buffer).when("joining is not answered")? {
                0 => return Err(Failure::new("the server closed a connection that was joining")),
                count => heard.extend_from_slice(&buffer[..count]),
            }
        }
    }
    // Short until both are known to be in.
    socket.set_read_timeout(Some(Duration::from_millis(250)))?;
    Ok(socket)
}
