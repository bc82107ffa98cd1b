//! The stage of a check: a room with running transports, its peers, and a local member that hears everything.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_core::{Heard as LocalHeard, LocalMember, Room, RoomConfig};
use chat_proto::{Author, Entry, Event, LeaveReason};

use super::fault::{Checked, expect, fault};
use super::guest::{Guest, is_marker, marker_text};
use super::medium::{Heard, Medium, Peer, Promises};
use super::running::{Running, run};

/// The configuration of a room with the smallest log, in which readers soon lag.
pub(super) fn small_log() -> RoomConfig {
    RoomConfig::default().with_log_bytes_max(RoomConfig::LOG_BYTES_MIN)
}

pub(super) struct Stage<'m, M: Medium> {
    pub(super) medium: &'m M,
    pub(super) room: Room,
    local: LocalMember,
    /// Everything that the local member has heard.
    seen: Vec<Arc<Entry>>,
    /// How many joins were matched with a guest.
    guests: usize,
    markers: u64,
}

/// The result of an attempt to join.
pub(super) enum Admission<P> {
    In(Guest<P>),
    Refused(P, String),
}

impl<'m, M: Medium> Stage<'m, M> {
    pub(super) fn new(medium: &'m M, config: RoomConfig) -> Self {
        Self::of(medium, Room::new(config))
    }

    pub(super) fn of(medium: &'m M, room: Room) -> Self {
        let local = room.join("kit").expect("a name that nobody has");
        Self { medium, room, local, seen: Vec::new(), guests: 0, markers: 0 }
    }

    pub(super) fn promises(&self) -> Promises {
        self.medium.promises()
    }

    pub(super) fn deadline(&self) -> Instant {
        now() + self.medium.patience()
    }

    /// Opens a transport of the medium and runs it.
    pub(super) fn open(&self) -> (Running, M::Address) {
        let (transport, address) = self.medium.open(&self.room);
        (run(transport), address)
    }

    // ---- peers ---------------------------------------------------------------------------------

    /// Connects a peer and waits until it is a member.
    pub(super) fn join(&mut self, address: &M::Address) -> Checked<Guest<M::Peer>> {
        match self.ask_to_join(address)? {
            Admission::In(guest) => Ok(guest),
            Admission::Refused(_, why) => {
                fault("a peer that connects becomes a member", format!("it was refused: {why}"))
            }
        }
    }

    /// Connects a peer and waits until it has joined or was refused.
    pub(super) fn ask_to_join(&mut self, address: &M::Address) -> Checked<Admission<M::Peer>> {
        self.admit(self.medium.connect(address))
    }

    /// Waits until a peer has joined or was refused. Call this for peers in the order in which they connected.
    pub(super) fn admit(&mut self, mut peer: M::Peer) -> Checked<Admission<M::Peer>> {
        let deadline = self.deadline();
        let patience = self.medium.patience();
        loop {
            self.listen();
            let mut joins = self.seen.iter().filter_map(|entry| match &entry.event {
                // Local members have names, guests have none yet.
                Event::Joined { author, .. } if !matches!(author, Author::Named(_)) => Some(author.clone()),
                _ => None,
            });
            if let Some(author) = joins.nth(self.guests) {
                self.guests += 1;
                return Ok(Admission::In(Guest { peer, author, patience }));
            }
            if now() > deadline {
                return fault(
                    "a peer that connects becomes a member, or is told why not",
                    "nothing of the kind in time",
                );
            }
            // A new member has heard nothing yet, so only a refused peer hears something here.
            match peer.hear(now() + GLANCE) {
                Some(Heard::Closed(why)) => return Ok(Admission::Refused(peer, why)),
                Some(Heard::End) => {
                    return fault("a refused peer is told why", "the connection has ended without a word");
                }
                _ => {}
            }
        }
    }

    /// Says a marker line, and returns everything that `guest` has heard before it.
    pub(super) fn sync(&mut self, guest: &mut Guest<M::Peer>) -> Checked<Vec<Heard>> {
        self.sync_all(slice::from_mut(guest)).map(|mut heard| heard.remove(0))
    }

