//! Peers at the other end of the channels.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::Instant;

use chat_testkit::conformance::Heard;
use crossbeam_channel::{Receiver, Sender, bounded};

/// How many lines may be unread.
pub(crate) const UNREAD_LINES_MAX: usize = 32;

pub(crate) enum Word {
    Line(Vec<u8>),
    Goodbye,
}

pub(crate) type Arrival = (SocketAddr, Receiver<Word>, Sender<Heard>, Arc<AtomicBool>);

pub(crate) struct Door {
    arrivals: Sender<Arrival>,
    bell: Sender<()>,
}

static PORT: AtomicU16 = AtomicU16::new(1);

impl Door {
    pub(crate) fn new(arrivals: Sender<Arrival>, bell: Sender<()>) -> Self {
        Self { arrivals, bell }
    }

    pub(crate) fn connect(&self) -> ChannelPeer {
        let address = SocketAddr::from(([192, 0, 2, 2], PORT.fetch_add(1, Ordering::Relaxed)));
        let ((to_room, words), (to_peer, heard)) = (bounded(UNREAD_LINES_MAX), bounded(UNREAD_LINES_MAX));
        let is_gone = Arc::new(AtomicBool::new(false));
        let _closed = self.arrivals.try_send((address, words, to_peer, Arc::clone(&is_gone)));
        let _full = self.bell.try_send(());
        ChannelPeer { to_room: Some(to_room), heard, bell: self.bell.clone(), is_gone }
    }
}

pub(crate) struct ChannelPeer {
    to_room: Option<Sender<Word>>,
    heard: Receiver<Heard>,
    bell: Sender<()>,
    is_gone: Arc<AtomicBool>,
}

impl ChannelPeer {
    pub(crate) fn say(&mut self, line: &[u8], deadline: Instant) -> bool {
        let said = self
            .to_room
            .as_ref()
            .is_some_and(|to_room| to_room.send_deadline(Word::Line(line.into()), deadline).is_ok());
        let _full = self.bell.try_send(());
        said
    }

    pub(crate) fn hear(&mut self, deadline: Instant) -> Option<Heard> {
        let heard = self.heard.recv_deadline(deadline);
        let _full = self.bell.try_send(());
        heard.map_or_else(|error| error.is_disconnected().then_some(Heard::End), Some)
    }

    pub(crate) fn end(self) {
        let _full = self.to_room.as_ref().map(|to_room| to_room.try_send(Word::Goodbye));
    }
}

impl Drop for ChannelPeer {
    fn drop(&mut self) {
        self.to_room = None;
        self.is_gone.store(true, Ordering::SeqCst);
        let _full = self.bell.try_send(());
    }
}
