//! What an endpoint needs of a connection's two-way stream of bytes.

use std::io::{self, Read, Write};

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