    /// Says a marker line, and returns everything that each guest has heard before it.
    ///
    /// The guests read in turns. If one waited until another has heard everything, its system would have stopped the
    /// sender for so long that TCP tries again only after a minute.
    pub(super) fn sync_all(&mut self, guests: &mut [Guest<M::Peer>]) -> Checked<Vec<Vec<Heard>>> {
        let marker = self.say_marker();
        let (reliable, deadline) = (self.promises().reliable, self.deadline());
        // If the medium may lose the marker, say it again.
        let silence_max = if reliable { self.medium.patience() } else { self.medium.patience() / 100 };
        let mut heard = vec![Vec::new(); guests.len()];
        let mut synced = vec![false; guests.len()];
        let mut silent_since = now();
        while let Some(behind) = synced.iter().position(|synced| !synced) {
            for ((guest, heard), synced) in guests.iter_mut().zip(&mut heard).zip(&mut synced) {
                while !*synced && let Some(next) = guest.peer.hear(now() + GLANCE) {
                    silent_since = now();
                    match next {
                        Heard::Line(line) if line == marker => *synced = true,
                        Heard::Line(line) if is_marker(&line) => {}
                        Heard::End | Heard::Closed(_) => {
                            return fault(
                                format!("a member hears {marker:?}"),
                                format!("{next:?}, after {}", last(heard)),
                            );
                        }
                        other => heard.push(other),
                    }
                }
            }
            if silent_since.elapsed() < silence_max {
                continue;
            }
            if reliable || now() > deadline {
                return fault(
                    format!("a member hears {marker:?} in time"),
                    format!("the last was {}", last(&heard[behind])),
                );
            }
            self.say(marker_text(&marker))?;
            silent_since = now();
        }
        Ok(heard)
    }

    /// Waits until a peer that moves to another room hears that it has arrived. False if its connection was closed, so
    /// it has to join the other room over a new one. Before it come the messages of the kit that the peer hears.
    pub(super) fn wait_for_arrival(
        &self,
        guest: &mut Guest<M::Peer>,
        line: &str,
    ) -> Checked<(Vec<Heard>, bool)> {
        let mut said = Vec::new();
        loop {
            match guest.hear()? {
                Heard::Line(heard) if heard == line => return Ok((said, true)),
                Heard::Closed(_) | Heard::End => return Ok((said, false)),
                Heard::Line(heard) if heard.starts_with("[kit] ") => said.push(Heard::Line(heard)),
                Heard::Missed(messages) => said.push(Heard::Missed(messages)),
                Heard::Line(_) => {}
            }
        }
    }

    fn say_marker(&mut self) -> String {
        self.markers += 1;
        let text = format!("marker {}", self.markers);
        let _open = self.local.say(&text);
        format!("[kit] {text}")
    }

    /// Lets the local member say something.
    pub(super) fn say(&self, text: &str) -> Checked {
        match self.local.say(text) {
            Ok(_) => Ok(()),
            Err(error) => fault("the room is open", error.to_string()),
        }
    }

    // ---- the room's entries --------------------------------------------------------------------

    /// Collects everything that the local member has heard by now.
    pub(super) fn listen(&mut self) {
        while let Ok(heard) = self.local.try_recv() {
            self.take(heard);
        }
    }

    fn take(&mut self, heard: LocalHeard) {
        match heard {
            LocalHeard::Entry(entry) => self.seen.push(entry),
            LocalHeard::Missed(messages) => {
                unreachable!("the kit listens often enough, yet it missed {messages}")
            }
            _ => {}
        }
    }

    /// Waits for an entry for which `pick` returns a value.
    pub(super) fn wait_for<T>(
        &mut self,
        expected: &str,
        mut pick: impl FnMut(&Event) -> Option<T>,
    ) -> Checked<T> {
        let deadline = self.deadline();
        let mut looked = 0;
        loop {
            if let Some(picked) = self.seen[looked..].iter().find_map(|entry| pick(&entry.event)) {
                return Ok(picked);
            }
            looked = self.seen.len();
            match self.local.recv_timeout(deadline.saturating_duration_since(now())) {
                Ok(heard) => self.take(heard),
                Err(error) => return fault(expected, format!("{error}; the last was {}", last(&self.seen))),
            }
        }
    }

    /// Waits until the room has accepted a message of a peer.
    pub(super) fn wait_for_said(&mut self, by: &Author, what: &str) -> Checked {
        self.wait_for(&format!("what a peer says, {what:.40?}, reaches the room"), |event| match event {
            Event::Said { author, text, .. } => (author == by && text.as_str() == what).then_some(()),
            _ => None,
        })
    }

