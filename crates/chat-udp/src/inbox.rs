//! What a framed member says: each message once, in the order of its number.

use std::collections::VecDeque;
use std::time::Instant;

use chat_core::{MemberId, Port};
use chat_proto::Text;

/// The receiving half of a session.
///
/// Messages that come again are known by their number, and those that come too early are left to be
/// sent again. A member who is over his rate has the rest of one datagram held for him, at most;
/// what is held is not acknowledged until it is said.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// Messages up to this number are said.
    said: u64,
    held: VecDeque<Text>,
    /// He is over his rate: nothing more is said before this moment.
    pause_until: Option<Instant>,
}

impl Inbox {
    /// Messages up to this number are said.
    pub(crate) fn said(&self) -> u64 {
        self.said
    }

    /// Takes in messages with consecutive numbers from `first` on.
    pub(crate) fn receive(
        &mut self,
        first: u64,
        says: Vec<Text>,
        member: MemberId,
        port: &Port,
        now: Instant,
    ) {
        if !self.held.is_empty() {
            return;
        }
        // How many of them are said already; `None` if those before them are missing.
        let Some(known) = (self.said + 1).checked_sub(first) else { return };
        self.held.extend(says.into_iter().skip(usize::try_from(known).unwrap_or(usize::MAX)));
        self.say_held(member, port, now);
    }

    /// Says what is held, as far as the rate allows.
    pub(crate) fn say_held(&mut self, member: MemberId, port: &Port, now: Instant) {
        while self.pause_until.is_none_or(|until| until <= now) {
            self.pause_until = None;
            let Some(text) = self.held.pop_front() else { break };
            let Ok(said) = port.say(member, text, now) else {
                // He has been made to leave, or the room is closing: nothing is taken from him any more.
                self.held = VecDeque::new();
                return;
            };
            self.said += 1;
            self.pause_until = said.pause_until;
        }
        if self.held.is_empty() {
            self.held = VecDeque::new(); // gives the memory back
        }
    }

    /// When [`say_held`](Self::say_held) is to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.pause_until.filter(|_| !self.held.is_empty())
    }

    /// Nothing more is heard from him.
    pub(crate) fn close(&mut self) {
        self.held = VecDeque::new();
    }
}
