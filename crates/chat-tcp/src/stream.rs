//! What an endpoint needs of a connection's two-way stream of bytes.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use mio::event::Event;
use mio::net::TcpStream;

/// A two-way stream of bytes that never blocks: what would have to wait fails with
/// [`WouldBlock`](io::ErrorKind::WouldBlock), and once it no longer would, that is reported with
/// [`Endpoint::ready`](crate::Endpoint::ready). Dropping it closes it.
pub trait Stream: Read + Write {
    /// Whether a read that returns less than it was asked for has returned all there was, so that what comes
    /// later is reported as [`Readiness`] without a read that fails with `WouldBlock` before. It saves a
    /// system call per message where messages come one by one. Default: no.
    const SHORT_READ_IS_ALL: bool = false;

    /// Ends our side: the peer reads the end of the stream behind all that was written. He can still be
    /// read from.
    ///
    /// # Errors
    ///
    /// What the system says; the peer is then gone.
    fn shutdown_write(&mut self) -> io::Result<()>;
}

impl Stream for TcpStream {
    /// So say epoll(7) and kqueue(2) of streams. Windows goes on reporting only after a `WouldBlock`.
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
        self.shutdown(Shutdown::Write)
    }
}

/// What a stream has become ready for. It may be reported too often, never too seldom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Reading returns bytes, the peer's end, or an error.
    pub readable: bool,
    /// The peer has ended his side: behind the bytes that are still to be read is the end.
    pub ended: bool,
    /// Writing takes bytes again.
    pub writable: bool,
    /// The peer is gone altogether: nothing that is written reaches him.
    pub hung_up: bool,
}

impl From<&Event> for Readiness {
    fn from(event: &Event) -> Self {
        Self {
            readable: event.is_readable(),
            ended: event.is_read_closed(),
            writable: event.is_writable(),
            hung_up: event.is_error() || event.is_write_closed(),
        }
    }
}
