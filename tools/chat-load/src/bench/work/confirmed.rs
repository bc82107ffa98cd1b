//! One client says messages that are to survive, many before the first is confirmed: how many are confirmed per second.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use memchr::memmem;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::bench::figures::{Figures, Quantity};
use crate::bench::system::{Programs, Server, System};
use crate::clock;
use crate::crowd::{Carrier, Medium, Wire};
use crate::failure::{Failure, Result, ensure};
use crate::stamp::Stamp;

/// Messages that may wait to be confirmed.
const WINDOW: u64 = 10_000;
/// If nothing is confirmed for this long, the run fails.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(system: &System, programs: &Programs, messages: u64) -> Result<Figures> {
    let Medium::Stream { wire, carrier: Carrier::Tcp } = system.medium else {
        return Err(Failure::new("confirms over TCP only"));
    };
    let server = Server::start(system, programs)?;
    let mut client = Client::join(server.address, wire)?;
    client.confirmed_after(WINDOW)?; // all parts of the server have warmed up
    let began = clock::now();
    client.confirmed_after(WINDOW + messages)?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(Figures::default().with(Quantity::TimePerConfirmed, seconds * 1e6 / messages as f64))
}

struct Client {
    wire: Wire,
    poll: Poll,
    events: Events,
    socket: TcpStream,
    unsent: Vec<u8>,
    buffer: Vec<u8>,
    /// The end of what was read, in which a mark may have begun.
    begun: Vec<u8>,
    said: u64,
    confirmed: u64,
}

impl Client {
    fn join(address: SocketAddr, wire: Wire) -> Result<Self> {
        let mut socket = std::net::TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut buffer = vec![0; 64 * 1024];
        for step in wire.join(0, Carrier::Tcp) {
            socket.write_all(&step.send)?;
            let mut heard = Vec::new();
            while !(step.is_answered)(&heard) {
                let count = socket.read(&mut buffer)?;
                ensure(count > 0, || "the server closed it".to_owned())?;
                heard.extend_from_slice(&buffer[..count]);
            }
        }
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        let poll = Poll::new()?;
        poll.registry().register(&mut socket, Token(0), Interest::READABLE | Interest::WRITABLE)?;
        let events = Events::with_capacity(8);
        Ok(Self {
            wire,
            poll,
            events,
            socket,
            unsent: Vec::new(),
            buffer,
            begun: Vec::new(),
            said: 0,
            confirmed: 0,
        })
    }

    /// Says messages until this many are said, and waits until they are confirmed.
    fn confirmed_after(&mut self, messages: u64) -> Result<()> {
        while self.confirmed < messages {
            while self.said < messages && self.said - self.confirmed < WINDOW {
                self.said += 1;
                let stamp = Stamp { number: self.said, ..Stamp::default() };
                self.wire.say(self.said, &stamp.text(), &mut self.unsent);
            }
            self.send()?;
            if !self.hear()? {
                self.poll.poll(&mut self.events, Some(PATIENCE))?;
                ensure(!self.events.is_empty(), || format!("nothing was confirmed for {PATIENCE:?}"))?;
            }
        }
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        let mut sent = 0;
        while sent < self.unsent.len() {
            match self.socket.write(&self.unsent[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.unsent.drain(..sent);
        Ok(())
    }

    /// Reads what is there. False if that was nothing.
    fn hear(&mut self) -> Result<bool> {
        let count = match self.socket.read(&mut self.buffer) {
            Ok(0) => return Err(Failure::new("the server closed it")),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => 0,
            Err(error) => return Err(error.into()),
        };
        let mark = self.wire.confirmation();
        self.begun.extend_from_slice(&self.buffer[..count]);
        self.confirmed += memmem::find_iter(&self.begun, mark).count() as u64;
        let rest = memmem::rfind(&self.begun, mark).map_or(0, |at| at + mark.len());
        self.begun.drain(..rest.max(self.begun.len().saturating_sub(mark.len() - 1)));
        Ok(true)
    }
}
