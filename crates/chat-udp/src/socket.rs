//! The server's socket, with the options and calls that are missing in std and mio.

#[cfg(target_os = "linux")]
#[path = "socket/linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "socket/portable.rs"]
mod system;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockRef, Type};

use crate::arrivals::Arrivals;
use crate::limits::{SOCKET_BUFFER_BYTES, UNREACHABLE_MAX};
use crate::route::Route;

/// A datagram on its way out.
pub(crate) type Outbound = (Route, Vec<u8>);

/// A bound socket that takes IPv4 too where its address is the IPv6 wildcard.
#[derive(Debug)]
pub(crate) struct Socket {
    io: UdpSocket,
    is_v6: bool,
}

/// A bound socket that takes IPv4 too where its address is the IPv6 wildcard: what
/// [`UdpServer::bind`](crate::UdpServer::bind) makes, for [`UdpServer::over`](crate::UdpServer::over).
///
/// # Errors
///
/// If the address is in use, is not one of this machine, or needs a permission.
pub fn bind(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    // No reuse of the address: for UDP that would let another process take it.
    socket.bind(&address.into())?;
    Ok(socket.into())
}

impl Socket {
    /// Prepares a bound socket.
    pub(crate) fn over(socket: std::net::UdpSocket) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let buffers = SockRef::from(&socket);
        // The system may silently grant less. If it grants nothing, the server still works.
        for result in [
            buffers.set_recv_buffer_size(SOCKET_BUFFER_BYTES),
            buffers.set_send_buffer_size(SOCKET_BUFFER_BYTES),
        ] {
            if let Err(error) = result {
                tracing::debug!(%error, "cannot enlarge the buffers of a socket");
            }
        }
        socket.set_nonblocking(true)?;
        let socket = Self { io: UdpSocket::from_std(socket), is_v6: address.is_ipv6() };
        system::ask_for_errors(&socket)?;
        if address.ip().is_unspecified() {
            system::ask_for_own_address(&socket)?;
        }
        Ok(socket)
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.io, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Replaces `arrivals` with the next datagrams. False if there are no more after these; with `WouldBlock` there
    /// was none.
    pub(crate) fn receive(&self, arrivals: &mut Arrivals) -> io::Result<bool> {
        system::receive(self, arrivals)
    }

    /// Sends at least one of the datagrams, from the first on, and returns how many. An error is about the
    /// first, or about an earlier one: then [`take_errors`](Self::take_errors) knows which.
    pub(crate) fn send(&self, datagrams: &mut VecDeque<Outbound>) -> io::Result<usize> {
        system::send(self, datagrams)
    }

    /// Adds to `unreachable` the peers that an ICMP message says are not there. False if there was no such
    /// message, about anything.
    pub(crate) fn take_errors(&self, unreachable: &mut Vec<SocketAddr>) -> bool {
        // Clears the error that the next call would return.
        let _pending = SockRef::from(&self.io).take_error();
        let mut was_any = false;
        while unreachable.len() < UNREACHABLE_MAX
            && let Ok(peer) = system::next_error(self)
        {
            was_any = true;
            unreachable.extend(peer);
        }
        was_any
    }
}
