//! What an endpoint needs of a connection's two-way stream of bytes.

use std::io::{self, Read, Write};

/// A two-way stream of bytes that never blocks: what would have to wait fails with
/// [`WouldBlock`](io::ErrorKind::WouldBlock), and once it no longer would, that is reported with
/// [`Endpoint::ready`](crate::Endpoint::ready). Dropping it closes it.
///
/// A stream may keep bytes that were written to it until it is [flushed](Write::flush). The endpoint flushes it whenever it has
/// written all there is, and after reading: until that succeeds, the bytes count as not written.
pub trait Stream: Read + Write {
    /// Whether a read that returns less than it was asked for has returned all there was, so that what comes
    /// later is reported as [`Readiness`] without a read that fails with `WouldBlock` before. It saves a
    /// system call per message where messages come one by one. Default: no.
    const SHORT_READ_IS_ALL: bool = false;

    /// Does what must come before the first byte of the conversation, a handshake for example. Called until it returns true,
    /// again whenever the stream has become ready for something; false means that it waits for that. The peer is no member before, and
    /// has 10 s. Default: there is nothing to do.
    ///
    /// # Errors
    ///
    /// What is wrong with the peer; its connection ends.
    fn open(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    /// What the peer speaks, if the stream knows it once it is open. Default: its first byte tells.
    fn speaks(&self) -> Speaks {
        Speaks::Any
    }

    /// Ends our side: the peer reads the end of the stream behind all that was written. It can still be
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
    /// The peer has ended its side: behind the bytes that are still to be read is the end.
    pub ended: bool,
    /// Writing takes bytes again.
    pub writable: bool,
    /// The peer is gone altogether: nothing that is written reaches it.
    pub hung_up: bool,
}

/// What a peer speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speaks {
    /// Frames or plain lines: its first byte tells, or 200 ms of silence.
    #[default]
    Any,
    /// Plain lines. It is a member at once, and may begin with any byte.
    Plain,
    /// Frames. It is a member from its hello on.
    Framed,
}
