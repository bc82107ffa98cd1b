//! The limit of the machine over TLS: a poll loop that encrypts for every member what one of them says, with rustls and
//! nothing else.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::TcpStream;
use mio::{Events, Interest, Token};
use rustls::ServerConnection;

use super::limit::{self, LISTEN, READ_BYTES};
use crate::failure::Result;
use crate::tls;

struct Member {
    socket: TcpStream,
    tls: ServerConnection,
}

/// Serves until it is killed.
pub(super) fn serve(address: SocketAddr) -> Result<()> {
    let config = tls::server()?;
    let (mut poll, listener) = limit::listen(address)?;
    let mut events = Events::with_capacity(1024);
    let mut members: BTreeMap<usize, Member> = BTreeMap::new();
    let mut next = 0;
    let mut buffer = vec![0; READ_BYTES];
    loop {
        limit::wait(&mut poll, &mut events)?;
        for event in &events {
            if event.token() == LISTEN {
                while let Ok((mut socket, _)) = listener.accept() {
                    socket.set_nodelay(true)?;
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut socket, Token(next), interest)?;
                    members.insert(next, Member { socket, tls: ServerConnection::new(Arc::clone(&config))? });
                    next += 1;
                }
                continue;
            }
            let author = event.token().0;
            while let Some(member) = members.get_mut(&author) {
                match member.read(&mut buffer) {
                    Ok(0) => drop(members.remove(&author)),
                    Ok(count) => {
                        for (_, other) in members.iter_mut().filter(|(other, _)| **other != author) {
                            // What the socket does not take stays encrypted, and goes out before the next batch.
                            let _taken = other.write(&buffer[..count]);
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(_) => drop(members.remove(&author)),
                }
            }
        }
    }
}

impl Member {
    /// Everything that is there: a batch is what several records bring.
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.send()?;
        let mut got = 0;
        loop {
            match self.tls.reader().read(&mut buffer[got..]) {
                Ok(0) => return Ok(got),
                Ok(count) => got += count,
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                Err(_) => match self.tls.read_tls(&mut self.socket) {
                    Ok(0) => return Ok(got),
                    Ok(_) => {
                        self.tls.process_new_packets().map_err(std::io::Error::other)?;
                        self.send()?;
                    }
                    Err(error) if got == 0 => return Err(error),
                    Err(_) => return Ok(got),
                },
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.tls.writer().write_all(bytes)?;
        self.send()
    }

    fn send(&mut self) -> std::io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                result => result?,
            };
        }
        Ok(())
    }
}
