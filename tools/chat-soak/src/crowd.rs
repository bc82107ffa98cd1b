//! Many plain members in one poll loop: some talk, the others only take what comes.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::failure::{Failure, Result};

#[derive(Debug)]
pub(crate) struct Crowd {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    socket: TcpStream,
    heard_bytes: u64,
    reads: bool,
    /// There may be more to read.
    is_ready: bool,
    is_gone: bool,
}

impl Crowd {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 256 * 1024],
            members: Vec::new(),
        })
    }

    /// Lets `count` more in.
    pub(crate) fn join(&mut self, server: SocketAddr, count: usize) -> Result<()> {
        for _ in 0..count {
            let socket = std::net::TcpStream::connect(server)?;
            socket.set_nodelay(true)?;
            self.add(socket)?;
        }
        Ok(())
    }

    /// Takes a connection in.
    pub(crate) fn add(&mut self, socket: std::net::TcpStream) -> Result<()> {
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        self.poll.registry().register(&mut socket, Token(self.members.len()), Interest::READABLE)?;
        self.members.push(Member { socket, heard_bytes: 0, reads: true, is_ready: true, is_gone: false });
        Ok(())
    }

    /// From here on this member reads nothing.
    pub(crate) fn stall(&mut self, member: usize) {
        self.members[member].reads = false;
    }

    /// Says a line as this member; reads meanwhile, if the server takes no more.
    pub(crate) fn say(&mut self, member: usize, text: &str) -> Result<()> {
        let line = format!("{text}\n");
        let mut left = line.as_bytes();
        while !left.is_empty() {
            match self.members[member].socket.write(left) {
                Ok(count) => left = &left[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.read(Duration::from_millis(1))?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::new(format!("a talker cannot speak: {error}"))),
            }
        }
        Ok(())
    }

    /// Reads some of what has come, waiting for something at most `timeout`.
    pub(crate) fn read(&mut self, timeout: Duration) -> Result<()> {
        let is_ready = |member: &Member| member.is_ready && member.reads && !member.is_gone;
        let timeout = if self.members.iter().any(is_ready) { Duration::ZERO } else { timeout };
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &self.events {
            self.members[event.token().0].is_ready = true;
        }
        for member in self.members.iter_mut().filter(|member| is_ready(member)) {
            match member.socket.read(&mut self.buffer) {
                Ok(0) => member.is_gone = true,
                Ok(count) => member.heard_bytes += count as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => member.is_ready = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => member.is_gone = true,
            }
        }
        Ok(())
    }

    /// What each of these members has heard, in bytes; `None` for one whose connection has ended.
    pub(crate) fn heard_bytes(&self, members: std::ops::Range<usize>) -> Vec<Option<u64>> {
        self.members[members].iter().map(|member| (!member.is_gone).then_some(member.heard_bytes)).collect()
    }
}
