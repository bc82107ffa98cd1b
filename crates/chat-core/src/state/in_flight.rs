//! Messages on their way through the journal, and the past that a room takes over from there.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chat_proto::{DirectItem, Event, MemberId, Name, Origin, Text};

use super::{State, Wakes};
use crate::access::mutes::Mute;
use crate::error::NickError;
use crate::journal::{Full, Journal, Kept, Past, Record};
use crate::limits::{IDS_SET_ASIDE, JOURNAL_PAUSE, JOURNAL_PAUSE_MAX, LOG_BYTES_PER_WAITING, WAITING_MAX};
use crate::state::members::Membership;
use crate::state::sessions::Left;

/// A room's journal, and the records that have not come back from it.
#[derive(Debug)]
pub(crate) struct InFlight {
    journal: Arc<dyn Journal>,
    /// For each member that has something in flight, in order.
    steps: HashMap<MemberId, VecDeque<Step>>,
    /// Messages in flight.
    waiting: usize,
    /// Other servers pass their messages through the same journal.
    is_shared: bool,
    /// The journal knows that ids up to this one are given.
    ids_up_to: u64,
    /// The last records that came back could not be kept.
    is_failing: bool,
}

/// Something that a member has said, in the order of its numbers.
#[derive(Debug)]
enum Step {
    /// This message is in flight.
    Message(u64),
    /// It was dealt with at once, but the messages before it are in flight: the member is told after those.
    Settled(u64, Vec<DirectItem>),
}

impl Step {
    fn number(&self) -> u64 {
        match self {
            Self::Message(number) | Self::Settled(number, _) => *number,
        }
    }
}

impl InFlight {
    pub(crate) fn new(journal: Arc<dyn Journal>, past: &Past) -> Self {
        Self {
            journal,
            steps: HashMap::new(),
            waiting: 0,
            is_shared: past.is_shared,
            ids_up_to: past.ids_up_to + IDS_SET_ASIDE,
            is_failing: false,
        }
    }

    /// How much is in flight, and whether it comes back refused.
    pub(crate) fn depth(&self) -> (usize, bool) {
        (self.waiting, self.is_failing)
    }

    /// Whether something of this member is in flight.
    pub(super) fn has_of(&self, member: MemberId) -> bool {
        self.steps.contains_key(&member)
    }

    /// The newest message of this member that is in flight.
    pub(super) fn newest_of(&self, member: MemberId) -> Option<u64> {
        self.steps.get(&member)?.iter().rev().find_map(|step| match step {
            Step::Message(number) => Some(*number),
            Step::Settled(..) => None,
        })
    }

    /// This message of a member has come back, or never will, and so have all before it. Returns the steps that waited
    /// for them: their numbers, and what the member is told.
    fn came_back(&mut self, from: Origin) -> Vec<(u64, Vec<DirectItem>)> {
        let mut settled = Vec::new();
        let Some(steps) = self.steps.get_mut(&from.member) else { return settled };
        // All servers' rooms use the same member id for themselves. So a message of another server's room says nothing
        // about ours.
        if from.member == MemberId::ROOM && !steps.iter().any(|step| step.number() == from.number) {
            return settled;
        }
        while let Some(first) = steps.front()
            && !matches!(first, Step::Message(number) if *number > from.number)
            && let Some(step) = steps.pop_front()
        {
            match step {
                Step::Message(_) => self.waiting -= 1,
                Step::Settled(number, items) => settled.push((number, items)),
            }
        }
        if steps.is_empty() {
            self.steps.remove(&from.member);
        }
        settled
    }
}

impl State {
    /// Takes over what the journal holds.
    pub(crate) fn restore(&mut self, past: Past) {
        self.newest_id = past.ids_up_to;
        self.elsewhere.set_relay(past.relay);
        if past.is_shared {
            // The room speaks at every server, and no two of its messages have one number.
            self.said_by_room = past.ids_up_to;
        }
        if past.has_forgotten {
            self.left.forget_others();
        }
        self.topic = past.topic;
        if let Some(slow) = past.slow {
            Arc::make_mut(&mut self.config).slow = slow;
        }
        self.log.begin_after(past.before);
        for Kept { unix_ms, event, .. } in past.newest {
            self.log.append(event, unix_ms.saturating_sub(self.began_unix_ms));
        }
        for session in past.sessions {
            if let Some(name) = &session.name {
                self.names.give(name, session.member);
            }
            // A name is reserved as if the member had left just now.
            let left = Left { taken: session.taken, name: session.name, ..Left::default() };
            self.left.remember(session.member, left);
        }
    }

    /// Whether other servers have members in this room, too.
    pub(super) fn is_shared(&self) -> bool {
        self.in_flight.as_ref().is_some_and(|in_flight| in_flight.is_shared)
    }

    /// Whether everything that was accepted is in the log.
    pub(super) fn is_settled(&self) -> bool {
        self.in_flight.as_ref().is_none_or(|in_flight| in_flight.waiting == 0)
    }

