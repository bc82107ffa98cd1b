//! One framed peer's session at the server: a state machine without a socket.
//!
//! ```text
//!                hello with cookie          anything of the session
//!   (no state) -------------------> Opening -----------------------> Member
//!                                      |                               |  its Bye
//!                                      | 10 s                          +--------------> Gone --> (forgotten)
//!                                      v                               |                 ^  30 s
//!                                    Gone                              | ours            | its Bye, or 3 tries
//!                                                                      v                 |
//!                            Draining, once it has all messages ---> Leaving ------------+
//! ```
//! The endpoint checks addresses: datagrams that come in here are from the proven one.

pub(crate) mod acked_early;
mod catching_up;
pub(crate) mod direct_lane;
mod ending;
pub(crate) mod incoming;
pub(crate) mod outgoing;
pub(crate) mod pages;
pub(crate) mod phase;
mod receive;
mod transmit;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use chat_core::transport::{Cursor, Feed, Membership};
use chat_proto::{Direct, LeaveReason, SessionId, Welcome};

use crate::endpoint::cookie::MadeAt;
use crate::limits::{BYE_TRIES, LEASE, OPENING_TIMEOUT};
use crate::session::direct_lane::DirectLane;
use crate::session::incoming::Incoming;
use crate::session::outgoing::Outgoing;
use crate::session::pages::Past;
use crate::session::phase::{Opening, Phase};

/// The environment of a peer.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) feed: &'a Feed,
    pub(crate) now: Instant,
}

impl Context<'_> {
    fn count_missed(&self, messages: u64) {
        if messages > 0 {
            self.feed.attachment().count_missed(messages);
        }
    }
}

/// The hello that a session began with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened {
    pub(crate) nonce: u64,
    /// When its cookie was made: an older hello from the same address is a late copy.
    pub(crate) made_at: MadeAt,
}

/// The things to send besides entries.
#[derive(Clone, Copy, Debug, Default)]
struct Owed {
    welcome: bool,
    bye: bool,
    present: bool,
    ack: bool,
}

#[derive(Debug)]
pub(crate) struct Session {
    id: SessionId,
    address: SocketAddr,
    opened: Opened,
    /// None once the peer is no longer a member.
    member: Option<Membership>,
    phase: Phase,
    owed: Owed,
    heard: Instant,
    outgoing: Outgoing,
    incoming: Incoming,
    /// Items that are meant for this member alone; nothing while there are none.
    lane: Option<Box<DirectLane>>,
    /// Nothing for a session that was never behind the log.
    past: Option<Box<Past>>,
}

impl Session {
    /// The session of a peer that has joined and begins to read at `start`.
    pub(crate) fn new(
        id: SessionId,
        address: SocketAddr,
        opened: Opened,
        member: Membership,
        welcome: Welcome,
        start: Cursor,
        now: Instant,
    ) -> Self {
        let incoming = Incoming::new(welcome.taken.unwrap_or(0));
        let welcome = Box::new(welcome);
        Self {
            id,
            address,
            opened,
            member: Some(member),
            phase: Phase::Opening(Box::new(Opening { welcome, until: now + OPENING_TIMEOUT })),
            owed: Owed { welcome: true, ..Owed::default() },
            heard: now,
            outgoing: Outgoing::new(start),
            incoming,
            lane: None,
            past: None,
        }
    }

    pub(crate) fn id(&self) -> SessionId {
        self.id
    }

    pub(crate) fn opened(&self) -> Opened {
        self.opened
    }

    /// The address that is proven.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sequence number of the last message that it has acknowledged.
    pub(crate) fn acked_seq(&self) -> u64 {
        self.outgoing.acked().seq()
    }

    pub(crate) fn member(&self) -> Option<Membership> {
        self.member
    }

    /// Whether nothing is left to do but to say that it has ended, when the peer asks.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::Gone(_))
    }

    /// Whether it can be forgotten.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        matches!(&self.phase, Phase::Gone(gone) if gone.until <= now)
    }

    // ---- in ------------------------------------------------------------------------------------

    /// Its hello came again: it may not have got the welcome.
    pub(crate) fn hello_again(&mut self) {
        self.owed.welcome = matches!(self.phase, Phase::Opening(_));
    }

    fn lane_is_full(&self) -> bool {
        self.lane.as_ref().is_some_and(|lane| lane.is_full())
    }

    /// Something for this member alone.
    pub(crate) fn tell(&mut self, direct: Arc<Direct>) {
        self.lane.get_or_insert_default().push(direct);
    }

    /// The peer has proved that it is at `address` now.
    pub(crate) fn move_to(&mut self, address: SocketAddr, now: Instant) {
        self.address = address;
        self.heard = now;
        self.outgoing.path_changed();
        self.owed.ack = true;
    }

    // ---- time ----------------------------------------------------------------------------------

    /// When to call [`on_deadline`](Self::on_deadline) next.
    pub(crate) fn deadline(&self) -> Instant {
        match &self.phase {
            Phase::Opening(opening) => opening.until,
            Phase::Gone(gone) => gone.until,
            Phase::Leaving(leaving) => leaving.next,
            Phase::Member | Phase::Draining | Phase::Quitting(_) => {
                let lane = self.lane.as_ref().and_then(|lane| lane.deadline());
                let held = self.incoming.deadline().filter(|_| !self.lane_is_full());
                let due = [self.outgoing.deadline(), held, lane];
                due.into_iter().flatten().chain([self.heard + LEASE]).min().unwrap_or(self.heard)
            }
        }
    }

    /// Does what is due at `cx.now`.
    pub(crate) fn on_deadline(&mut self, cx: &Context<'_>) {
        match &mut self.phase {
            Phase::Opening(opening) if opening.until <= cx.now => {
                self.leave(LeaveReason::Lost, cx);
                self.phase = Phase::gone(LeaveReason::Lost, cx.now);
            }
            Phase::Member | Phase::Draining | Phase::Quitting(_) if self.heard + LEASE <= cx.now => {
                self.end(LeaveReason::Idle, cx);
            }
            Phase::Member | Phase::Draining | Phase::Quitting(_) => {
                self.outgoing.on_deadline(cx.now);
                if self.lane.as_mut().is_some_and(|lane| lane.on_deadline(cx.now)) {
                    self.outgoing.rtt().back_off();
                }
                let taken = self.incoming.taken();
                if let Some(member) = self.member.filter(|_| !self.lane_is_full())
                    && self.incoming.say_held(member, cx.feed.attachment(), cx.now)
                {
                    self.quit(cx);
                }
                self.owed.ack |= self.incoming.taken() > taken;
            }
            Phase::Leaving(leaving) if leaving.next <= cx.now => {
                self.outgoing.rtt().back_off();
                if leaving.tries < BYE_TRIES {
                    leaving.tries += 1;
                    leaving.next = cx.now + self.outgoing.rtt().timeout();
                    self.owed.bye = true;
                } else {
                    self.phase = Phase::gone(leaving.reason.clone(), cx.now);
                }
            }
            Phase::Opening(_) | Phase::Leaving(_) | Phase::Gone(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_takes_a_few_hundred_bytes() {
        assert!(size_of::<Session>() <= 296, "{}", size_of::<Session>());
    }
}
