//! The limit of the machine over UDP: a poll loop that passes datagrams on and does nothing else.
//!
//! An address that has sent a datagram is a member from then on. What a member sends goes to all members, including
//! the author, because members of a chat over UDP expect that. There is no room, no protocol, no end of a lease and
//! no second try.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::SocketAddr;

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use super::{Sends, limit};
use crate::failure::Result;
use crate::stamp::TEXT_BYTES;

/// The size that our server asks for. It holds the datagrams that arrive while others go out to everyone.
const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;
const RECEIVE_BYTES: usize = 64 * 1024;

/// Serves until it is killed. A datagram shorter than a message makes its sender a member and does nothing else.
pub(super) fn serve(address: SocketAddr, sends: Sends) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(8);
    let mut socket = bind(address)?;
    poll.registry().register(&mut socket, Token(0), Interest::READABLE)?;
    let mut members = HashSet::new();
    let mut order = Vec::new();
    let mut buffer = vec![0; RECEIVE_BYTES];
    loop {
        limit::wait(&mut poll, &mut events)?;
        loop {
            match socket.recv_from(&mut buffer) {
                Ok((count, from)) => {
                    if members.insert(from) {
                        order.push(from);
                    }
                    if count > TEXT_BYTES {
                        sends.pieces(&buffer[..count]).for_each(|message| pass_on(message, &order, &socket));
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // The system reports that a member is gone.
                Err(_) => {}
            }
        }
    }
}

fn bind(address: SocketAddr) -> Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
    socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
    socket.set_send_buffer_size(SOCKET_BUFFER_BYTES)?;
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(UdpSocket::from_std(socket.into()))
}

fn pass_on(message: &[u8], members: &[SocketAddr], socket: &UdpSocket) {
    for &member in members {
        // The rest is lost. A room would report the loss or send the message again.
        let _taken = socket.send_to(message, member);
    }
}
