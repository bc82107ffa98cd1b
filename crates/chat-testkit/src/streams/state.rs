//! The state of the network: what each end holds, and what is on its way between the ends.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, ErrorKind, IoSlice};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{StreamConditions, StreamEvent};
use crate::VirtualTime;

#[derive(Debug)]
pub(super) struct State {
    time: VirtualTime,
    random: StdRng,
    ends: HashMap<usize, End>,
    ids: usize,
    /// Sorted by arrival. Things that arrive at the same time keep the order in which they were sent.
    on_the_way: BTreeMap<(Instant, u64), (usize, Arrival)>,
    sent: u64,
}

/// What can arrive at an end of a stream.
#[derive(Debug)]
enum Arrival {
    Bytes(Vec<u8>),
    /// The other side has ended and writes nothing more.
    End,
    Reset,
    /// The other side has read this many bytes.
    Room(usize),
    /// The other side has not answered for too long.
    Silence,
    HangUp,
}

#[derive(Debug)]
struct End {
    other: usize,
    conditions: StreamConditions,
    unread: VecDeque<u8>,
    /// Bytes from this end that the other side has not read, as far as this end knows.
    held: usize,
    /// When the last thing that was sent arrives. Nothing overtakes it.
    arrives: Instant,
    /// A read would have blocked, and no event has come since then.
    awaits_bytes: bool,
    /// A write would have blocked, and no event has come since then.
    awaits_room: bool,
    ended: bool,
    other_ended: bool,
    failed: Option<ErrorKind>,
    closed: bool,
    vanished: bool,
}

impl State {
    pub(super) fn new(seed: u64, time: VirtualTime) -> Self {
        Self {
            time,
            random: StdRng::seed_from_u64(seed),
            ends: HashMap::new(),
            ids: 0,
            on_the_way: BTreeMap::new(),
            sent: 0,
        }
    }

    pub(super) fn connect(&mut self, conditions: StreamConditions) -> (usize, usize) {
        let (a, b) = (self.ids, self.ids + 1);
        self.ids += 2;
        let now = self.time.now();
        for (id, other) in [(a, b), (b, a)] {
            self.ends.insert(id, End::new(other, conditions, now));
        }
        (a, b)
    }

    // ---- the network ---------------------------------------------------------------------------

    pub(super) fn next_arrival(&self) -> Option<Instant> {
        self.on_the_way.first_key_value().map(|(&(arrival, _), _)| arrival)
    }

    pub(super) fn events(&mut self) -> Vec<StreamEvent> {
        let now = self.time.now();
        let mut events: Vec<StreamEvent> = Vec::new();
        while let Some(entry) = self.on_the_way.first_entry()
            && entry.key().0 <= now
        {
            let (id, arrival) = entry.remove();
            let Some(event) = self.arrive(id, arrival) else { continue };
            match events.iter_mut().find(|known| known.end == id) {
                Some(known) => {
                    known.readable |= event.readable;
                    known.ended |= event.ended;
                    known.writable |= event.writable;
                    known.hung_up |= event.hung_up;
                }
                None => events.push(event),
            }
        }
        events
    }

    fn arrive(&mut self, id: usize, arrival: Arrival) -> Option<StreamEvent> {
        let end = self.ends.get_mut(&id)?;
        if end.vanished || end.failed.is_some() {
            return None;
        }
        if end.closed {
            if let Arrival::Bytes(_) = arrival {
                self.send(id, Arrival::Reset);
            }
            return None;
        }
        let (mut readable, mut ended, mut writable, mut hung_up) = (false, false, false, false);
        match arrival {
            Arrival::Bytes(bytes) => {
                end.unread.extend(bytes);
                readable = end.is_awaited();
            }
            Arrival::End => {
                end.other_ended = true;
                readable = end.is_awaited();
                ended = readable;
                hung_up = end.ended;
            }
            Arrival::Room(bytes) => {
                end.held -= bytes;
                writable = std::mem::take(&mut end.awaits_room);
            }
            Arrival::Reset => {
                end.fail(ErrorKind::ConnectionReset);
                (readable, ended, writable, hung_up) = (true, true, true, true);
            }
            Arrival::Silence => {
                end.fail(ErrorKind::TimedOut);
                (readable, ended, writable, hung_up) = (true, true, true, true);
            }
            Arrival::HangUp => hung_up = true,
        }
        (readable || writable || hung_up).then_some(StreamEvent {
            end: id,
            readable,
            ended,
            writable,
            hung_up,
        })
    }

    /// Sends something from this end to the other.
    fn send(&mut self, from: usize, arrival: Arrival) {
        let now = self.time.now();
        let Some(end) = self.ends.get_mut(&from).filter(|end| !end.vanished) else { return };
        let (least, most) = end.conditions.delay;
        let delay = self.random.random_range(least..=most);
        end.arrives = end.arrives.max(now + delay);
        let (at, to) = (end.arrives, end.other);
        self.schedule(to, at, arrival);
    }

