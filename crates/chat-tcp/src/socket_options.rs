//! Socket options that are missing in std and mio.

use std::io;
use std::net::SocketAddr;

use mio::net::TcpStream;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use crate::limits::{KEEPALIVE, LISTEN_BACKLOG};

/// A listening socket that takes IPv4 too where its address is the IPv6 wildcard: what
/// [`TcpServer::bind`](crate::TcpServer::bind) makes, for [`TcpServer::over`](crate::TcpServer::over).
///
/// # Errors
///
/// If the address is in use, is not one of this machine, or needs a permission.
pub fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    // A port whose last connections still time out may be used again. On Windows the option means
    // something else: it lets another process take the port.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(LISTEN_BACKLOG)?;
    Ok(socket.into())
}

/// The options of every connection: no delay for small writes, since each write is a whole batch; and an end
/// when the peer's machine has vanished, whether or not bytes are on their way to it.
pub(crate) fn set_options(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    let (idle, interval) = KEEPALIVE;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle).with_interval(interval))?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(crate::limits::USER_TIMEOUT))?;
    Ok(())
}
