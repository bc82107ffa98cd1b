//! A framed member: a client's conversation over sessions that may break.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_core::{ClientEvent, Conversation};
use chat_proto::{Entry, LeaveReason, MemberFrame, Text};
use chat_udp::{ClientSession, SessionEnd};
use rand::Rng;
use rand::rngs::StdRng;

/// The pause before another attempt.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// What a member was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// The first welcome: the newest message at that moment.
    Began(u64),
    Entry(Arc<Entry>),
    Missed(u64),
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) number: usize,
    pub(super) address: SocketAddr,
    conversation: Conversation,
    session: Option<ClientSession>,
    random: StdRng,
    retry_at: Instant,
    /// What he will say, and when.
    script: VecDeque<(Instant, Text)>,
    pub(super) shown: Vec<Shown>,
    /// What the room may have taken or not, as he was told.
    pub(super) unsure: Vec<Text>,
    pub(super) sessions: usize,
    /// The room's goodbye.
    pub(super) dismissed: Option<LeaveReason>,
    pub(super) has: u64,
}

impl Member {
    pub(super) fn new(
        number: usize,
        address: SocketAddr,
        script: VecDeque<(Instant, Text)>,
        random: StdRng,
        now: Instant,
    ) -> Self {
        Self {
            number,
            address,
            conversation: Conversation::new(0),
            session: None,
            random,
            retry_at: now,
            script,
            shown: Vec::new(),
            unsure: Vec::new(),
            sessions: 0,
            dismissed: None,
            has: 0,
        }
    }

    /// Whether all that he has to say is said and confirmed, and he has read up to `head`.
    pub(super) fn is_done(&self, head: u64) -> bool {
        self.script.is_empty()
            && self.conversation.unconfirmed() == 0
            && self.has == head
            && self.session.is_some()
    }

    pub(super) fn receive(&mut self, bytes: &[u8], now: Instant) {
        if let Some(session) = &mut self.session {
            session.receive(bytes, now);
        }
    }

    /// Does all there is to do at `now`; what is to be sent goes to `send`.
    pub(super) fn step(&mut self, now: Instant, mut send: impl FnMut(SocketAddr, &[u8])) {
        while let Some((_, text)) = self.script.front().filter(|(at, _)| *at <= now).cloned() {
            if self.conversation.say(text).is_err() {
                break;
            }
            self.script.pop_front();
        }
        if self.session.is_none() && self.dismissed.is_none() && self.retry_at <= now {
            self.begin(now);
        }
        let Some(session) = &mut self.session else { return };
        let mut out = Vec::new();
        loop {
            while let Some(frame) = session.next_frame() {
                let (shown, unsure, dismissed, has) =
                    (&mut self.shown, &mut self.unsure, &mut self.dismissed, &mut self.has);
                self.conversation.receive(frame, |event| match event {
                    ClientEvent::Connected(welcome) if shown.is_empty() => {
                        *has = welcome.head;
                        shown.push(Shown::Began(welcome.head));
                    }
                    ClientEvent::Entry { entry, .. } => {
                        *has = entry.seq;
                        shown.push(Shown::Entry(entry));
                    }
                    ClientEvent::Missed(messages) => {
                        *has += messages;
                        shown.push(Shown::Missed(messages));
                    }
                    ClientEvent::Unsure(texts) => unsure.extend(texts),
                    ClientEvent::Dismissed(reason) => *dismissed = Some(reason),
                    _ => {}
                });
            }
            while session.is_ready()
                && let Some(frame) = self.conversation.next_frame()
            {
                session.send(frame, now);
            }
            if !session.transmit(&mut out, now) {
                break;
            }
            send(self.address, &out);
        }
        if let Some(end) = session.end().cloned() {
            self.session = None;
            self.conversation.disconnected();
            self.retry_at = now + RETRY_PAUSE;
            // The room is still there; an impatient server or a broken path is not the end.
            if end != SessionEnd::Dismissed(LeaveReason::Stopping) {
                self.dismissed = None;
            }
        }
    }

    fn begin(&mut self, now: Instant) {
        let MemberFrame::Hello(hello) = self.conversation.hello() else { return };
        self.sessions += 1;
        self.session = Some(ClientSession::new(self.random.next_u64(), hello, now));
    }

    /// When [`step`](Self::step) is to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let script = self.script.front().map(|(at, _)| *at);
        let session = match &self.session {
            Some(session) => session.deadline(),
            None => Some(self.retry_at).filter(|_| self.dismissed.is_none()),
        };
        script.into_iter().chain(session).min()
    }
}
