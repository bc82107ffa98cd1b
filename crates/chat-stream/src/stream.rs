//! The interface between an endpoint and a connection's two-way stream of bytes.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use chat_core::access::Identity;

use crate::limits::OPENING_GRACE;

/// A two-way stream of bytes that never blocks: an operation that would have to wait fails with
/// [`WouldBlock`](io::ErrorKind::WouldBlock), and once it no longer would, that is reported with
/// [`Endpoint::ready`](crate::Endpoint::ready). Dropping it closes it.
///
/// A stream may keep bytes that were written to it until it is [flushed](Write::flush). The endpoint flushes it
/// whenever it has written all there is, and after reading: until that succeeds, the bytes count as not written. When
/// it has no room for more bytes, `write` makes some, as that of [`BufWriter`](std::io::BufWriter) does. It fails with
/// `WouldBlock` only if that would have to wait.
pub trait Stream: Read + Write {
    /// Whether a short read has returned all the bytes there were, so that later bytes are
    /// reported as [`Readiness`] even without a read that failed with `WouldBlock`. This saves a
    /// system call per message if messages arrive one by one. Default: no.
    const SHORT_READ_IS_ALL: bool = false;

    /// How long a new peer may be silent before it counts as a plain listener, and becomes a member. Default 200 ms: a
    /// framed client sends its preface with the first packet. Longer where a peer must not be taken for a listener too
    /// early.
    const SILENT_AFTER: Duration = OPENING_GRACE;

    /// Does the work before the first byte of the conversation, for example a handshake. It is called whenever the
    /// stream has become ready for something, until it returns true; false means that it waits for that. Then the
    /// endpoint reads at once, since this may have read more than the handshake. The peer is not a member before, and
    /// has 10 s. Default: there is nothing to do.
    ///
    /// # Errors
    ///
    /// What is wrong with the peer; its connection ends.
    fn open(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    /// The peer has been silent for [`SILENT_AFTER`](Self::SILENT_AFTER), and the stream is not open. True if it is
    /// open now: a stream that waits for the first byte to know what it is has a silent listener. Default: it is not.
    fn silent(&mut self) -> bool {
        false
    }

    /// The peer's protocol, if the stream knows it once it is open. Default: the first byte shows it.
    fn speaks(&self) -> Speaks {
        Speaks::Any
    }

    /// Who the peer is, asked after each [`open`](Self::open) that has not failed. `address` is that of the last
    /// answer, at first the one it was adopted with; the stream may know a truer one, for example from a PROXY protocol
    /// header, which then counts for limits, bans and the gate, and a proof of who it is. Default: the address alone.
    fn identity(&self, address: SocketAddr) -> Identity {
        address.into()
    }

    /// Ends our side: the peer reads the end of the stream after all written bytes. The stream can still be
    /// read from.
    ///
    /// # Errors
    ///
    /// The error of the system; then the peer is gone.
    fn shutdown_write(&mut self) -> io::Result<()>;
}

/// The operations that a stream has become ready for. It may be reported too often, never too seldom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Reading returns bytes, the peer's end, or an error.
    pub readable: bool,
    /// The peer has ended its side: the end follows the unread bytes.
    pub ended: bool,
    /// Writing takes bytes again.
    pub writable: bool,
    /// Both sides are gone: no written byte reaches the peer.
    pub hung_up: bool,
}

/// A peer's protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Speaks {
    /// Frames or plain lines: its first byte shows it, or 200 ms of silence.
    #[default]
    Any,
    /// Plain lines. It is a member at once, and may begin with any byte.
    Plain,
    /// Frames. It is a member from its hello on.
    Framed,
}
