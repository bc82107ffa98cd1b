//! The readers of the log: the attachments of transports and the local members of this process, and how they are woken.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_proto::{Entry, Event, LeaveReason, MemberId, Name};

use super::State;
use super::local_answers::Answer;
use super::local_lane::LocalLane;
use super::local_past::LocalPast;
use crate::error::NickError;
use crate::state::log::Log;
use crate::state::observers::Rest;
use crate::state::rate::RateLimit;
use crate::sync::Mutex;
use crate::transport::update::{CaughtUp, Dismissed, Told, Update};
use crate::waker::Waker;

/// A reader of the log on another thread: a transport's attachment or a local member.
#[derive(Debug)]
pub(crate) struct Reader {
    waker: Waker,
    /// A wake is on its way, so another one is not needed.
    woken: bool,
    /// Position of the next entry to read.
    pub(crate) position: u64,
    /// Sequence number of the last message before it.
    pub(crate) seq: u64,
}

impl Reader {
    /// The waker to call, unless a wake is already on its way.
    pub(super) fn wake(&mut self) -> Option<Waker> {
        (!std::mem::replace(&mut self.woken, true)).then(|| self.waker.clone())
    }

    /// Wakes it at once, if there `is` something from before it was added.
    fn wake_if(&mut self, is: bool) -> Wakes {
        Wakes(is.then(|| self.wake()).flatten().into_iter().collect())
    }

    /// It has read everything: the next entry wakes it again.
    pub(crate) fn is_up_to_date(&mut self) {
        self.woken = false;
    }
}

/// The tag of a transport that was not given one.
pub(crate) const DEFAULT_TAG: &str = "tcp";

/// The tag of local members.
pub(crate) const LOCAL_TAG: &str = "local";

#[derive(Debug)]
pub(crate) struct AttachmentState {
    reader: Reader,
    /// The tag of the transport.
    pub(super) tag: &'static str,
    /// Members that have already left the room and whose peers must be told so.
    pub(super) dismissed: Vec<Dismissed>,
    /// Items of direct lanes that wait for a pull. The limits of a lane bound them, and for refusals the pause of their
    /// speaker.
    pub(super) direct: Vec<Told>,
    /// Pages for members that catch up, which wait for a pull: as many as the transport has asked for.
    caught_up: Vec<CaughtUp>,
}

#[derive(Debug)]
pub(crate) struct LocalState {
    pub(super) reader: Reader,
    /// Old messages to read while it is behind the log.
    pub(super) past: LocalPast,
    /// `Some` for an observer: the entries that it has not heard go there when the room ends. Nobody sees an observer.
    pub(super) rest: Option<Arc<Mutex<Rest>>>,
    pub(crate) name: Name,
    pub(super) id: MemberId,
    /// Messages that it has said.
    pub(super) said: u64,
    pub(super) rate_limit: RateLimit,
    /// When it is within the limit again, since the room began.
    pub(super) throttled: Option<Duration>,
    /// Items that the room has for it alone.
    pub(super) direct: LocalLane,
    pub(super) answer: Answer,
    /// The sender of the last private message.
    pub(super) answers: Option<MemberId>,
    pub(super) is_operator: bool,
    /// When it joined and when it spoke last, in milliseconds since the room began.
    pub(super) came_ms: u64,
    pub(super) spoke_ms: u64,
}

/// Wakers to call once the lock is released.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Wakes(pub(super) Vec<Waker>);

impl Wakes {
    pub(super) fn add(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    pub(crate) fn wake(self) {
        self.0.iter().for_each(Waker::wake);
    }
}

impl State {
    /// Stamps `event`, and lists the readers to wake: all but the attachment whose own turn this
    /// is, which reads at the end of the turn anyway.
    pub(super) fn append(&mut self, event: Event, except: Option<usize>) -> Wakes {
        // The wall clock's time; the log takes care that it never goes backwards.
        let at_ms = self.unix_ms.saturating_sub(self.began_unix_ms);
        self.log.append(event, at_ms);
        self.wake_readers(except)
    }

    pub(super) fn since_began_ms(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.began).as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn wake_readers(&mut self, except: Option<usize>) -> Wakes {
        let attachments = self.attachments.iter_mut().enumerate().filter(|&(id, _)| Some(id) != except);
        let attachments = attachments.filter_map(|(_, attachment)| Some(&mut attachment.as_mut()?.reader));
        let locals = self.locals.iter_mut().filter_map(|local| Some(&mut local.as_mut()?.reader));
        let readers = attachments.chain(locals);
        Wakes(readers.filter_map(Reader::wake).collect())
    }

