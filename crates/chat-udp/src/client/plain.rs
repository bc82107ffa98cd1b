//! A client's side of a plain conversation: for servers that are not ours.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use chat_core::{ClientEnd, ClientEvent, Command};
use chat_proto::Text;

use super::link::Protocol;
use crate::limits::FRAMES_MAX;

/// How long the server must have been silent after the client's last word before the client ends: a plain
/// server does not say that it has heard it.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Messages that wait for the socket.
const TEXTS_MAX: usize = 64;

/// Each message is a datagram; nothing is sent twice, and nothing is known of what arrived.
#[derive(Debug, Default)]
pub(super) struct Plain {
    texts: VecDeque<Text>,
    events: VecDeque<ClientEvent>,
    finishing: bool,
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
    fn begin(&mut self, _now: Instant) {
        self.end = None;
    }

    fn receive(&mut self, bytes: &[u8], now: Instant) {
        self.active = Some(now);
        // Who does not take his lines loses them: there is no way to slow the server down.
        let room = FRAMES_MAX.saturating_sub(self.events.len());
        self.events.extend(Text::split(bytes).take(room).map(ClientEvent::Line));
    }

    fn refused(&mut self) {
        self.end = Some(ErrorKind::ConnectionRefused);
    }

    fn transmit(&mut self, out: &mut Vec<u8>, now: Instant) -> bool {
        out.clear();
        let Some(text) = self.texts.pop_front() else { return false };
        self.active = Some(now);
        out.extend_from_slice(text.as_str().as_bytes());
        true
    }

    fn deadline(&self) -> Option<Instant> {
        self.active.filter(|_| self.finishing).map(|active| active + LAST_WORDS)
    }

    fn next_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Say(text) => self.texts.push_back(text),
            Command::Finish => self.finishing = true,
            Command::Leave => *self = Self { finishing: true, ..Self::default() },
            _ => {}
        }
    }

    fn is_full(&self) -> bool {
        self.texts.len() >= TEXTS_MAX
    }

    fn is_heard(&self) -> bool {
        true
    }

    fn answered(&self) -> Option<bool> {
        Some(true) // nobody is asked
    }

    fn end(&mut self) -> Option<Result<ClientEnd, io::Error>> {
        if let Some(kind) = self.end.take() {
            return Some(Err(kind.into()));
        }
        self.is_over(crate::transport::clock()).then_some(Ok(ClientEnd::Left))
    }

    fn unconfirmed(&self) -> usize {
        self.texts.len()
    }
}
