//! The pending output of a framed member: the log from its cursor on, until it has acknowledged it.
//!
//! ```text
//!         tail            acked                    sent           head
//!   log    | entry entry | entry entry entry entry | entry entry | |
//!                          \__ on their way _____/   not sent yet
//!                              beyond: those of them that it already has
//! ```
//!
//! The log is the retransmission buffer; nothing is kept per datagram. Entries are sent again in three
//! cases: the member lacks them although it has later ones (after a short wait, because the network may only have
//! reordered them); it still lacks them after another round trip; or a timeout passes without any answer,
//! which covers the last datagram, too. When the log's tail has passed the entries that the member lacks, the member
//! is told to go on at the tail, repeatedly until it acknowledges that.

use std::ops::Range;
use std::time::Instant;

use chat_core::transport::{Cursor, EncodedLog, Pending};
use chat_proto::Ack;
use chat_proto::limits::SLOTS_AHEAD_MAX;

use crate::limits::REORDER_DELAY_MIN;
use crate::rtt::Rtt;
use crate::session::acked_early::AckedEarly;
use crate::window::Window;

/// The header of a `Lagged` datagram is at most this much longer than that of entries: by two numbers.
pub(crate) const LAGGED_MORE_BYTES: usize = 2 * 9;

/// The next thing to send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Nothing,
    /// These entries.
    Entries(Range<u64>),
    /// The instruction to go on at this cursor, and these entries from there on. As far as we know,
    /// the member misses this many messages.
    Lagged {
        resume: Cursor,
        missed: u64,
        slots: Range<u64>,
    },
}

/// The sending half of a session.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// The member has everything before this cursor.
    acked: Cursor,
    /// The first slot that was never sent.
    sent: u64,
    /// The entries that the member has beyond `acked`, counted from there.
    beyond: AckedEarly,
    /// Slots to send again, except those that the member has.
    resend: Range<u64>,
    /// Where the member was told to go on after it lagged. Rare, and so behind a pointer.
    lagged: Option<Box<Cursor>>,
    /// The member was told that it lagged, or to go on in another log, and its answer is not overdue.
    lagged_on_its_way: bool,
    /// It goes on in another log, at `acked`, and must be told so.
    goes_on: bool,
    /// A slot whose acknowledgement is timed: it was sent once.
    timed: Option<(u64, Instant)>,
    rtt: Rtt,
    window: Window,
    /// The window was halved for a loss before this slot.
    recovering_until: u64,
    /// When everything on its way counts as lost.
    timeout: Option<Instant>,
    /// When the entries that the member lacks before one that it has count as lost.
    gap_timeout: Option<Instant>,
}

impl Outgoing {
    pub(crate) fn new(start: Cursor) -> Self {
        Self {
            acked: start,
            sent: start.slot(),
            beyond: AckedEarly::default(),
            resend: 0..0,
            lagged: None,
            lagged_on_its_way: false,
            goes_on: false,
            timed: None,
            rtt: Rtt::default(),
            window: Window::default(),
            recovering_until: 0,
            timeout: None,
            gap_timeout: None,
        }
    }

    /// The member has everything before it; at first it is where the member begins.
    pub(crate) fn acked(&self) -> Cursor {
        self.acked
    }

    /// Whether the peer has acknowledged every message in the log, or was told that it missed them. Joins and leaves
    /// after the last message do not count.
    pub(crate) fn has_all_messages(&self, log: &EncodedLog) -> bool {
        self.acked.seq() == log.seq()
    }

    /// A slot beyond all that was sent, and beyond what the member may expect next.
    pub(crate) fn unused(&self) -> u64 {
        self.sent + 1
    }

    /// Goes on in another log, at this cursor. The member gets all entries of the old one after `acked` again.
    pub(crate) fn go_on_at(&mut self, cursor: Cursor) {
        let (rtt, window) = (std::mem::take(&mut self.rtt), std::mem::take(&mut self.window));
        *self = Self { rtt, window, goes_on: true, ..Self::new(cursor) };
    }

    /// The round-trip time of its path, from which follows how long to wait for an answer.
    pub(crate) fn rtt(&mut self) -> &mut Rtt {
        &mut self.rtt
    }

    /// The next thing to send, with at most `bytes_max` bytes of entries, fewer in a `Lagged` datagram. It counts as
    /// sent.
    pub(crate) fn next(&mut self, log: &EncodedLog, bytes_max: usize, now: Instant) -> Next {
        let lagged = match log.pending(self.acked) {
            Pending::Lagged { missed, resume } => Some((resume, missed)),
            _ => self.goes_on.then_some((self.acked, 0)),
        };
        if let Some((resume, missed)) = lagged {
            if self.lagged_on_its_way {
                return Next::Nothing;
            }
            let slots = self.begin_lagged(resume, log, bytes_max, now);
            return Next::Lagged { resume, missed, slots };
        }
        if !self.window.has_room(self.in_flight(log)) {
            return Next::Nothing;
        }
        let slots = match self.take_resend(log, bytes_max) {
            Some(slots) => {
                // Entries that are sent again get the whole timeout.
                self.timeout = Some(now + self.rtt.timeout());
                slots
            }
            None => {
                let window_end = self.acked.slot().saturating_add(SLOTS_AHEAD_MAX);
                let (end, ..) = log.batch(self.sent..window_end, bytes_max);
                let slots = self.sent..end;
                if slots.is_empty() {
                    return Next::Nothing;
                }
                self.sent = end;
                self.timed.get_or_insert((end - 1, now));
                slots
            }
        };
        self.timeout.get_or_insert(now + self.rtt.timeout());
        Next::Entries(slots)
    }