    /// Waits until a peer has left.
    pub(super) fn wait_for_leave(&mut self, who: &Author) -> Checked<LeaveReason> {
        self.wait_for(&format!("the room learns that {who} has left"), |event| match event {
            Event::Left { author, reason, .. } if author == who => Some(reason.clone()),
            _ => None,
        })
    }

    /// Waits until this many members are present.
    pub(super) fn wait_for_members(&mut self, members: usize) -> Checked {
        let room = self.room.clone();
        if room.stats().members == members {
            return Ok(());
        }
        self.wait_for(&format!("{members} members stay"), |_| (room.stats().members == members).then_some(()))
    }

    /// All messages except the kit's markers, as lines with their authors.
    pub(super) fn said(&mut self) -> Vec<(Author, String)> {
        self.listen();
        let said = self.seen.iter().filter_map(|entry| match &entry.event {
            Event::Said { author, .. } => Some((author.clone(), entry.event.to_string())),
            _ => None,
        });
        said.filter(|(_, line)| !is_marker(line)).collect()
    }

    /// The lines of all messages that `guest` should hear.
    pub(super) fn said_to(&mut self, guest: &Author) -> Vec<String> {
        let echo = self.promises().echo;
        let said = self.said().into_iter();
        said.filter(|(author, _)| echo || author != guest).map(|(_, line)| line).collect()
    }

    pub(super) fn seen(&self) -> &[Arc<Entry>] {
        &self.seen
    }

    /// Compares what a member heard with what was said to it.
    pub(super) fn compare(&self, said: &[String], heard: &[Heard]) -> Checked {
        let said_lines: Vec<_> = said.iter().cloned().map(Heard::Line).collect();
        let holds = match self.promises().reliable {
            true => said_lines == heard,
            false => {
                let mut rest = said_lines.iter();
                heard.iter().all(|line| rest.any(|said| said == line))
            }
        };
        expect(holds, "a member hears exactly what was said, in its order", || difference(&said_lines, heard))
    }

    // ---- the end -------------------------------------------------------------------------------

    /// Closes the room and checks that it ends properly. No member reads any more.
    pub(super) fn close(&mut self, running: impl IntoIterator<Item = Running>) -> Checked {
        self.room.close("the kit is done", GRACE);
        self.end(running)
    }

    /// Waits until a closed room has ended, and checks that each member has left once.
    pub(super) fn end(&mut self, running: impl IntoIterator<Item = Running>) -> Checked {
        for running in running {
            running.end(self.medium.patience())?;
        }
        self.listen();
        let mut present = BTreeSet::new();
        for entry in &self.seen {
            match entry.event {
                Event::Joined { member, .. } if !present.insert(member) => {
                    return fault("a member joins once", format!("again: {}", entry.event));
                }
                Event::Left { member, .. } if !present.remove(&member) => {
                    return fault("a member leaves once", format!("again: {}", entry.event));
                }
                _ => {}
            }
        }
        expect(present.is_empty(), "everyone has left when the room has ended", || {
            format!("still there: {present:?}")
        })
    }
}

/// When a property does not hold, this ends everything that still runs.
impl<M: Medium> Drop for Stage<'_, M> {
    fn drop(&mut self) {
        self.room.close("the kit gives up", GRACE);
    }
}

/// The time for a room to end when no member reads any more.
const GRACE: Duration = Duration::from_millis(200);

/// When the kit waits for two things, it waits for each in turn for this long.
const GLANCE: Duration = Duration::from_millis(5);

fn last<T: Debug>(items: &[T]) -> String {
    items.last().map_or_else(|| "nothing".into(), |last| format!("{last:?}"))
}

/// Describes the first difference between two lists.
fn difference(said: &[Heard], heard: &[Heard]) -> String {
    let same = said.iter().zip(heard).take_while(|(said, heard)| said == heard).count();
    let at =
        |list: &[Heard]| list.get(same).map_or_else(|| "nothing more".into(), |item| format!("{item:?}"));
    format!("after {same} lines: said was {}, heard was {}", at(said), at(heard))
}

#[expect(clippy::disallowed_methods, reason = "the kit drives real transports, in real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}
