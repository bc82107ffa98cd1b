//! A network of byte streams that take and give a few bytes at a time, stall, break and vanish.

mod state;
#[cfg(test)]
mod tests;

use std::io::{self, IoSlice, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::state::State;
use crate::VirtualTime;

/// What a stream is like.
///
/// ```
/// use chat_testkit::StreamConditions;
///
/// let narrow = StreamConditions { buffer_bytes: 10, ..StreamConditions::default() };
/// assert_eq!(narrow.bite_bytes_max, usize::MAX);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamConditions {
    /// The least and the most that bytes, or news of them, take to the other end. Nothing overtakes anything.
    /// Default 1 ms for both.
    pub delay: (Duration, Duration),
    /// The most bytes that one read or write moves; how many is drawn each time. Default: as many as there are.
    pub bite_bytes_max: usize,
    /// Bytes each way that may be under way or unread before writing would block. Default 64 KiB.
    pub buffer_bytes: usize,
    /// Reading returns all that has arrived, as far as there is place for it, and each arrival makes an event: so
    /// do epoll and kqueue. Default no: a read may return less, and an event comes only after reading would
    /// have blocked. No system does less than that.
    pub short_read_is_all: bool,
    /// A reset destroys what has arrived and is unread, as it does on some systems. Default no.
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

/// What an end of a stream has become ready for, as an edge-triggered poll tells it: once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamEvent {
    /// Which end, as [`StreamEnd::id`] says.
    pub end: usize,
    /// Reading has something to tell again.
    pub readable: bool,
    /// The other side has ended: behind what is to be read is the end.
    pub ended: bool,
    /// Writing takes bytes again, after it would have blocked.
    pub writable: bool,
    /// The stream has failed, or both sides have ended.
    pub hung_up: bool,
}

/// Streams between pairs of ends. The same seed and the same calls give the same network.
///
/// An end behaves as a TCP socket does that must not block: writing takes what the buffer has room for, an
/// end that is dropped with unread bytes resets the connection, and bytes for who has closed come back as a
/// reset.
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
    /// A network without streams, in which time passes as `time` says.
    #[must_use]
    pub fn new(seed: u64, time: &VirtualTime) -> Self {
        Self(Arc::new(Mutex::new(State::new(seed, time.clone()))))
    }

    /// A new stream: its two ends.
    #[must_use]
    pub fn connect(&self, conditions: StreamConditions) -> (StreamEnd, StreamEnd) {
        let (a, b) = self.lock().connect(conditions);
        let end = |id| StreamEnd { id, streams: self.clone() };
        (end(a), end(b))
    }

    /// When something arrives next.
    #[must_use]
    pub fn next_event(&self) -> Option<Instant> {
        self.lock().next_arrival()
    }

    /// Lets everything arrive whose time has come, and returns what that makes ends ready for, each at most once.
    #[must_use = "an event comes only once"]
    pub fn events(&self) -> Vec<StreamEvent> {
        self.lock().events()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One end of a stream. Dropping it closes it, as a socket.
#[derive(Debug)]
pub struct StreamEnd {
    id: usize,
    streams: Streams,
}

impl StreamEnd {
    /// Under what [`StreamEvent`]s name this end.
    #[must_use]
    pub fn id(&self) -> usize {
        self.id
    }

    /// Ends this side: the other reads the end behind all that was written.
    ///
    /// # Errors
    ///
    /// If the stream has failed.
    pub fn shutdown_write(&mut self) -> io::Result<()> {
        self.streams.lock().shutdown_write(self.id)
    }

    /// Breaks the connection: the other side learns it by an error.
    pub fn reset(self) {
        self.streams.lock().reset(self.id);
    }

    /// Is gone without a word, as a machine without power. What was sent still arrives; nothing comes back. The
    /// other side's system notices after `probed`.
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
