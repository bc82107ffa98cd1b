//! A network of byte streams that move a few bytes at a time, stall, break and vanish.

mod state;
#[cfg(test)]
mod tests;

use std::io::{self, IoSlice, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::state::State;
use crate::VirtualTime;

/// The properties of a stream.
///
/// ```
/// use chat_testkit::StreamConditions;
///
/// let narrow = StreamConditions { buffer_bytes: 10, ..StreamConditions::default() };
/// assert_eq!(narrow.bite_bytes_max, usize::MAX);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamConditions {
    /// The least and the most time that bytes and signals take to the other end. Nothing overtakes anything.
    /// Default 1 ms for both.
    pub delay: (Duration, Duration),
    /// The most bytes that one read or write moves. The number is drawn each time. Default: no limit.
    pub bite_bytes_max: usize,
    /// How many bytes each way may be on their way or unread. With more, writing would block. Default 64 KiB.
    pub buffer_bytes: usize,
    /// A read returns everything that has arrived, as far as it fits into the buffer, and each arrival makes an event.
    /// This is how epoll and kqueue behave. Default false: a read may return less, and an event comes only after a read
    /// would have blocked. Every system does at least this much.
    pub short_read_is_all: bool,
    /// A reset destroys bytes that have arrived and are unread, as it does on some systems. Default false.
    pub reset_destroys: bool,
}

impl Default for StreamConditions {
    fn default() -> Self {
        let delay = Duration::from_millis(1);
        Self {
            delay: (delay, delay),
            bite_bytes_max: usize::MAX,
            buffer_bytes: 64 * 1024,
            short_read_is_all: false,
            reset_destroys: false,
        }
    }
}

/// What an end of a stream has become ready for. Like an edge-triggered poll, this is reported once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamEvent {
    /// The [`StreamEnd::id`] of the end.
    pub end: usize,
    /// A read would return bytes, the end or an error again.
    pub readable: bool,
    /// The other side has ended. The end follows the bytes that are still unread.
    pub ended: bool,
    /// A write would take bytes again, after one would have blocked.
    pub writable: bool,
    /// The stream has failed, or both sides have ended.
    pub hung_up: bool,
}

/// Streams between pairs of ends. The same seed and the same calls give the same network.
///
/// An end behaves like a non-blocking TCP socket. A write takes as many bytes as the buffer has room for. Dropping an
/// end with unread bytes resets the connection. If bytes arrive at an end that is closed, the sender gets a reset.
///
/// ```
/// use std::io::{ErrorKind, Read, Write};
/// use chat_testkit::{StreamConditions, Streams, VirtualTime};
///
/// let time = VirtualTime::default();
/// let streams = Streams::new(1, &time);
/// let (mut ann, mut bob) = streams.connect(StreamConditions { buffer_bytes: 3, ..StreamConditions::default() });
/// assert_eq!(ann.write(b"hello")?, 3, "the buffer holds no more");
/// assert_eq!(ann.write(b"lo").unwrap_err().kind(), ErrorKind::WouldBlock);
/// let mut buffer = [0; 9];
/// assert_eq!(bob.read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock, "it takes a millisecond");
///
/// let Some(next) = streams.next_event() else { panic!("the bytes are on their way") };
/// time.advance_to(next);
/// let events = streams.events();
/// assert!(events[0].end == bob.id() && events[0].readable);
/// assert_eq!(bob.read(&mut buffer)?, 3);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Streams(Arc<Mutex<State>>);

impl Streams {
    /// A network without streams. `time` is its clock.
    #[must_use]
    pub fn new(seed: u64, time: &VirtualTime) -> Self {
        Self(Arc::new(Mutex::new(State::new(seed, time.clone()))))
    }

    /// Makes a new stream and returns its two ends.
    #[must_use]
    pub fn connect(&self, conditions: StreamConditions) -> (StreamEnd, StreamEnd) {
        let (a, b) = self.lock().connect(conditions);
        let end = |id| StreamEnd { id, streams: self.clone() };
        (end(a), end(b))
    }

    /// When something arrives next. `None` if nothing is on its way.
    #[must_use]
    pub fn next_event(&self) -> Option<Instant> {
        self.lock().next_arrival()
    }

    /// Lets everything arrive whose time has come. Returns at most one event for each end that this makes ready.
    #[must_use = "an event comes only once"]
    pub fn events(&self) -> Vec<StreamEvent> {
        self.lock().events()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One end of a stream. Dropping it closes it, as with a socket.
#[derive(Debug)]
pub struct StreamEnd {
    id: usize,
    streams: Streams,
}

impl StreamEnd {
    /// The number by which [`StreamEvent`]s name this end.
    #[must_use]
    pub fn id(&self) -> usize {
        self.id
    }

    /// Ends this side. The other side reads the end after everything that was written.
    ///
    /// # Errors
    ///
    /// If the stream has failed.
    pub fn shutdown_write(&mut self) -> io::Result<()> {
        self.streams.lock().shutdown_write(self.id)
    }

    /// Breaks the connection. The other side gets an error.
    pub fn reset(self) {
        self.streams.lock().reset(self.id);
    }

    /// Vanishes without a goodbye, like a machine that loses power. Bytes that were sent still arrive, but nothing
    /// comes back. The other side's system notices after `probed`.
    pub fn vanish(self, probed: Duration) {
        self.streams.lock().vanish(self.id, probed);
    }
}

impl Read for StreamEnd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.streams.lock().read(self.id, buffer)
    }
}

impl Write for StreamEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.streams.lock().write(self.id, &[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.streams.lock().write(self.id, parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for StreamEnd {
    fn drop(&mut self) {
        self.streams.lock().close(self.id);
    }
}
