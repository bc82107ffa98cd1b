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
//!
//! Addresses are the endpoint's business: what comes in here is from the proven one.

mod ending;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use chat_core::{CaughtUp, Cursor, Feed, Format, LagPolicy, Membership, Pending};
use chat_proto::limits::DATAGRAM_BYTES_MAX;
use chat_proto::{
    Ack, Direct, LeaveReason, MemberDatagram, PREFACE, RoomDatagram, SessionId, Traffic, Welcome,
};

use crate::cookie::Baked;
use crate::inbox::Inbox;
use crate::lane::Lane;
use crate::limits::{BYE_TRIES, LEASE, OPENING_TIMEOUT};
use crate::outgoing::{Next, Outgoing};
use crate::past::Past;
use crate::phase::{Opening, Phase};

/// What a peer works with, besides itself.
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
    pub(crate) baked: Baked,
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
    /// None once the peer is no member any more.
    member: Option<Membership>,
    phase: Phase,
    owed: Owed,
    heard: Instant,
    outgoing: Outgoing,
    inbox: Inbox,
    /// Items that are meant for this member alone; nothing while there are none.
    lane: Option<Box<Lane>>,
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
        let inbox = Inbox::new(welcome.taken.unwrap_or(0));
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
            inbox,
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

    /// Takes in a datagram of this session, from its address.
    pub(crate) fn receive(&mut self, datagram: MemberDatagram, cx: &Context<'_>) {
        let is_bye = matches!(datagram, MemberDatagram::Bye { .. });
        match &self.phase {
            Phase::Opening(_) => {
                self.phase = Phase::Member;
                if let Some(member) = self.member {
                    cx.feed.attachment().set_unanswered(member, false);
                }
            }
            Phase::Member | Phase::Draining | Phase::Quitting => {}
            Phase::Leaving(leaving) if is_bye => {
                self.phase = Phase::gone(leaving.reason.clone(), cx.now);
                self.owed.bye = false; // this is its answer to ours
                return;
            }
            Phase::Leaving(_) | Phase::Gone(_) => {
                self.owed.bye = true;
                return;
            }
        }
        self.heard = cx.now;
        match datagram {
            MemberDatagram::Traffic { traffic, .. } => self.traffic(traffic, cx),
            MemberDatagram::Who { .. } => self.owed.present = true,
            MemberDatagram::LookBack { number, question, .. } => {
                self.owed.ack = true;
                if let (Some(member), Phase::Member, false) = (self.member, &self.phase, self.lane_is_full())
                {
                    self.inbox.ask(number, question, member, cx.feed.attachment(), cx.now);
                }
            }
            MemberDatagram::Bye { .. } => {
                let reason = self.leave(LeaveReason::Quit, cx);
                self.phase = Phase::gone(reason, cx.now);
                self.owed.bye = true;
            }
            MemberDatagram::Hello { .. } | MemberDatagram::Path { .. } => {}
        }
    }

    fn traffic(&mut self, traffic: Traffic, cx: &Context<'_>) {
        let Traffic { ping, ack, direct, settled, first, says } = traffic;
        self.owed.ack |= ping || !says.is_empty();
        self.acknowledged(&ack, cx);
        let Some(member) = self.member else { return };
        if self.lane.as_mut().is_some_and(|lane| lane.acknowledged(direct)) {
            cx.feed.attachment().got(member, direct);
            self.outgoing.rtt().answered();
            self.lane.take_if(|lane| lane.is_empty());
        }
        if matches!(self.phase, Phase::Member) {
            self.inbox.settle(settled);
            // What is not taken now is said again.
            if !self.lane_is_full() && self.inbox.receive(first, says, member, cx.feed.attachment(), cx.now) {
                self.quit();
            }
        }
    }

    fn acknowledged(&mut self, ack: &Ack, cx: &Context<'_>) {
        let shared = cx.feed.log(Format::Framed);
        let Some(past) = &mut self.past else {
            return cx.count_missed(self.outgoing.acknowledged(ack, shared, cx.now));
        };
        let Some(ack) = past.ack(ack, self.outgoing.acked().slot()) else { return };
        let log = past.log().unwrap_or(shared);
        cx.count_missed(self.outgoing.acknowledged(&ack, log, cx.now));
        if past.log().is_some_and(|page| self.outgoing.has_all_messages(page)) {
            let begin = shared.after(self.outgoing.acked().seq());
            past.read_shared(begin, self.outgoing.unused());
            self.outgoing.go_on_at(begin);
        }
    }

    /// The message after which a page of the room's journal is to be asked for.
    pub(crate) fn take_wish(&mut self) -> Option<u64> {
        let wants = self.past.as_mut().is_some_and(|past| past.take_wish());
        wants.then(|| self.outgoing.acked().seq())
    }

    /// The page that was asked for. Messages that the shared log has come from there.
    pub(crate) fn catch_up(&mut self, caught_up: CaughtUp, cx: &Context<'_>) {
        let Some(past) = &mut self.past else { return };
        let CaughtUp { after, page, .. } = caught_up;
        if after != self.outgoing.acked().seq() || past.log().is_some() {
            return past.has_come(); // it had acknowledged more when the page came
        }
        let tail = cx.feed.log(Format::Framed).tail_seq();
        let mut messages = page.map(|page| page.messages).unwrap_or_default();
        messages.retain(|kept| kept.seq <= tail);
        let Some(first) = messages.first().map(|kept| kept.seq) else { return past.gives_up() };
        cx.count_missed(first - 1 - after); // retention has deleted them
        let began_unix_ms = cx.feed.began_unix_ms();
        let entries = messages.into_iter().map(|kept| kept.into_entry(began_unix_ms));
        let begin = past.read(first - 1, entries, self.outgoing.unused());
        self.outgoing.go_on_at(begin);
    }

    /// Whether it must wait for a page of the room's journal, because the shared log no longer has what it lacks.
    fn is_behind(&mut self, cx: &Context<'_>) -> bool {
        if !cx.feed.attachment().has_journal() || self.past.as_ref().is_some_and(|past| past.log().is_some())
        {
            return false;
        }
        let shared = cx.feed.log(Format::Framed);
        let is_behind = matches!(shared.pending(self.outgoing.acked()), Pending::Lagged { missed: 1.., .. });
        match &mut self.past {
            Some(past) if !is_behind => past.has_come(),
            _ => {}
        }
        is_behind && self.past.get_or_insert_default().waits()
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

    // ---- out -----------------------------------------------------------------------------------

    /// Writes the next datagram into `out`, which is empty; false if there is none.
    pub(crate) fn transmit(&mut self, cx: &Context<'_>, out: &mut Vec<u8>) -> bool {
        let (session, said) = (self.id, self.inbox.taken());
        let taken = self.member.map_or(said, |member| cx.feed.attachment().taken_of(member, said));
        if let (Phase::Opening(opening), true) = (&self.phase, self.owed.welcome) {
            self.owed.welcome = false;
            let Opened { nonce, .. } = self.opened;
            let start = self.outgoing.acked();
            let (slot, seq, welcome) = (start.slot(), start.seq(), opening.welcome.clone());
            RoomDatagram::Welcome { nonce, session, slot, seq, welcome }.encode(out);
            return true;
        }
        match &self.phase {
            Phase::Leaving(leaving) => return self.transmit_bye(leaving.reason.clone(), out),
            Phase::Gone(gone) => return self.transmit_bye(gone.reason.clone(), out),
            Phase::Opening(_) => return false,
            Phase::Member | Phase::Draining | Phase::Quitting => {}
        }
        if std::mem::take(&mut self.owed.present) {
            RoomDatagram::Present { session, present: cx.feed.attachment().room().present() }.encode(out);
            return true;
        }
        let timeout = cx.now + self.outgoing.rtt().timeout();
        if self.lane.as_mut().is_some_and(|lane| lane.transmit(session, timeout, out)) {
            return true;
        }
        let is_behind = self.is_behind(cx);
        let log = self.past.as_ref().and_then(|past| past.log()).unwrap_or(cx.feed.log(Format::Framed));
        let wire = |slot: u64| self.past.as_ref().map_or(slot, |past| past.wire(slot));
        // The farewell is the last message. Leaves follow it: a wait for an acknowledgement of those, too,
        // would take one more round trip each time another member leaves.
        let is_page = self.past.as_ref().is_some_and(|past| past.log().is_some());
        let has_all = !is_page && !is_behind && self.outgoing.has_all_messages(log) && self.lane.is_none();
        if matches!(self.phase, Phase::Draining) && has_all {
            self.end(LeaveReason::Stopping, cx);
            return self.transmit(cx, out);
        }
        if matches!(self.phase, Phase::Quitting) && self.lane.is_none() {
            self.end(LeaveReason::Quit, cx);
            return self.transmit(cx, out);
        }
        let head_slot = wire(log.head().slot());
        let bytes_max = entries_bytes_max(taken, head_slot);
        let next = if is_behind { Next::Nothing } else { self.outgoing.next(log, bytes_max, cx.now) };
        match next {
            Next::Entries(slots) => {
                let slot = wire(slots.start);
                RoomDatagram::Entries { session, taken, slot, entries: &[] }.encode(out);
                append(log.batch(slots, bytes_max), out);
            }
            Next::Skip { missed, .. } if missed > 0 && cx.feed.config().lag_policy == LagPolicy::Close => {
                self.end(LeaveReason::Lagged, cx);
                return self.transmit(cx, out);
            }
            Next::Skip { resume, slots, .. } => {
                let head =
                    self.member.map(|member| cx.feed.attachment().taken(member).head).unwrap_or_default();
                let (slot, seq) = (wire(resume.slot()), resume.seq());
                RoomDatagram::Lagged { session, taken, slot, seq, head, entries: &[] }.encode(out);
                append(log.batch(slots, bytes_max), out);
            }
            Next::Nothing if self.owed.ack => {
                RoomDatagram::Entries { session, taken, slot: head_slot, entries: &[] }.encode(out);
            }
            Next::Nothing => return false,
        }
        self.owed.ack = false;
        true
    }

    fn transmit_bye(&mut self, reason: LeaveReason, out: &mut Vec<u8>) -> bool {
        if self.owed.bye {
            RoomDatagram::Bye { session: self.id, reason }.encode(out);
        }
        std::mem::take(&mut self.owed.bye)
    }

    // ---- time ----------------------------------------------------------------------------------

    /// When to call [`on_deadline`](Self::on_deadline) next.
    pub(crate) fn deadline(&self) -> Instant {
        match &self.phase {
            Phase::Opening(opening) => opening.until,
            Phase::Gone(gone) => gone.until,
            Phase::Leaving(leaving) => leaving.next,
            Phase::Member | Phase::Draining | Phase::Quitting => {
                let lane = self.lane.as_ref().and_then(|lane| lane.deadline());
                let held = self.inbox.deadline().filter(|_| !self.lane_is_full());
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
            Phase::Member | Phase::Draining | Phase::Quitting if self.heard + LEASE <= cx.now => {
                self.end(LeaveReason::Idle, cx);
            }
            Phase::Member | Phase::Draining | Phase::Quitting => {
                self.outgoing.on_deadline(cx.now);
                if self.lane.as_mut().is_some_and(|lane| lane.on_deadline(cx.now)) {
                    self.outgoing.rtt().back_off();
                }
                let taken = self.inbox.taken();
                if let Some(member) = self.member.filter(|_| !self.lane_is_full())
                    && self.inbox.say_held(member, cx.feed.attachment(), cx.now)
                {
                    self.quit();
                }
                self.owed.ack |= self.inbox.taken() > taken;
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

/// Bytes of entries in one datagram: what its header leaves, with these numbers or smaller ones. Were each number
/// given its greatest length, many a datagram would go out with one entry less.
fn entries_bytes_max(taken: u64, slot: u64) -> usize {
    let number_bytes = |number: u64| match number {
        0..251 => 1,
        251..0x1_0000 => 3,
        0x1_0000..0x1_0000_0000 => 5,
        _ => 9,
    };
    DATAGRAM_BYTES_MAX
        - (PREFACE.len() + 1 + size_of::<SessionId>() + number_bytes(taken) + number_bytes(slot))
}

fn append((_, a, b): (u64, &[u8], &[u8]), out: &mut Vec<u8>) {
    out.extend_from_slice(a);
    out.extend_from_slice(b);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outgoing::SKIP_MORE_BYTES;

    #[test]
    fn entries_fill_a_datagram_to_the_last_byte() {
        for number in [0, 250, 251, u64::from(u16::MAX), 1 << 16, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            for (taken, slot) in [(number, 0), (0, number), (number, number)] {
                let mut datagram = Vec::new();
                let session = SessionId::new(u64::MAX);
                RoomDatagram::Entries { session, taken, slot, entries: &[] }.encode(&mut datagram);
                assert_eq!(
                    datagram.len() + entries_bytes_max(taken, slot),
                    DATAGRAM_BYTES_MAX,
                    "{taken}, {slot}"
                );
                datagram.clear();
                let (seq, head) = (u64::MAX, u64::MAX);
                RoomDatagram::Lagged { session, taken, slot, seq, head, entries: &[] }.encode(&mut datagram);
                let entries = entries_bytes_max(taken, slot) - SKIP_MORE_BYTES;
                assert_eq!(datagram.len() + entries, DATAGRAM_BYTES_MAX, "{taken}, {slot}");
            }
        }
    }

    #[test]
    fn a_session_takes_a_few_hundred_bytes() {
        assert!(size_of::<Session>() <= 296, "{}", size_of::<Session>());
    }
}
