//! A member over a blocking TCP connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::failure::{Context, Failure, Result};
use crate::load::pair::{PATIENCE, Speaker, TRY_AGAIN};
use crate::stamp::{self, Scanner};
use crate::wire::{Step, Wire};

#[derive(Debug)]
pub(in crate::load) struct TcpSpeaker {
    wire: Wire,
    hears: TcpStream,
    /// The same connection, unless the system has one for speaking and another for listening.
    says: TcpStream,
    scanner: Scanner,
    buffer: Vec<u8>,
    outgoing: Vec<u8>,
}

impl TcpSpeaker {
    pub(in crate::load) fn join(wire: Wire, address: SocketAddr, who: usize) -> Result<Self> {
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
}

impl Speaker for TcpSpeaker {
    fn say(&mut self, stamp: u64) -> Result<()> {
        self.outgoing.clear();
        self.wire.say(&stamp::text(stamp), &mut self.outgoing);
        self.says.write_all(&self.outgoing).when("a member cannot send")
    }

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

    fn is_in(&mut self) -> Result<()> {
        Ok(self.hears.set_read_timeout(Some(PATIENCE))?)
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
    socket.set_read_timeout(Some(TRY_AGAIN))?;
    Ok(socket)
}