    fn take_resend(&mut self, log: &EncodedLog, bytes_max: usize) -> Option<Range<u64>> {
        let base = self.acked.slot();
        let has = |slot: &u64| self.beyond.contains(slot - base);
        let first = (self.resend.start.max(base)..self.resend.end).find(|slot| !has(slot));
        let Some(first) = first else {
            self.resend = 0..0;
            return None;
        };
        let gap_end = (first..self.resend.end).find(has).unwrap_or(self.resend.end);
        let (end, ..) = log.batch(first..gap_end, bytes_max);
        self.resend.start = end;
        if self.timed.is_some_and(|(slot, _)| slot < end) {
            self.timed = None; // its acknowledgement may be for either copy
        }
        (first < end).then_some(first..end)
    }

    fn begin_lagged(
        &mut self,
        resume: Cursor,
        log: &EncodedLog,
        bytes_max: usize,
        now: Instant,
    ) -> Range<u64> {
        let from = resume.slot();
        let (end, ..) = log.batch(from..from + SLOTS_AHEAD_MAX, bytes_max - LAGGED_MORE_BYTES);
        // The entries sent beyond that may or may not have arrived; the member's acknowledgement will say.
        self.sent = self.sent.max(end);
        self.resend = end..self.sent;
        self.beyond = AckedEarly::default();
        self.gap_timeout = None;
        self.timed = None;
        self.lagged = Some(Box::new(resume));
        self.lagged_on_its_way = true;
        self.timeout = Some(now + self.rtt.timeout());
        from..end
    }

    /// Takes an acknowledgement of the member. Returns how many messages it has missed for good.
    pub(crate) fn acknowledged(&mut self, ack: &Ack, log: &EncodedLog, now: Instant) -> u64 {
        let last = ack.beyond.last().map_or(ack.next, |last| ack.next.saturating_add(last + 1));
        if ack.next < self.acked.slot() || last > self.sent {
            return 0; // an old one, or one for entries that the member cannot have
        }
        let went_on = self.lagged.as_deref().copied().filter(|lagged| lagged.slot() <= ack.next);
        // Unless the log's tail has passed the member in the meantime, its cursor is where it says.
        let Some(reached) = log.at_slot(ack.next).or(went_on) else { return 0 };
        let missed = went_on.map_or(0, |lagged| lagged.seq() - self.acked.seq());
        if went_on.is_some() {
            self.lagged = None;
            self.lagged_on_its_way = false;
            self.goes_on = false;
        }
        let lacked = self.bytes_lacked(self.acked.slot()..self.sent, log);
        self.beyond.shift(reached.slot() - self.acked.slot());
        self.acked = reached;
        if reached.slot() == ack.next {
            self.beyond.union(&ack.beyond);
        }
        let arrived = lacked.saturating_sub(self.bytes_lacked(self.acked.slot()..self.sent, log));
        self.measure(now);
        if arrived > 0 || went_on.is_some() {
            self.rtt.answered();
            self.window.arrived(arrived);
            self.timeout = Some(now + self.rtt.timeout());
        }
        if self.acked.slot() == self.sent {
            self.timeout = None;
        }
        if self.beyond.is_empty() {
            self.gap_timeout = None;
        } else if self.gap_timeout.is_none() {
            let wait = self.rtt.smoothed().map_or(REORDER_DELAY_MIN, |smoothed| smoothed / 4);
            self.gap_timeout = Some(now + wait.max(REORDER_DELAY_MIN));
        }
        missed
    }

    fn measure(&mut self, now: Instant) {
        let Some((slot, sent_at)) = self.timed else { return };
        let base = self.acked.slot();
        if slot < base || self.beyond.contains(slot - base) {
            self.rtt.measure(now.saturating_duration_since(sent_at));
            self.timed = None;
        }
    }

