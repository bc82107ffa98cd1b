//! Which datagram a session sends next.

use chat_core::LagPolicy;
use chat_core::transport::Format;
use chat_proto::limits::DATAGRAM_BYTES_MAX;
use chat_proto::{LeaveReason, PREFACE, RoomDatagram, SessionId};

use super::{Context, Opened, Session};
use crate::session::outgoing::Next;
use crate::session::phase::Phase;

impl Session {
    /// Writes the next datagram into `out`, which is empty; false if there is none.
    pub(crate) fn transmit(&mut self, cx: &Context<'_>, out: &mut Vec<u8>) -> bool {
        let (session, said) = (self.id, self.incoming.taken());
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
            Phase::Member | Phase::Draining | Phase::Quitting(_) => {}
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
        if matches!(self.phase, Phase::Quitting(head) if self.outgoing.acked().seq() >= head)
            && self.lane.is_none()
            && self.member.is_none_or(|member| cx.feed.attachment().is_answered(member))
        {
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
            Next::Lagged { missed, .. }
                if missed > 0 && cx.feed.config().lag_policy() == LagPolicy::Close =>
            {
                self.end(LeaveReason::Lagged, cx);
                return self.transmit(cx, out);
            }
            Next::Lagged { resume, slots, .. } => {
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
    use crate::session::outgoing::LAGGED_MORE_BYTES;

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
                let entries = entries_bytes_max(taken, slot) - LAGGED_MORE_BYTES;
                assert_eq!(datagram.len() + entries, DATAGRAM_BYTES_MAX, "{taken}, {slot}");
            }
        }
    }
}
