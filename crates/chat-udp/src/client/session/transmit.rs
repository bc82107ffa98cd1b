//! Which datagram a client's session sends next.

use std::time::Instant;

use chat_proto::{MemberDatagram, SessionId, Traffic};

use super::{Asked, ClientSession, Phase};
use crate::limits::HELLO_INTERVAL;

impl ClientSession {
    /// Writes the next datagram into `out`, whose content is replaced; false if there is none for now.
    ///
    /// Call it, until it has none, after [`receive`](Self::receive), after [`send`](Self::send), and when
    /// [`deadline`](Self::deadline) has come. Give everything that has arrived to [`receive`](Self::receive) first: if
    /// an answer is overdue, the session ends here.
    pub fn transmit(&mut self, out: &mut Vec<u8>, now: Instant) -> bool {
        out.clear();
        self.expire(now);
        match self.phase {
            Phase::Greeting { tries, at } => {
                if at <= now {
                    self.phase = Phase::Greeting { tries: tries + 1, at: now + HELLO_INTERVAL };
                    self.expects_answer(now);
                    let (nonce, cookie, hello) = (self.nonce, self.cookie, self.hello.clone());
                    MemberDatagram::Hello { nonce, cookie, hello }.encode(out);
                }
            }
            Phase::Live { session } => self.transmit_live(session, out, now),
            Phase::Leaving { session, tries, at } => {
                if at <= now {
                    let next = now + self.outgoing.rtt().timeout();
                    self.outgoing.rtt().back_off();
                    self.phase = Phase::Leaving { session, tries: tries + 1, at: next };
                    MemberDatagram::Bye { session }.encode(out);
                }
            }
            Phase::Dismissed { session } => {
                self.phase = Phase::Ended;
                MemberDatagram::Bye { session }.encode(out);
            }
            Phase::Ended => {}
        }
        !out.is_empty()
    }

    fn transmit_live(&mut self, session: SessionId, out: &mut Vec<u8>, now: Instant) {
        if let Some(cookie) = self.challenge.take() {
            return MemberDatagram::Path { session, cookie }.encode(out);
        }
        if self.who_at.is_some_and(|at| at <= now) {
            self.who_at = Some(now + self.wait_longer());
            self.expects_answer(now);
            return MemberDatagram::Who { session }.encode(out);
        }
        if self.question.as_ref().is_some_and(|asked| asked.at <= now) {
            let again_at = now + self.wait_longer();
            self.expects_answer(now);
            if let Some(Asked { number, question, at }) = &mut self.question {
                *at = again_at;
                let (number, question) = (*number, question.clone());
                return MemberDatagram::LookBack { session, number, question }.encode(out);
            }
        }
        let (first, says) = self.outgoing.next(now);
        let ping = self.ping_at.is_some_and(|at| at <= now);
        if says.is_empty() && !ping && self.ack_at.is_none_or(|at| at > now) {
            return;
        }
        if ping {
            self.ping_at = Some(now + self.wait_longer());
        }
        if ping || !says.is_empty() {
            self.expects_answer(now);
        }
        (self.unacked, self.ack_at) = (0, None);
        let (direct, settled) = (self.incoming.direct(), self.outgoing.settled());
        let traffic = Traffic { ping, ack: self.incoming.ack(), direct, settled, first, says };
        MemberDatagram::Traffic { session, traffic }.encode(out);
    }

    /// How long to wait for an answer; the next time longer.
    fn wait_longer(&mut self) -> std::time::Duration {
        let wait = self.outgoing.rtt().timeout();
        self.outgoing.rtt().back_off();
        wait
    }

    fn expects_answer(&mut self, now: Instant) {
        self.unanswered_since.get_or_insert(now);
    }
}
