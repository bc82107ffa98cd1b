//! The limit of the machine: a poll loop that passes bytes on and does nothing else.
//!
//! It has no room, no protocol, no order to keep and no memory of earlier messages. It writes what one member sends
//! to all the others, and it drops what a socket does not take at once. Everything that a chat server does beyond
//! that can only cost more, so this is the limit to compare it with.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::Sends;
use crate::failure::Result;

pub(super) const LISTEN: Token = Token(usize::MAX);
pub(super) const READ_BYTES: usize = 64 * 1024;

/// Serves until it is killed.
pub(super) fn serve(address: SocketAddr, sends: Sends) -> Result<()> {
    let (mut poll, listener) = listen(address)?;
    let mut events = Events::with_capacity(1024);
    let mut members: Slab<TcpStream> = Slab::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        wait(&mut poll, &mut events)?;
        for event in &events {
            if event.token() == LISTEN {
                accept(&listener, &poll, &mut members)?;
                continue;
            }
            let author = event.token().0;
            while let Some(socket) = members.get_mut(author) {
                match socket.read(&mut buffer) {
                    Ok(0) => drop(members.remove(author)),
                    Ok(count) => {
                        for message in sends.pieces(&buffer[..count]) {
                            pass_on(message, author, &mut members);
                        }
                        // A socket that returned less than the buffer holds is empty.
                        if count < buffer.len() {
                            break;
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => drop(members.remove(author)),
                }
            }
        }
    }
}

/// Listens at `address`. The events of the listener have the token [`LISTEN`].
pub(super) fn listen(address: SocketAddr) -> Result<(Poll, TcpListener)> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    socket.set_nonblocking(true)?;
    let mut listener = TcpListener::from_std(socket.into());
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTEN, Interest::READABLE)?;
    Ok((poll, listener))
}

/// Waits for events. A signal may end the wait early, without any.
pub(super) fn wait(poll: &mut Poll, events: &mut Events) -> Result<()> {
    match poll.poll(events, None) {
        Err(error) if error.kind() == ErrorKind::Interrupted => {
            events.clear();
            Ok(())
        }
        result => Ok(result?),
    }
}

/// Accepts what waits.
pub(super) fn accept<M: From<TcpStream>>(
    listener: &TcpListener,
    poll: &Poll,
    members: &mut Slab<M>,
) -> Result<()> {
    loop {
        match listener.accept() {
            Ok((mut socket, _)) => {
                socket.set_nodelay(true)?;
                let place = members.vacant_entry();
                poll.registry().register(&mut socket, Token(place.key()), Interest::READABLE)?;
                place.insert(socket.into());
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(_) => {}
        }
    }
}

fn pass_on(message: &[u8], author: usize, members: &mut Slab<TcpStream>) {
    for (member, socket) in members {
        if member != author {
            // The rest is lost. A room would keep it for later.
            let _taken = socket.write(message);
        }
    }
}
