//! A peer on the stage.

use std::time::{Duration, Instant};

use chat_proto::Author;

use super::fault::{Checked, expect, fault};
use super::medium::{Heard, Peer};
use super::stage::now;

/// A peer, and how the room shows it.
pub(super) struct Guest<P> {
    pub(super) peer: P,
    pub(super) author: Author,
    pub(super) patience: Duration,
}

impl<P: Peer> Guest<P> {
    /// Whether the limits of addresses do not hold for it. What is shown by a proof comes from this machine.
    pub(super) fn is_exempt(&self) -> bool {
        self.author.address().is_none_or(|address| address.is_loopback())
    }

    pub(super) fn say(&mut self, line: impl AsRef<[u8]>) -> Checked {
        let said = self.peer.say(line.as_ref(), now() + self.patience);
        expect(said, "what a peer says is taken in time", || "its connection takes nothing".into())
    }

    /// The next thing that the peer hears, without markers.
    pub(super) fn hear(&mut self) -> Checked<Heard> {
        let heard = self.hear_by(now() + self.patience);
        heard.map_or_else(|| fault("a peer hears something", "nothing in time"), Ok)
    }

    pub(super) fn hear_by(&mut self, deadline: Instant) -> Option<Heard> {
        loop {
            match self.peer.hear(deadline)? {
                Heard::Line(line) if is_marker(&line) => {}
                heard => return Some(heard),
            }
        }
    }

    /// Checks that the next thing that the peer hears is this line.
    pub(super) fn hears(&mut self, line: &str) -> Checked {
        let heard = self.hear()?;
        expect(heard == Heard::Line(line.to_owned()), &format!("a peer hears {line:?}"), || {
            format!("{heard:?}")
        })
    }
}

pub(super) fn is_marker(line: &str) -> bool {
    line.starts_with("[kit] marker ")
}

pub(super) fn marker_text(marker: &str) -> &str {
    marker.trim_start_matches("[kit] ")
}