    /// How long a speaker must wait because the journal is far behind. The further it is, the longer, so that members
    /// that go on speaking do not fill the journal's own queue while it stands still.
    pub(super) fn journal_pause(&self) -> Option<Duration> {
        let waiting_max = WAITING_MAX.min(self.config.log_bytes_max / LOG_BYTES_PER_WAITING);
        let waiting = self.in_flight.as_ref()?.waiting.checked_sub(waiting_max)?;
        let steps = u32::try_from(waiting / (waiting_max / 4)).unwrap_or(u32::MAX);
        Some(JOURNAL_PAUSE.saturating_mul(4_u32.saturating_pow(steps)).min(JOURNAL_PAUSE_MAX))
    }

    /// The newest number of a member that need not be said again: it is in flight, or dealt with.
    pub(super) fn newest_number(&self, member: MemberId, taken: u64) -> u64 {
        let steps = self.in_flight.as_ref().and_then(|in_flight| in_flight.steps.get(&member));
        steps.and_then(|steps| steps.back()).map_or(taken, |step| step.number().max(taken))
    }

    /// Passes an event to the log or, if there is one, to the journal. Without a journal it is in the log when this
    /// returns.
    pub(super) fn propose(&mut self, event: Event, except: Option<usize>) -> Result<Wakes, Full> {
        let unix_ms = self.unix_ms;
        let Some(in_flight) = &mut self.in_flight else { return Ok(self.append(event, except)) };
        let from = event.origin();
        in_flight.journal.submit(Record::Event { event, unix_ms })?;
        if let Some(from) = from {
            in_flight.waiting += 1;
            in_flight.steps.entry(from.member).or_default().push_back(Step::Message(from.number));
        }
        Ok(Wakes::default())
    }

    /// The room has dealt with this message of a member, and `items` tell it how. The member is told after the results
    /// of its earlier messages.
    pub(super) fn settle(&mut self, membership: Membership, number: u64, items: Vec<DirectItem>) {
        let Some(member) = self.members.get_mut(membership) else { return };
        let steps = self.in_flight.as_mut().and_then(|in_flight| in_flight.steps.get_mut(&member.id));
        if let Some(steps) = steps {
            return steps.push_back(Step::Settled(number, items));
        }
        member.profile_mut().taken = number;
        items.into_iter().for_each(|item| self.confirm(membership, item));
    }

    /// Everything that this member said up to `number` is dealt with. A client that resumes the session need not say it
    /// again.
    fn take(&mut self, member: MemberId, number: u64) {
        if let Some(membership) = self.members.key_of(member)
            && let Some(member) = self.members.get_mut(membership)
        {
            let profile = member.profile_mut();
            profile.taken = profile.taken.max(number);
        } else if let Some(left) = self.left.get_mut(member) {
            left.taken = left.taken.max(number);
        } else if self.is_shared() && member != MemberId::ROOM && self.local_place(member).is_none() {
            // A member of another server, which may come here.
            let left = Left { taken: number, ..Left::default() };
            if let Some((forgotten, left)) = self.left.remember(member, left) {
                self.forget(forgotten, left.name);
            }
        }
    }

    /// These events have come back from the journal.
    pub(crate) fn commit(&mut self, batch: Vec<Kept>) -> Wakes {
        let mut wakes = Wakes::default();
        let mut spoke: Option<Origin> = None;
        for Kept { seq, unix_ms, event } in batch {
            if event.is_message() && seq <= self.log.seq() {
                continue; // the room has it already
            }
            self.set_failing(false);
            if event.is_message() && seq > self.log.seq() + 1 {
                self.log.skip_to(seq - 1);
            }
            let from = event.origin();
            if let Event::Topic { member, text, .. } = &event {
                self.topic_came_back(*member);
                self.topic = Some(text.clone()).filter(|text| !text.as_str().is_empty());
            }
            self.log.append(event, unix_ms.saturating_sub(self.began_unix_ms));
            wakes.add(from.map(|from| self.note_renames_after(from)).unwrap_or_default());
            // For several messages of one member in a row, the last one is enough. Each of the room's counts: the next
            // one may be another server's.
            if let Some(from) = from
                && let Some(before) = spoke.replace(from)
                && (before.member != from.member || before.member == MemberId::ROOM)
            {
                self.advance(before, Vec::new(), &mut wakes);
            }
        }
        if let Some(from) = spoke {
            self.advance(from, Vec::new(), &mut wakes);
        }
        wakes.add(self.wake_readers(None));
        self.answer_locals();
        wakes
    }

