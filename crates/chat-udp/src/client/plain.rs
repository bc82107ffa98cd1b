//! The client's side of a plain conversation, for other chat servers.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::Instant;

use chat_core::client::Talk;
use chat_core::limits::LAST_WORDS;
use chat_core::{ClientEnd, ClientEvent, Command};
use chat_proto::Text;

use super::link::Protocol;
use crate::limits::{FRAMES_MAX, JOIN_DELAY, KEEP_ALIVE, TEXTS_MAX};

/// The datagram that is sent when there is no message. For a room like ours neither an empty line nor an
/// empty datagram is a message; but OpenBSD's nc takes an empty datagram for the end.
pub(super) const NOTHING: &[u8] = b"\n";

/// Each message is a datagram; nothing is sent twice, and the client does not know which datagrams arrived.
#[derive(Debug, Default)]
pub(super) struct Plain {
    texts: VecDeque<Text>,
    events: VecDeque<ClientEvent>,
    finishing: bool,
    /// When to send the server something, so that it learns of this client or does not forget it.
    known_until: Option<Instant>,
    /// When something was last sent or heard.
    active: Option<Instant>,
    end: Option<ErrorKind>,
}

impl Plain {
    fn is_over(&self, now: Instant) -> bool {
        self.finishing && self.texts.is_empty() && self.active.is_none_or(|active| active + LAST_WORDS <= now)
    }
}

impl Protocol for Plain {
    fn begin(&mut self, now: Instant) {
        self.end = None;
        self.known_until = Some(now + JOIN_DELAY);
    }

    fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.active = Some(now);
        // A user that does not take the lines loses them: there is no way to slow the server down.
        let room = FRAMES_MAX.saturating_sub(self.events.len());
        self.events.extend(Text::split(bytes).take(room).map(ClientEvent::Line));
    }

    fn refused(&mut self) {
        self.end = Some(ErrorKind::ConnectionRefused);
    }

    fn transmit(&mut self, out: &mut Vec<u8>, now: Instant) -> bool {
        out.clear();
        if let Some(text) = self.texts.pop_front() {
            out.extend_from_slice(text.as_str().as_bytes());
            out.push(b'\n');
            self.active = Some(now);
        } else if !self.finishing && self.known_until.is_some_and(|until| until <= now) {
            out.extend_from_slice(NOTHING);
        } else {
            return false;
        }
        self.known_until = Some(now + KEEP_ALIVE);
        true
    }

    fn deadline(&self) -> Option<Instant> {
        if self.finishing { self.active.map(|active| active + LAST_WORDS) } else { self.known_until }
    }

    fn next_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    fn talk(&mut self) -> &mut dyn Talk {
        self
    }

    fn is_heard(&self) -> bool {
        true
    }

    fn is_asked(&self) -> bool {
        false
    }

    fn answered(&self) -> Option<bool> {
        Some(true)
    }

    fn end(&mut self) -> Option<Result<ClientEnd, io::Error>> {
        if let Some(kind) = self.end.take() {
            return Some(Err(kind.into()));
        }
        self.is_over(crate::transport::clock()).then_some(Ok(ClientEnd::Left))
    }
}

impl Talk for Plain {
    fn command(&mut self, command: Command) {
        match command {
            Command::Say(text) | Command::Line(text) => self.texts.push_back(text),
            Command::Finish => self.finishing = true,
            Command::Leave => *self = Self { finishing: true, ..Self::default() },
            _ => {}
        }
    }

    fn is_full(&self) -> bool {
        self.texts.len() >= TEXTS_MAX
    }

    fn moves(&self) -> bool {
        false
    }

    fn unconfirmed(&self) -> usize {
        self.texts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_peer_is_known_and_stays_so() {
        let (mut plain, mut now) = (Plain::default(), crate::transport::clock());
        let mut out = Vec::new();
        plain.begin(now);
        assert!(!plain.transmit(&mut out, now), "it may have something to say");
        for pause in [JOIN_DELAY, KEEP_ALIVE, KEEP_ALIVE] {
            assert_eq!(plain.deadline(), Some(now + pause));
            now += pause;
            assert!(plain.transmit(&mut out, now) && out == NOTHING);
            assert!(!plain.transmit(&mut out, now));
        }
        plain.command(Command::Say("hello".parse().expect("clean")));
        now += KEEP_ALIVE / 2;
        assert!(plain.transmit(&mut out, now) && out == b"hello\n");
        assert_eq!(plain.deadline(), Some(now + KEEP_ALIVE), "which makes it known as well");
        plain.command(Command::Finish);
        assert!(!plain.transmit(&mut out, now + KEEP_ALIVE), "a client that leaves need not be known");
    }
}