    /// Wakes the transport of one member.
    pub(super) fn wake_attachment(&mut self, attachment: usize) -> Wakes {
        let attachment = self.attachments.get_mut(attachment).and_then(Option::as_mut);
        Wakes(attachment.and_then(|attachment| attachment.reader.wake()).into_iter().collect())
    }

    /// The pages for members that catch up, for a transport that pulls nothing else any more.
    pub(crate) fn take_pages(&mut self, attachment: usize) -> Vec<CaughtUp> {
        let Some(Some(attachment)) = self.attachments.get_mut(attachment) else { return Vec::new() };
        attachment.reader.is_up_to_date();
        std::mem::take(&mut attachment.caught_up)
    }

    /// Hands a page to the transport that has asked for it.
    pub(crate) fn hand_page(&mut self, attachment: usize, caught_up: CaughtUp) -> Wakes {
        if let Some(Some(attachment)) = self.attachments.get_mut(attachment) {
            attachment.caught_up.push(caught_up);
        }
        self.wake_attachment(attachment)
    }

    pub(crate) fn set_tag(&mut self, attachment: usize, tag: &'static str) {
        if let Some(Some(attachment)) = self.attachments.get_mut(attachment) {
            attachment.tag = tag;
        }
    }

    /// Whether a transport will soon lag, and with it members that are not slow. A transport that has already
    /// lagged throttles nobody.
    pub(super) fn is_crowded(&self) -> bool {
        let (tail, head) = (self.log.tail(), self.log.head());
        let lags = |position| position >= tail && head - position > (head - tail) / 2;
        self.log.bytes() > self.config.log_bytes_max / 2
            && self.attachments.iter().flatten().any(|attachment| lags(attachment.reader.position))
    }

    fn new_reader(&self, waker: Waker) -> Reader {
        Reader { waker, woken: false, position: self.log.head(), seq: self.log.seq() }
    }

    pub(crate) fn attach(&mut self, waker: Waker) -> (usize, Wakes) {
        // An attachment begins before the tail, so that its first members can have history.
        let mut reader = Reader { position: 0, seq: 0, ..self.new_reader(waker) };
        let wakes = reader.wake_if(self.log.head() > 0);
        let attachment = AttachmentState {
            reader,
            tag: DEFAULT_TAG,
            dismissed: Vec::new(),
            direct: Vec::new(),
            caught_up: Vec::new(),
        };
        (insert(&mut self.attachments, attachment), wakes)
    }

    /// The transport is gone, and so are its members.
    pub(crate) fn detach(&mut self, attachment: usize, now: Instant) -> Wakes {
        let lost = self.those(|member| member.attachment as usize == attachment);
        let reason = if self.closing.is_some() { LeaveReason::Stopping } else { LeaveReason::Lost };
        let mut wakes = Wakes::default();
        for id in lost {
            wakes.add(self.leave(id, reason.clone(), now));
        }
        self.attachments[attachment] = None; // now that its tag has been shown for the last time
        wakes.add(self.wake_readers(None));
        wakes
    }

    /// Every entry held that `attachment` has pulled already.
    pub(crate) fn replay(&self, attachment: usize) -> (u64, impl Iterator<Item = &Arc<Entry>>) {
        let position =
            self.attachments[attachment].as_ref().map_or(0, |attachment| attachment.reader.position);
        let count = usize::try_from(position.saturating_sub(self.log.tail())).unwrap_or(usize::MAX);
        (self.log.evicted_seq(), self.log.from(self.log.tail()).take(count))
    }

    pub(crate) fn pull(&mut self, attachment: usize, update: &mut Update, now: Instant) -> Wakes {
        let members = self.member_count();
        let wakes = match self.presence_summary.take_if_due(members, now).filter(|_| self.closing.is_none()) {
            Some(summary) => self.append(summary, Some(attachment)),
            None => Wakes::default(),
        };
        self.deliver(attachment, update, now);
        wakes
    }