    /// The journal could not keep these records.
    pub(crate) fn not_kept(&mut self, batch: Vec<Record>, why: &Text) -> Wakes {
        let mut wakes = Wakes::default();
        for record in batch {
            let event = match record {
                Record::Event { event, .. } => event,
                Record::Ids { up_to } => {
                    self.has_not_set_aside(up_to);
                    continue;
                }
                _ => continue,
            };
            self.set_failing(true);
            self.not_kept += 1;
            match event {
                Event::Said { from, .. } if from.member == MemberId::ROOM => {
                    wakes.add(self.notice_refused(from.number, why));
                    self.advance(from, Vec::new(), &mut wakes);
                }
                Event::Said { from, .. } => {
                    self.give_back_turn(from.member);
                    self.has_refused(from.member, "Not said", why);
                    let refused = DirectItem::Refused { number: from.number, why: why.clone() };
                    self.advance(from, vec![refused], &mut wakes);
                    wakes.add(self.note_renames_after(from));
                }
                Event::Topic { member, .. } => {
                    let text = Text::lossy(&format!("The topic was not set: {why}"));
                    self.topic_came_back(member);
                    self.has_refused(member, "The topic was not set", why);
                    wakes.add(self.tell_of_its_own(member, DirectItem::Notice { text }));
                }
                _ => {}
            }
        }
        if self.closing.is_some() {
            wakes.add(self.wake_readers(None));
        }
        self.answer_locals();
        wakes
    }

    /// Whether the journal keeps what is said.
    fn set_failing(&mut self, is_failing: bool) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.is_failing = is_failing;
        }
    }

    /// This message of a member has come back or was refused. The member is told `items`, and then the results that
    /// waited for this message.
    fn advance(&mut self, from: Origin, items: Vec<DirectItem>, wakes: &mut Wakes) {
        if from.member == MemberId::ROOM {
            self.notice_came_back(from.number);
        }
        let waited = match &mut self.in_flight {
            Some(in_flight) => in_flight.came_back(from),
            None => Vec::new(),
        };
        self.conclude(from.member, from.number, items, wakes);
        for (number, items) in waited {
            self.conclude(from.member, number, items, wakes);
        }
    }

    /// The room has dealt with what a member said up to this number.
    fn conclude(&mut self, member: MemberId, number: u64, items: Vec<DirectItem>, wakes: &mut Wakes) {
        self.take(member, number);
        for item in items {
            wakes.add(self.tell_of_its_own(member, item));
        }
    }

    /// The journal keeps the name of a session, and other servers learn it.
    ///
    /// # Errors
    ///
    /// [`NickError::Behind`] if another server might give the name to somebody else.
    pub(super) fn keep_name(&self, member: MemberId, name: Option<Name>) -> Result<(), NickError> {
        let Some(in_flight) = &self.in_flight else { return Ok(()) };
        let is_local = self.local_place(member).is_some();
        if !in_flight.is_shared && is_local {
            return Ok(()); // its process takes the name again
        }
        match in_flight.journal.submit(Record::Named { member, name, is_local }) {
            Err(Full) if in_flight.is_shared => Err(NickError::Behind),
            // If there is no room for it, the name is free after a restart, and nothing else.
            _ => Ok(()),
        }
    }

    /// As [`keep_name`](Self::keep_name), for a session that has no name any more.
    pub(super) fn give_up_name(&self, member: MemberId) {
        // If there is no room for it, other servers regard the name as taken until this one ends.
        let _full = self.keep_name(member, None);
    }

    /// The journal keeps the mute of a member, or that it is lifted, and other servers learn it.
    pub(super) fn keep_muted(&self, member: MemberId, mute: Option<Mute>) {
        if let Some(in_flight) = &self.in_flight {
            // If there is no room for it, it is so on this server alone.
            let _full = in_flight.journal.submit(Record::Muted { member, mute });
        }
    }

    /// Sets slow mode, and the journal keeps it.
    pub(crate) fn set_slow(&mut self, pause: Option<Duration>) {
        Arc::make_mut(&mut self.config).slow = pause;
        if let Some(in_flight) = &self.in_flight {
            // If there is no room for it, it is as before after a restart, and nothing else.
            let _full = in_flight.journal.submit(Record::Slow { pause });
        }
    }

    /// The journal keeps which ids were given, before they are.
    pub(super) fn set_ids_aside(&mut self) {
        let Some(in_flight) = &mut self.in_flight else { return };
        if self.newest_id + IDS_SET_ASIDE / 2 > in_flight.ids_up_to {
            let up_to = self.newest_id + IDS_SET_ASIDE;
            if in_flight.journal.submit(Record::Ids { up_to }).is_ok() {
                in_flight.ids_up_to = up_to;
            }
        }
    }

    /// The journal does not know that these ids are given: the room tells it again with the next id.
    fn has_not_set_aside(&mut self, up_to: u64) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.ids_up_to = in_flight.ids_up_to.min(up_to.saturating_sub(IDS_SET_ASIDE));
        }
    }

    /// The text with which the room says that its journal is full.
    pub(super) fn journal_full_text() -> Text {
        Text::lossy("The history cannot keep up. Say it again")
    }
}
