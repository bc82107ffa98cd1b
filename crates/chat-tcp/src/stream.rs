//! A TCP socket as a stream of an endpoint.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;

use chat_stream::{Readiness, Stream};
use mio::event::Event;
use mio::net::TcpStream;

/// A connection's socket, as a [`Layer`](crate::Layer) gets it: it never blocks.
#[derive(Debug)]
pub struct TcpSocket(pub(crate) TcpStream);

impl TcpSocket {
    /// Reads what a read would return next, and leaves it there.
    ///
    /// # Errors
    ///
    /// Those of a read.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.peek(buffer)
    }
}

impl Read for TcpSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for TcpSocket {
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

impl Stream for TcpSocket {
    /// epoll(7) and kqueue(2) promise it for streams. Windows goes on reporting only after a `WouldBlock`.
    const SHORT_READ_IS_ALL: bool = cfg!(any(
        target_os = "android",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "ios",
        target_os = "linux",
        target_os = "macos",
        target_os = "netbsd",
        target_os = "openbsd",
    ));

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

/// The readiness that an event of the poll reports for a socket.
pub(crate) fn readiness(event: &Event) -> Readiness {
    Readiness {
        readable: event.is_readable(),
        ended: event.is_read_closed(),
        writable: event.is_writable(),
        hung_up: event.is_error() || event.is_write_closed(),
    }
}