    fn deliver(&mut self, attachment: usize, update: &mut Update, now: Instant) {
        // Nobody leaves before the last accepted message is in the log, unless it takes too long.
        let is_settled = self.is_settled();
        update.closing = self.closing.filter(|&closing| is_settled || closing <= now);
        let settles_by = self.closing.filter(|_| !is_settled);
        update.pull_by = [self.presence_summary.due(), settles_by].into_iter().flatten().min();
        let Some(attachment) = &mut self.attachments[attachment] else {
            return;
        };
        std::mem::swap(&mut update.dismissed, &mut attachment.dismissed);
        std::mem::swap(&mut update.direct, &mut attachment.direct);
        std::mem::swap(&mut update.caught_up, &mut attachment.caught_up);
        for told in &update.direct {
            if let Some(member) = self.members.get_mut(told.member) {
                member.profile_mut().direct_pulled(told.direct.number);
            }
        }
        attachment.reader.is_up_to_date();
        if attachment.reader.position < self.log.tail() {
            update.missed_up_to = Some(self.log.evicted_seq());
        }
        update.entries.extend(self.log.from(attachment.reader.position).cloned());
        attachment.reader.position = self.log.head();
        attachment.reader.seq = self.log.seq();
    }

    pub(crate) fn join_local(
        &mut self,
        name: &Name,
        waker: Waker,
        now: Instant,
    ) -> Result<(usize, MemberId, Wakes), NickError> {
        let (place, id, wakes) = self.add_local(name.clone(), waker, None, now);
        let free = self.check_name(name, id, now).and_then(|()| self.keep_name(id, Some(name.clone())));
        if let Err(error) = free {
            self.locals[place] = None;
            return Err(error);
        }
        self.names.give(name, id);
        Ok((place, id, wakes))
    }

    /// Adds a reader of this process. With a `rest` it is an observer, and nobody sees it.
    pub(super) fn add_local(
        &mut self,
        name: Name,
        waker: Waker,
        rest: Option<Arc<Mutex<Rest>>>,
        now: Instant,
    ) -> (usize, MemberId, Wakes) {
        let mut reader = self.new_reader(waker);
        let wakes = reader.wake_if(self.is_over());
        let (id, came_ms) = (self.next_local_id(), self.since_began_ms(now));
        let local = LocalState {
            reader,
            past: LocalPast::default(),
            rest,
            name,
            id,
            said: 0,
            rate_limit: RateLimit::default(),
            throttled: None,
            direct: LocalLane::default(),
            answer: Answer::default(),
            answers: None,
            is_operator: false,
            came_ms,
            spoke_ms: came_ms,
        };
        (insert(&mut self.locals, local), id, wakes)
    }

    pub(crate) fn leave_local(&mut self, local: usize) {
        if let Some(LocalState { name, id, rest: None, .. }) = self.locals[local].take() {
            self.names.release(&name);
            if self.is_shared() {
                self.give_up_name(id);
            }
        }
    }

    /// The members of this process, without the observers.
    pub(super) fn local_members(&self) -> impl Iterator<Item = &LocalState> {
        self.locals.iter().flatten().filter(|local| local.rest.is_none())
    }

    /// Where a local member or an observer is; `None` if this is not a local member. There are few.
    pub(super) fn local_place(&self, id: MemberId) -> Option<usize> {
        self.locals.iter().position(|local| local.as_ref().is_some_and(|local| local.id == id))
    }

    /// A local member reads the newest messages again, at most this many.
    pub(crate) fn rewind_local(&mut self, place: usize, messages: u64) {
        let oldest = if self.in_flight.is_some() { 0 } else { self.log.evicted_seq() };
        let seq = self.log.seq().saturating_sub(messages).max(oldest);
        let position = self.log.position_after(seq);
        let (local, _) = self.local_mut(place);
        (local.reader.position, local.reader.seq) = (position, seq);
    }

    pub(crate) fn local_mut(&mut self, local: usize) -> (&mut LocalState, &Log) {
        let state =
            self.locals[local].as_mut().expect("a local member leaves only when its handle is dropped");
        (state, &self.log)
    }
}

/// Puts `value` into the first free place.
fn insert<T>(places: &mut Vec<Option<T>>, value: T) -> usize {
    let free = places.iter().position(Option::is_none).unwrap_or_else(|| {
        places.reserve_exact(1); // one for each thread and local member: few
        places.push(None);
        places.len() - 1
    });
    places[free] = Some(value);
    free
}
