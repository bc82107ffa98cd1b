//! The stage of a check: a room with running transports, its peers, and a local member that hears everything.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chat_core::{Heard as LocalHeard, LocalMember, Room, RoomConfig, Transport, Turn};
use chat_proto::{Author, Entry, Event, LeaveReason, PeerAddr};
use crossbeam_channel::{Receiver, RecvTimeoutError, SendError, Sender, bounded};

use super::medium::{Heard, Medium, Peer, Promises};

/// Why a check failed.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) expected: String,
    pub(super) found: String,
}

pub(super) type Checked<T = ()> = Result<T, Fault>;

pub(super) fn fault<T>(expected: impl Into<String>, found: impl Into<String>) -> Checked<T> {
    Err(Fault { expected: expected.into(), found: found.into() })
}

pub(super) fn expect(holds: bool, expected: &str, found: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { fault(expected, found()) }
}

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

/// A peer, and its address.
pub(super) struct Guest<P> {
    pub(super) peer: P,
    pub(super) address: PeerAddr,
    patience: Duration,
}

/// A transport that runs on a thread until the room closes.
pub(super) struct Running {
    stop: Arc<AtomicBool>,
    hold: Arc<AtomicBool>,
    turns: Arc<AtomicU64>,
    /// `held` has a token when a turn has ended and the next turn waits. A token in `release` begins the next turn.
    held: Receiver<()>,
    release: Sender<()>,
    ended: Receiver<Result<(), String>>,
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
        match self.knock(address)? {
            Admission::In(guest) => Ok(guest),
            Admission::Refused(_, why) => {
                fault("a peer that connects becomes a member", format!("it was refused: {why}"))
            }
        }
    }

    /// Connects a peer and waits until it has joined or was refused.
    pub(super) fn knock(&mut self, address: &M::Address) -> Checked<Admission<M::Peer>> {
        self.admit(self.medium.connect(address))
    }

    /// Waits until a peer has joined or was refused. Call this for peers in the order in which they connected.
    pub(super) fn admit(&mut self, mut peer: M::Peer) -> Checked<Admission<M::Peer>> {
        let deadline = self.deadline();
        let patience = self.medium.patience();
        loop {
            self.listen();
            let mut joins = self.seen.iter().filter_map(|entry| match &entry.event {
                Event::Joined { author, .. } => author.address(),
                _ => None,
            });
            if let Some(address) = joins.nth(self.guests) {
                self.guests += 1;
                return Ok(Admission::In(Guest { peer, address, patience }));
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
        let marker = self.say_marker();
        let deadline = self.deadline();
        let mut heard = Vec::new();
        // If the medium may lose the marker, say it again.
        let once =
            if self.promises().reliable { self.medium.patience() } else { self.medium.patience() / 100 };
        loop {
            match guest.peer.hear(now() + once) {
                Some(Heard::Line(line)) if line == marker => return Ok(heard),
                Some(Heard::Line(line)) if is_marker(&line) => {}
                Some(end @ (Heard::End | Heard::Closed(_))) => {
                    return fault(
                        format!("a member hears {marker:?}"),
                        format!("{end:?}, after {}", last(&heard)),
                    );
                }
                Some(other) => heard.push(other),
                None if now() < deadline && !self.promises().reliable => self.say(marker_text(&marker))?,
                None => {
                    return fault(
                        format!("a member hears {marker:?} in time"),
                        format!("the last was {}", last(&heard)),
                    );
                }
            }
        }
    }

    /// Waits until a peer that moves to another room hears that it has arrived. False if its connection was closed, so
    /// it has to join the other room over a new one.
    pub(super) fn wait_for_arrival(&self, guest: &mut Guest<M::Peer>, line: &str) -> Checked<bool> {
        loop {
            match guest.hear()? {
                Heard::Line(heard) if heard == line => return Ok(true),
                Heard::Closed(_) | Heard::End => return Ok(false),
                _ => {}
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
    pub(super) fn wait_for_said(&mut self, by: PeerAddr, what: &str) -> Checked {
        self.wait_for(&format!("what a peer says, {what:.40?}, reaches the room"), |event| match event {
            Event::Said { author, text, .. } => {
                (*author == Author::Peer(by) && text.as_str() == what).then_some(())
            }
            _ => None,
        })
    }

    /// Waits until a peer has left.
    pub(super) fn wait_for_leave(&mut self, address: PeerAddr) -> Checked<LeaveReason> {
        self.wait_for(&format!("the room learns that {address} has left"), |event| match event {
            Event::Left { author, reason, .. } if *author == Author::Peer(address) => Some(reason.clone()),
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
    pub(super) fn said_to(&mut self, guest: PeerAddr) -> Vec<String> {
        let echo = self.promises().echo;
        let said = self.said().into_iter();
        said.filter(|(author, _)| echo || *author != Author::Peer(guest)).map(|(_, line)| line).collect()
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

impl<P: Peer> Guest<P> {
    pub(super) fn say(&mut self, line: impl AsRef<[u8]>) -> Checked {
        let said = self.peer.say(line.as_ref(), now() + self.patience);
        expect(said, "what a peer says is taken in time", || "its connection takes nothing".into())
    }

    /// The next thing that the peer hears, without markers.
    pub(super) fn hear(&mut self) -> Checked<Heard> {
        let heard = self.hear_by(now() + self.patience);
        heard.map_or_else(|| fault("a peer hears something", "nothing in time"), Ok)
    }

    pub(super) fn hear_by(&mut self, deadline: Instant) -> Option<Heard> {
        loop {
            match self.peer.hear(deadline)? {
                Heard::Line(line) if is_marker(&line) => {}
                heard => return Some(heard),
            }
        }
    }

    /// Checks that the next thing that the peer hears is this line.
    pub(super) fn hears(&mut self, line: &str) -> Checked {
        let heard = self.hear()?;
        expect(heard == Heard::Line(line.to_owned()), &format!("a peer hears {line:?}"), || {
            format!("{heard:?}")
        })
    }
}

/// Runs a transport like [`chat_core::run`], and drops it if told to.
pub(super) fn run<T: Transport + 'static>(mut transport: T) -> Running {
    let (stop, hold) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let turns = Arc::new(AtomicU64::new(0));
    let ((end, ended), (tell, held), (release, released)) = (bounded(1), bounded(1), bounded(1));
    let (stopped, holding, counted) = (Arc::clone(&stop), Arc::clone(&hold), Arc::clone(&turns));
    thread::spawn(move || {
        let result = loop {
            if stopped.load(Ordering::SeqCst) {
                break Ok(());
            }
            if holding.swap(false, Ordering::SeqCst) {
                // An error means that the kit has given up waiting.
                let _nobody_waits = tell.send(()).and_then(|()| released.recv().map_err(|_| SendError(())));
            }
            match transport.turn(None) {
                Ok(Turn::Open | Turn::Closing) => drop(counted.fetch_add(1, Ordering::SeqCst)),
                Ok(Turn::Done) => break Ok(()),
                Err(error) => break Err(error.to_string()),
            }
        };
        drop(transport);
        let _nobody_waits = end.send(result);
    });
    Running { stop, hold, turns, held, release, ended }
}

impl Running {
    pub(super) fn turns(&self) -> u64 {
        self.turns.load(Ordering::SeqCst)
    }

    /// Fails if the transport has ended.
    pub(super) fn goes_on(&self) -> Checked {
        match self.ended.try_recv() {
            Ok(end) => fault("the transport goes on", format!("it has ended: {end:?}")),
            Err(error) if error.is_disconnected() => fault("the transport goes on", "it has panicked"),
            Err(_) => Ok(()),
        }
    }

    /// Holds the transport after its present turn. The next message must end this turn.
    pub(super) fn hold(&self) {
        self.hold.store(true, Ordering::SeqCst);
    }

    /// Waits until the transport is held.
    pub(super) fn wait_until_held(&self, patience: Duration) -> Checked {
        match self.held.recv_timeout(patience) {
            Ok(()) => Ok(()),
            Err(_) => fault("a turn ends when something is said", format!("it goes on for {patience:?}")),
        }
    }

    /// Lets a held transport go on.
    pub(super) fn release(&self) {
        let _ended = self.release.try_send(());
    }

    /// Drops the transport after its present turn. Some event must end this turn.
    pub(super) fn drop_after_turn(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Waits until the transport has ended, and checks that it ended properly.
    pub(super) fn end(self, patience: Duration) -> Checked {
        match self.ended.recv_timeout(patience) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => fault("the transport ends in order", error),
            Err(RecvTimeoutError::Timeout) => {
                fault("the transport ends", format!("it still runs after {patience:?}"))
            }
            Err(RecvTimeoutError::Disconnected) => fault("the transport ends in order", "it has panicked"),
        }
    }
}

pub(super) fn is_marker(line: &str) -> bool {
    line.starts_with("[kit] marker ")
}

fn marker_text(marker: &str) -> &str {
    marker.trim_start_matches("[kit] ")
}

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
