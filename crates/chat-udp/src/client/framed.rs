//! A client's side of the framed protocol: a conversation over one session after the other.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::Instant;

use chat_core::client::{Conversation, Talk};
use chat_core::{ClientConfig, ClientEnd, ClientEvent};
use chat_proto::LeaveReason;

use super::link::Protocol;
use super::session::{ClientSession, SessionEnd};
use crate::limits::FRAMES_MAX;

#[derive(Debug)]
pub(super) struct Framed {
    conversation: Conversation,
    session: Option<ClientSession>,
    events: VecDeque<ClientEvent>,
    /// The server's goodbye.
    dismissed: Option<LeaveReason>,
    greeted: bool,
}

impl Framed {
    pub(super) fn new(config: &ClientConfig) -> Self {
        Self {
            conversation: Conversation::of(config),
            session: None,
            events: VecDeque::new(),
            dismissed: None,
            greeted: false,
        }
    }

    /// Moves frames between the session and the conversation.
    fn converse(&mut self, now: Instant) {
        let Some(session) = &mut self.session else { return };
        while self.events.len() < FRAMES_MAX
            && let Some(frame) = session.next_frame()
        {
            self.greeted = true;
            self.conversation.receive(frame, |event| match event {
                // Reported with the end of the session, which follows.
                ClientEvent::Dismissed(reason) => self.dismissed = Some(reason),
                event => self.events.push_back(event),
            });
        }
        while session.is_ready()
            && let Some(frame) = self.conversation.next_frame()
        {
            session.send(frame, now);
        }
    }
}

impl Protocol for Framed {
    fn begin(&mut self, now: Instant) {
        self.dismissed = None;
        self.greeted = false;
        self.session = Some(ClientSession::new(rand::random(), self.conversation.hello(), now));
    }

    fn receive(&mut self, bytes: &[u8], now: Instant) {
        if let Some(session) = &mut self.session {
            session.receive(bytes, now);
        }
        self.converse(now);
    }

    fn refused(&mut self) {
        self.session.iter_mut().for_each(ClientSession::refused);
    }

    fn transmit(&mut self, out: &mut Vec<u8>, now: Instant) -> bool {
        self.converse(now);
        self.session.as_mut().is_some_and(|session| session.transmit(out, now))
    }

    fn deadline(&self) -> Option<Instant> {
        self.session.as_ref().and_then(ClientSession::deadline)
    }

    fn next_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    fn talk(&mut self) -> &mut dyn Talk {
        &mut self.conversation
    }

    fn is_asked(&self) -> bool {
        true
    }

    fn is_heard(&self) -> bool {
        self.session.as_ref().is_some_and(ClientSession::is_heard)
    }

    fn answered(&self) -> Option<bool> {
        match self.session.as_ref().map(ClientSession::end) {
            _ if self.greeted => Some(true),
            // A room all the same.
            Some(Some(SessionEnd::OtherVersion { .. })) => Some(true),
            Some(None) => None,
            Some(Some(_)) | None => Some(false),
        }
    }

    fn end(&mut self) -> Option<Result<ClientEnd, io::Error>> {
        let end = self.session.as_ref().and_then(ClientSession::end)?.clone();
        if !self.events.is_empty() {
            return None;
        }
        self.session = None;
        if self.conversation.disconnected() {
            return Some(Ok(ClientEnd::Left));
        }
        Some(match (end, self.dismissed.take()) {
            (SessionEnd::Dismissed(reason), _) | (_, Some(reason)) => Ok(ClientEnd::Dismissed(reason)),
            (SessionEnd::Left, None) => Ok(ClientEnd::Left),
            (SessionEnd::OtherVersion { theirs }, None) => Ok(ClientEnd::OtherVersion { theirs }),
            (end @ SessionEnd::Unreachable, None) => Err(io::Error::new(ErrorKind::ConnectionRefused, end)),
            (end @ (SessionEnd::NoAnswer | SessionEnd::NoWelcome), None) => {
                Err(io::Error::new(ErrorKind::TimedOut, end))
            }
        })
    }
}
