//! What a client's session does with the datagrams of the server.

use std::time::Instant;

use chat_proto::{DatagramError, RoomDatagram, RoomFrame, SessionId, Welcome};

use super::super::incoming::{Arrival, Incoming, LaggedFields};
use super::{Asked, ClientSession, Phase, SessionEnd};
use crate::limits::{ACK_DELAY, ACK_EVERY, ACK_EVERY_STEADY, FRAMES_MAX, HELLO_INTERVAL, STEADY_AFTER};

impl ClientSession {
    /// The system says that nobody listens at the server's address.
    pub fn refused(&mut self) {
        if !matches!(self.phase, Phase::Ended | Phase::Dismissed { .. }) {
            let left = matches!(self.phase, Phase::Leaving { .. });
            self.end_with(if left { SessionEnd::Left } else { SessionEnd::Unreachable });
        }
    }

    /// Processes a datagram from the server's address. An invalid one is ignored.
    pub fn receive(&mut self, bytes: &[u8], now: Instant) {
        let datagram = match RoomDatagram::decode(bytes) {
            Ok(datagram) => datagram,
            Err(error) => return self.receive_unknown(error),
        };
        match self.phase {
            Phase::Greeting { .. } => self.receive_answer(datagram, now),
            Phase::Live { session } => self.receive_live(datagram, session, now),
            Phase::Leaving { session, .. } => match datagram {
                RoomDatagram::Bye { session: id, .. } if id == session => self.end_with(SessionEnd::Left),
                _ => {}
            },
            Phase::Dismissed { .. } | Phase::Ended => {}
        }
    }

    fn receive_unknown(&mut self, error: DatagramError) {
        match (error, self.phase) {
            (DatagramError::Version { version: theirs, nonce }, Phase::Greeting { .. })
                if nonce == Some(self.nonce) =>
            {
                self.end_with(SessionEnd::OtherVersion { theirs });
            }
            (DatagramError::Unknown { kind }, Phase::Live { .. }) if self.frames.len() < FRAMES_MAX => {
                self.frames.push_back(RoomFrame::Unknown { kind });
            }
            _ => {}
        }
    }

    fn receive_answer(&mut self, datagram: RoomDatagram<'_>, now: Instant) {
        match datagram {
            // Every hello without the cookie has its retry; only a new one is of use.
            RoomDatagram::Retry { nonce, cookie } if nonce == self.nonce && self.cookie != Some(cookie) => {
                self.measure_hello(now);
                // The first one is answered at once. A server that sends one after the other, or two servers
                // behind one address that do not know each other's cookies, get a hello per second, and only as
                // long as one that is silent: this does not count as heard.
                if self.cookie.replace(cookie).is_none() {
                    self.phase = Phase::Greeting { tries: 0, at: now };
                }
            }
            RoomDatagram::Welcome { nonce, session, slot, seq, welcome } if nonce == self.nonce => {
                self.measure_hello(now);
                self.heard(now);
                self.welcomed(session, slot, seq, welcome, now);
            }
            RoomDatagram::Refused { nonce, reason } if nonce == self.nonce => self.dismissed(reason),
            _ => {}
        }
    }

    fn welcomed(&mut self, session: SessionId, slot: u64, seq: u64, welcome: Box<Welcome>, now: Instant) {
        self.phase = Phase::Live { session };
        let direct = self.hello.resume.filter(|_| welcome.resumed).map_or(0, |resume| resume.direct);
        self.incoming = Incoming::new(slot, seq, direct);
        self.frames.push_back(RoomFrame::Welcome(welcome));
        // The server begins once it knows that the welcome has arrived; its answer shows that it knows.
        self.ping_at = Some(now);
    }

    fn receive_live(&mut self, datagram: RoomDatagram<'_>, session: SessionId, now: Instant) {
        match datagram {
            RoomDatagram::Entries { session: id, taken, slot, entries } if id == session => {
                self.heard(now);
                self.said(taken, now);
                self.entries(slot, entries, now);
            }
            RoomDatagram::Lagged { session: id, taken, slot, seq, head, entries } if id == session => {
                self.heard(now);
                self.said(taken, now);
                self.incoming.lagged(LaggedFields { slot, seq, taken, head }, &mut self.frames);
                self.entries(slot, entries, now);
                self.ack_at = Some(now);
            }
            RoomDatagram::Direct { session: id, after, items } if id == session => {
                self.heard(now);
                let before = self.frames.len();
                self.incoming.items(after, items, &mut self.frames);
                let is_answered = |asked: &mut Asked| {
                    self.frames.iter().skip(before).any(|frame| asked.is_answered_by(frame))
                };
                self.question.take_if(is_answered);
                self.ack_at = Some(now);
            }
            RoomDatagram::Present { session: id, present } if id == session => {
                self.heard(now);
                if self.who_at.take().is_some() {
                    self.frames.push_back(RoomFrame::Present(present));
                }
            }
            RoomDatagram::Bye { session: id, reason } if id == session => {
                self.dismissed(reason);
                self.phase = Phase::Dismissed { session };
            }
            // No session in it: that this address proves itself harms nobody.
            RoomDatagram::Challenge { cookie } => self.challenge = Some(cookie),
            // The server does not know yet that the welcome arrived; the next ping will tell it.
            _ => {}
        }
    }

    fn said(&mut self, said: u64, now: Instant) {
        self.outgoing.said(said, now);
        if self.outgoing.is_empty() {
            self.outgoing.rtt().answered();
        }
    }

    fn entries(&mut self, slot: u64, entries: &[u8], now: Instant) {
        match self.incoming.entries(slot, entries, &mut self.frames) {
            Arrival::Nothing => return,
            Arrival::OutOfOrder => {
                self.in_order = 0;
                self.ack_at = Some(now);
            }
            Arrival::InOrder => self.in_order = self.in_order.saturating_add(1),
        }
        self.unacked += 1;
        let every = if self.in_order >= STEADY_AFTER { ACK_EVERY_STEADY } else { ACK_EVERY };
        let soon = if self.unacked >= every { now } else { now + ACK_DELAY };
        self.ack_at = Some(self.ack_at.map_or(soon, |at| at.min(soon)));
    }

    fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.unanswered_since = None;
        self.ping_at = None;
    }

    /// The answer to a hello arrived; if the hello was sent once, this measures the path.
    fn measure_hello(&mut self, now: Instant) {
        if let Phase::Greeting { tries: 1, at } = self.phase {
            let sent_at = at - HELLO_INTERVAL;
            self.outgoing.rtt().measure(now.saturating_duration_since(sent_at));
        }
    }
}
