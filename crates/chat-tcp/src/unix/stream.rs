//! A Unix socket as a stream of an endpoint.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};

use chat_core::access::Identity;
use chat_stream::Stream;
use mio::net::UnixStream;

/// A connection's socket. The system tells who is at its other end.
#[derive(Debug)]
pub struct UnixSocket(pub(crate) UnixStream);

impl Read for UnixSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for UnixSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for UnixSocket {
    /// epoll(7) and kqueue(2) promise it for streams.
    const SHORT_READ_IS_ALL: bool = true;

    /// The user that made the connection: `uid:1000`.
    fn identity(&self, address: SocketAddr) -> Identity {
        let identity = Identity::from(address);
        match uid(&self.0) {
            Ok(uid) => identity.with_proof(&format!("uid:{uid}")),
            Err(error) => {
                tracing::debug!(%error, "the system does not tell whose connection it is");
                identity
            }
        }
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

/// The user at the other end, when it connected.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn uid(socket: &UnixStream) -> io::Result<u32> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

    Ok(getsockopt(socket, PeerCredentials)?.uid())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn uid(_socket: &UnixStream) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}