    fn schedule(&mut self, to: usize, at: Instant, arrival: Arrival) {
        self.sent += 1;
        self.on_the_way.insert((at, self.sent), (to, arrival));
    }

    /// Draws how many of these bytes are moved at once.
    fn bite(&mut self, bytes: usize, bytes_max: usize) -> usize {
        if bytes_max == usize::MAX { bytes } else { bytes.min(self.random.random_range(1..=bytes_max)) }
    }

    // ---- an end ------------------------------------------------------------------------------------

    fn end(&mut self, id: usize) -> io::Result<&mut End> {
        self.ends.get_mut(&id).ok_or_else(|| ErrorKind::NotConnected.into())
    }

    pub(super) fn read(&mut self, id: usize, buffer: &mut [u8]) -> io::Result<usize> {
        let end = self.end(id)?;
        if end.unread.is_empty() {
            return match end.failed {
                Some(kind) => Err(kind.into()),
                None if end.other_ended => Ok(0),
                None => {
                    end.awaits_bytes = true;
                    Err(ErrorKind::WouldBlock.into())
                }
            };
        }
        let StreamConditions { bite_bytes_max, short_read_is_all, .. } = end.conditions;
        let bytes = buffer.len().min(end.unread.len());
        let bytes_max = if short_read_is_all { usize::MAX } else { bite_bytes_max };
        if bytes == 0 {
            return Ok(0);
        }
        let count = self.bite(bytes, bytes_max);
        let end = self.end(id)?;
        for (place, byte) in buffer.iter_mut().zip(end.unread.drain(..count)) {
            *place = byte;
        }
        self.send(id, Arrival::Room(count));
        Ok(count)
    }

    pub(super) fn write(&mut self, id: usize, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let end = self.end(id)?;
        if let Some(kind) = end.failed {
            return Err(kind.into());
        }
        if end.ended {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let offered: usize = parts.iter().map(|part| part.len()).sum();
        if offered == 0 {
            return Ok(0);
        }
        let room = end.conditions.buffer_bytes.saturating_sub(end.held);
        if room == 0 {
            end.awaits_room = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        let bytes_max = end.conditions.bite_bytes_max;
        let count = self.bite(offered.min(room), bytes_max);
        self.end(id)?.held += count;
        let bytes = parts.iter().flat_map(|part| part.iter().copied()).take(count).collect();
        self.send(id, Arrival::Bytes(bytes));
        Ok(count)
    }

    pub(super) fn shutdown_write(&mut self, id: usize) -> io::Result<()> {
        let end = self.end(id)?;
        if end.failed.is_some() {
            return Err(ErrorKind::NotConnected.into());
        }
        if !std::mem::replace(&mut end.ended, true) {
            let hung_up = end.other_ended;
            self.send(id, Arrival::End);
            if hung_up {
                let now = self.time.now();
                self.schedule(id, now, Arrival::HangUp);
            }
        }
        Ok(())
    }

    pub(super) fn reset(&mut self, id: usize) {
        self.send(id, Arrival::Reset);
        if let Some(end) = self.ends.get_mut(&id) {
            end.closed = true; // so dropping this end sends nothing more
        }
    }

    pub(super) fn vanish(&mut self, id: usize, probed: Duration) {
        let at = self.time.now() + probed;
        if let Some(end) = self.ends.get_mut(&id) {
            end.vanished = true;
            let other = end.other;
            self.schedule(other, at, Arrival::Silence);
        }
    }

    /// Closes an end. If it has unread bytes, this resets the connection.
    pub(super) fn close(&mut self, id: usize) {
        let Some(end) = self.ends.get_mut(&id) else { return };
        let (other, is_over) = (end.other, end.failed.is_some() || end.vanished);
        if !std::mem::replace(&mut end.closed, true) && !is_over {
            if !end.unread.is_empty() {
                self.send(id, Arrival::Reset);
            } else if !end.ended {
                self.send(id, Arrival::End);
            }
        }
        if self.ends.get(&other).is_none_or(|other| other.closed) {
            self.ends.remove(&id);
            self.ends.remove(&other);
        }
    }
}

impl End {
    fn new(other: usize, conditions: StreamConditions, now: Instant) -> Self {
        Self {
            other,
            conditions,
            unread: VecDeque::new(),
            held: 0,
            arrives: now,
            awaits_bytes: true,
            awaits_room: false,
            ended: false,
            other_ended: false,
            failed: None,
            closed: false,
            vanished: false,
        }
    }

    /// Whether an arrival makes an event.
    fn is_awaited(&mut self) -> bool {
        std::mem::take(&mut self.awaits_bytes) || self.conditions.short_read_is_all
    }

    fn fail(&mut self, kind: ErrorKind) {
        self.failed = Some(kind);
        if self.conditions.reset_destroys {
            self.unread.clear();
        }
    }
}