    /// When to call [`on_deadline`](Self::on_deadline).
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timeout.into_iter().chain(self.gap_timeout).min()
    }

    /// Does the work that is due: entries that count as lost are queued for resending.
    pub(crate) fn on_deadline(&mut self, now: Instant) {
        if self.timeout.is_some_and(|at| at <= now) {
            self.rtt.back_off();
            self.window.timed_out();
            self.lagged_on_its_way = false;
            self.resend_up_to(self.sent, now);
            self.timeout = None; // set with the first datagram of it
        } else if self.gap_timeout.is_some_and(|at| at <= now) {
            if self.acked.slot() >= self.recovering_until {
                self.window.lost();
            }
            let last = self.beyond.last().unwrap_or(0);
            self.resend_up_to(self.acked.slot() + last, now);
        }
    }

    fn resend_up_to(&mut self, end: u64, now: Instant) {
        // Slots that still wait for resending after a timeout stay queued.
        let end = if self.resend.is_empty() { end } else { end.max(self.resend.end) };
        self.resend = self.acked.slot()..end;
        self.recovering_until = self.sent;
        self.timed = None;
        // An entry that is lost again is sent again after another round trip.
        self.gap_timeout = self.gap_timeout.map(|_| now + self.rtt.timeout_once());
    }

    /// Goes on over another path, whose properties are unknown.
    pub(crate) fn path_changed(&mut self) {
        self.rtt = Rtt::default();
        self.window = Window::default();
        self.timed = None;
    }

    /// Bytes that are on their way, as far as we know.
    fn in_flight(&self, log: &EncodedLog) -> usize {
        let base = self.acked.slot();
        let lost = self.resend.start.max(base)..self.resend.end;
        self.bytes_lacked(base..self.sent, log) - self.bytes_lacked(lost, log)
    }

    /// Bytes of the slots that the member lacks.
    fn bytes_lacked(&self, slots: Range<u64>, log: &EncodedLog) -> usize {
        let bytes = log.bytes_in(slots.clone());
        if bytes == 0 || self.beyond.is_empty() {
            return bytes;
        }
        let base = self.acked.slot();
        let has = self.beyond.iter().map(|offset| base + offset).filter(|slot| slots.contains(slot));
        bytes - has.map(|slot| log.bytes_in(slot..slot + 1)).sum::<usize>()
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "one range is what is meant")]
mod tests {
    use std::time::Duration;

    use chat_proto::{Author, Entry, Event, Origin, SlotSet, Text};

    use super::*;
    use crate::limits::RTO_BACKED_OFF_MAX;

    fn push(log: &mut EncodedLog, entries: u64) {
        for _ in 0..entries {
            let event = Event::Said { from: Origin::default(), author: Author::Room, text: Text::default() };
            let entry = Entry { seq: log.seq() + 1, at_ms: 0, event };
            log.push(&entry, |_, out| out.extend_from_slice(&[b'x'; 100]));
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "there is no other first instant; nothing depends on which it is"
    )]
    fn begin() -> Instant {
        Instant::now()
    }

    fn send_all(outgoing: &mut Outgoing, log: &EncodedLog, now: Instant) -> Vec<Range<u64>> {
        let sent = std::iter::from_fn(|| match outgoing.next(log, 1_000, now) {
            Next::Entries(slots) => Some(slots),
            _ => None,
        });
        sent.collect()
    }

    #[test]
    fn after_any_loss_something_is_sent_again_before_long() {
        // The entries that the member has lie between entries that it lacks, and the window is as small as possible:
        // seed 11295 of the simulator, where one timer kept postponing the other.
        let (mut now, mut log) = (begin(), EncodedLog::new(1 << 20));
        let mut outgoing = Outgoing::new(log.head());
        push(&mut log, 120);
        send_all(&mut outgoing, &log, now);
        assert_eq!(outgoing.sent, 120);
        now += Duration::from_millis(100);
        let mut beyond = SlotSet::default();
        (50..60).for_each(|offset| assert!(beyond.insert(offset)));
        outgoing.acknowledged(&Ack { next: 0, beyond }, &log, now);
        let mut last_sent = now;
        for _ in 0..200 {
            now = outgoing.deadline().expect("something is on its way");
            outgoing.on_deadline(now);
            if !send_all(&mut outgoing, &log, now).is_empty() {
                last_sent = now;
            }
            assert!(now - last_sent <= RTO_BACKED_OFF_MAX, "nothing was sent for {:?}", now - last_sent);
        }
    }

    #[test]
    fn a_gap_is_sent_again_after_a_short_wait_and_the_window_halves_once() {
        let (now, mut log) = (begin(), EncodedLog::new(1 << 20));
        let mut outgoing = Outgoing::new(log.head());
        push(&mut log, 60);
        assert_eq!(send_all(&mut outgoing, &log, now), [0..10, 10..20, 20..30, 30..40, 40..50, 50..60]);
        let later = now + Duration::from_millis(40);
        let mut beyond = SlotSet::default();
        (0..20).for_each(|offset| assert!(beyond.insert(offset + 10)));
        outgoing.acknowledged(&Ack { next: 10, beyond }, &log, later);
        assert_eq!(send_all(&mut outgoing, &log, later), [], "it may only have been reordered");
        let due = outgoing.deadline().expect("the gap");
        assert_eq!(due, later + Duration::from_millis(10), "a quarter of the round trip");
        outgoing.on_deadline(due);
        let again = send_all(&mut outgoing, &log, due);
        assert_eq!((again.len(), again.first()), (1, Some(&(10..20))));
        let whole = Window::default();
        let mut halved = whole;
        halved.lost();
        assert_eq!(format!("{:?}", outgoing.window), format!("{halved:?}"));
    }
}
