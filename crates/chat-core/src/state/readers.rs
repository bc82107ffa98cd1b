//! Who reads the log: the ports of transports, the seats of this process, and how they are woken.

use std::sync::Arc;
use std::time::Instant;

use chat_proto::{Author, Entry, Event, LeaveReason, Name, Text};

use super::State;
use crate::error::{NameTaken, SayError};
use crate::log::Log;
use crate::members::MemberId;
use crate::port::News;
use crate::waker::Waker;

/// Whoever reads the log from another thread: a transport's port or a seat.
#[derive(Debug)]
pub(crate) struct Reader {
    waker: Waker,
    /// A wake is on its way, so another one would tell nothing new.
    woken: bool,
    /// Position of the next entry to read.
    pub(crate) position: u64,
    /// Sequence number of the last message before it.
    pub(crate) seq: u64,
}

impl Reader {
    /// What wakes it, unless a wake is on its way already.
    fn wake(&mut self) -> Option<Waker> {
        (!std::mem::replace(&mut self.woken, true)).then(|| self.waker.clone())
    }

    /// Wakes it at once, if there `is` something that happened before it came.
    fn wake_if(&mut self, is: bool) -> Wakes {
        Wakes(is.then(|| self.wake()).flatten().into_iter().collect())
    }

    /// Has read all there was: the next entry wakes it again.
    pub(crate) fn is_up_to_date(&mut self) {
        self.woken = false;
    }
}

#[derive(Debug)]
pub(crate) struct PortState {
    reader: Reader,
    /// Members that are out of the room already and whose peers must be told so.
    pub(super) dismissed: Vec<(MemberId, LeaveReason)>,
}

#[derive(Debug)]
pub(crate) struct SeatState {
    pub(crate) reader: Reader,
    pub(crate) name: Name,
}

/// Wakers to call once the lock is released.
#[derive(Debug, Default)]
#[must_use]
pub(crate) struct Wakes(pub(super) Vec<Waker>);

impl Wakes {
    pub(crate) fn wake(self) {
        self.0.iter().for_each(Waker::wake);
    }
}

impl State {
    /// Says something that no remote member said, all of it in a row. Returns the last one's number.
    pub(crate) fn say_as(
        &mut self,
        author: &Author,
        texts: Vec<Text>,
        now: Instant,
    ) -> Result<(Option<u64>, Wakes), SayError> {
        if self.closing.is_some() {
            return Err(SayError::Closing);
        }
        let last = (!texts.is_empty()).then(|| self.log.seq() + texts.len() as u64);
        let mut wakes = Wakes::default();
        for text in texts {
            wakes.0.extend(self.append(Event::Said { author: author.clone(), text }, now, None).0);
        }
        Ok((last, wakes))
    }

    /// Stamps `event`, and lists who must be woken: every reader but the port whose own turn this
    /// is, which reads at the end of it anyway.
    pub(super) fn append(&mut self, event: Event, now: Instant, except: Option<usize>) -> Wakes {
        let at = now.saturating_duration_since(self.began).as_millis();
        self.log.append(event, u64::try_from(at).unwrap_or(u64::MAX));
        self.wake_readers(except)
    }

    fn wake_readers(&mut self, except: Option<usize>) -> Wakes {
        let ports = self.ports.iter_mut().enumerate().filter(|&(id, _)| Some(id) != except);
        let ports = ports.filter_map(|(_, port)| Some(&mut port.as_mut()?.reader));
        let seats = self.seats.iter_mut().filter_map(|seat| Some(&mut seat.as_mut()?.reader));
        let readers = ports.chain(seats);
        Wakes(readers.filter_map(Reader::wake).collect())
    }

    /// Whether the log soon overtakes a transport, and with it members who are not slow. One that has been
    /// overtaken already holds up nobody.
    pub(super) fn is_crowded(&self) -> bool {
        let (tail, head) = (self.log.tail(), self.log.head());
        let lags = |position| position >= tail && head - position > (head - tail) / 2;
        self.log.bytes() > self.config.log_bytes_max / 2
            && self.ports.iter().flatten().any(|port| lags(port.reader.position))
    }

    fn new_reader(&self, waker: Waker) -> Reader {
        Reader { waker, woken: false, position: self.log.head(), seq: self.log.seq() }
    }

    pub(crate) fn attach(&mut self, waker: Waker) -> (usize, Wakes) {
        // A port begins before everything, so that its first members can have history.
        let mut reader = Reader { position: 0, seq: 0, ..self.new_reader(waker) };
        let wakes = reader.wake_if(self.log.head() > 0);
        (insert(&mut self.ports, PortState { reader, dismissed: Vec::new() }), wakes)
    }

    /// The transport is gone, and so are its members.
    pub(crate) fn detach(&mut self, port: usize, now: Instant) -> Wakes {
        let lost = self.those(|member| member.port == port);
        self.ports[port] = None;
        let reason = if self.closing.is_some() { LeaveReason::Stopping } else { LeaveReason::Lost };
        let mut wakes = Wakes::default();
        for id in lost {
            wakes.0.extend(self.leave(id, reason.clone(), now).0);
        }
        wakes.0.extend(self.wake_readers(None).0);
        wakes
    }

    /// Every entry held that `port` has pulled already.
    pub(crate) fn replay(&self, port: usize) -> (u64, impl Iterator<Item = &Arc<Entry>>) {
        let position = self.ports[port].as_ref().map_or(0, |port| port.reader.position);
        let count = usize::try_from(position.saturating_sub(self.log.tail())).unwrap_or(usize::MAX);
        (self.log.evicted_seq(), self.log.from(self.log.tail()).take(count))
    }

    pub(crate) fn pull(&mut self, port: usize, news: &mut News, now: Instant) -> Wakes {
        let members = self.member_count();
        let wakes = match self.gathered.take_if_due(members, now).filter(|_| self.closing.is_none()) {
            Some(gathered) => self.append(gathered, now, Some(port)),
            None => Wakes::default(),
        };
        self.deliver(port, news);
        wakes
    }

    fn deliver(&mut self, port: usize, news: &mut News) {
        news.closing = self.closing;
        news.pull_by = self.gathered.due();
        let Some(port) = &mut self.ports[port] else {
            return;
        };
        std::mem::swap(&mut news.dismissed, &mut port.dismissed);
        port.reader.is_up_to_date();
        if port.reader.position < self.log.tail() {
            news.missed_up_to = Some(self.log.evicted_seq());
        }
        news.entries.extend(self.log.from(port.reader.position).cloned());
        port.reader.position = self.log.head();
        port.reader.seq = self.log.seq();
    }

    pub(crate) fn take_seat(&mut self, name: Name, waker: Waker) -> Result<(usize, Wakes), NameTaken> {
        if self.seats.iter().flatten().any(|seat| seat.name == name) {
            return Err(NameTaken { name });
        }
        let mut reader = self.new_reader(waker);
        let wakes = reader.wake_if(self.is_over());
        Ok((insert(&mut self.seats, SeatState { reader, name }), wakes))
    }

    pub(crate) fn leave_seat(&mut self, seat: usize) {
        self.seats[seat] = None;
    }

    pub(crate) fn seat_mut(&mut self, seat: usize) -> (&mut SeatState, &Log) {
        let state = self.seats[seat].as_mut().expect("a seat is given up only when its handle is dropped");
        (state, &self.log)
    }
}

/// Puts `value` into the first free place.
fn insert<T>(places: &mut Vec<Option<T>>, value: T) -> usize {
    let free = places.iter().position(Option::is_none).unwrap_or_else(|| {
        places.push(None);
        places.len() - 1
    });
    places[free] = Some(value);
    free
}
