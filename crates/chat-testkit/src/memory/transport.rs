//! The transport: one loop over all peers.

use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use chat_core::{
    Attachment, Cursor, Dismissed, EncodedLog, JoinError, Joined, LagPolicy, Membership, Pending, Room, Told,
    Transport, Turn, Update, Waker,
};
use chat_proto::{Author, Entry, LeaveReason, Line, PlainSplitter, Text};
use crossbeam_channel::{Receiver, bounded};

use super::peer::{Arrival, MemoryDoor};
use super::pipe::{RoomEnd, now};
use crate::VirtualTime;

/// Peers that may wait to be taken in.
const ARRIVALS_MAX: usize = 1024;

/// Bytes read from one peer in one turn; then the others have theirs.
const READ_BYTES_PER_TURN: usize = 4 * 1024;

/// Bytes for one peer alone that may wait to be written before nothing more is read from him.
const OUTBOX_BYTES_MAX: usize = 4 * 1024;

/// How long a peer whose membership has ended may take to read why.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// Carries a room to [`MemoryPeer`](crate::MemoryPeer)s in the same process, as `[author] text` lines.
///
/// A member gets his own lines back, at their place in the order. Joins and leaves are not shown. Like every transport
/// it may run on a thread of its own:
///
/// ```
/// use std::time::Duration;
/// use chat_core::{Room, RoomConfig, Running};
/// use chat_testkit::MemoryTransport;
///
/// let room = Room::new(RoomConfig::default());
/// let (transport, door) = MemoryTransport::new(&room);
/// let (ann, mut bob) = (door.connect(), door.connect());
/// assert!(ann.say(b"hello"));
/// let mut running = Running::new(&room);
/// running.spawn("memory", transport)?;
/// # #[expect(clippy::disallowed_methods)]
/// let deadline = std::time::Instant::now() + Duration::from_secs(30);
/// assert_eq!(bob.hear_by(deadline), Some(format!("[{}] hello", ann.address())));
///
/// room.close("That was all", Duration::from_secs(5));
/// running.join()?;
/// assert_eq!(bob.hear(), Some("[*] That was all".into()));
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
///
/// In [virtual time](Self::in_time) a test calls each turn itself, and nothing ever waits:
///
/// ```
/// use std::num::NonZeroU32;
/// use chat_core::{Rate, Room, RoomConfig, Transport, World};
/// use chat_testkit::{MemoryTransport, VirtualTime};
///
/// let time = VirtualTime::default();
/// let world = World { clock: time.clock(), unix_ms: 0, seed: [1; 32] };
/// let one = NonZeroU32::MIN;
/// let rate = Some(Rate { burst: one, per_second: one });
/// let room = Room::in_world(RoomConfig::default().with_rate(rate), world);
/// let (mut transport, door) = MemoryTransport::in_time(&room, &time);
/// let mut ann = door.connect();
/// assert!(ann.say(b"one") && ann.say(b"two") && ann.say(b"three"));
///
/// let mut heard = Vec::new();
/// while heard.len() < 3 {
///     let _open = transport.turn(None)?;
///     heard.extend(std::iter::from_fn(|| ann.hear()));
///     if let Some(deadline) = transport.deadline() {
///         time.advance_to(deadline);
///     }
/// }
/// // The second message was one too many at once, so the third waited for the second to be due.
/// assert!(heard[2].ends_with("] three"));
/// assert_eq!(time.passed().as_secs(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct MemoryTransport {
    attachment: Attachment,
    update: Update,
    log: EncodedLog,
    lag_policy: LagPolicy,
    arrivals: Receiver<Arrival>,
    /// Holds a token when there may be something to do. A token stays until it is taken, so it does not matter whether
    /// the transport waits when the bell rings.
    bell: Receiver<()>,
    peers: Vec<Served>,
    /// Someone has had his share of a turn and may have sent more.
    busy: bool,
    /// None: the real time.
    time: Option<VirtualTime>,
}

/// A peer as the transport serves him.
#[derive(Debug)]
struct Served {
    pipe: RoomEnd,
    /// None for who has left or was refused: he only gets what is in his outbox.
    member: Option<Membership>,
    splitter: PlainSplitter,
    /// Read from him and not heard yet, because he is to pause.
    backlog: Vec<u8>,
    pause_until: Option<Instant>,
    cursor: Cursor,
    /// For him alone, and before anything else: notices, and the rest of an entry that he took in part.
    outbox: Vec<u8>,
    /// When he is cut off, once he is no member any more.
    leave_by: Option<Instant>,
    gone: bool,
}

impl MemoryTransport {
    /// A transport of `room`, and where its peers connect.
    #[must_use]
    pub fn new(room: &Room) -> (Self, MemoryDoor) {
        Self::with_time(room, None)
    }

    /// The same in virtual time: a turn does what is ready and returns; a drain writes what its peers take at once, and
    /// then sets the clock to its deadline if somebody has not taken all.
    #[must_use]
    pub fn in_time(room: &Room, time: &VirtualTime) -> (Self, MemoryDoor) {
        Self::with_time(room, Some(time.clone()))
    }

    fn with_time(room: &Room, time: Option<VirtualTime>) -> (Self, MemoryDoor) {
        let (ring, bell) = bounded(1);
        let waker = Waker::new(move || {
            let _full = ring.try_send(()); // then a token is there already
        });
        let (arrive, arrivals) = bounded(ARRIVALS_MAX);
        let door = MemoryDoor::new(arrive, waker.clone());
        let attachment = room.attach(waker).with_word("mem");
        let config = room.config();
        let log = EncodedLog::new(config.log_bytes_max);
        let lag_policy = config.lag_policy;
        let (update, peers) = (Update::default(), Vec::new());
        (Self { attachment, update, log, lag_policy, arrivals, bell, peers, busy: false, time }, door)
    }

    /// When the next turn is due, even if nobody does anything.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let peers = self.peers.iter().flat_map(|peer| [peer.pause_until, peer.leave_by]);
        let now = self.busy.then(|| self.now());
        peers.chain([self.update.pull_by, now]).flatten().min()
    }

    fn now(&self) -> Instant {
        self.time.as_ref().map_or_else(now, VirtualTime::now)
    }

    /// Waits until the bell rings, something is due, or `until`.
    fn wait(&self, until: Option<Instant>) {
        let _rang = match until.into_iter().chain(self.deadline()).min() {
            _ if self.time.is_some() => self.bell.try_recv().is_ok(),
            Some(until) => self.bell.recv_deadline(until).is_ok(),
            None => self.bell.recv().is_ok(),
        };
    }

    /// Takes in who has come. Nobody is heard before that, so whoever connected before something was said hears it.
    fn accept(&mut self, now: Instant) {
        while let Ok((pipe, address)) = self.arrivals.try_recv() {
            let joined = self.attachment.join(0, address, now);
            // The log must hold everything up to the join before his place in it is looked up.
            self.pull(now);
            self.peers.push(Served::new(pipe, joined, &self.log, now));
        }
    }

    /// Takes what is new in the room into the log, and parts with those who must go.
    fn pull(&mut self, now: Instant) {
        self.attachment.pull(&mut self.update);
        if let Some(seq) = self.update.missed_up_to {
            self.log.restart_after(seq);
        }
        for entry in &self.update.entries {
            self.log.push(entry, encode);
        }
        for Told { member, direct, .. } in &self.update.direct {
            if let Some(peer) = self.peers.iter_mut().find(|peer| peer.member == Some(*member)) {
                let _to_memory = writeln!(peer.outbox, "{}", direct.item);
                self.attachment.got(*member, direct.number); // what is in memory is as good as written
            }
        }
        for Dismissed { member, reason, .. } in &self.update.dismissed {
            if let Some(peer) = self.peers.iter_mut().find(|peer| peer.member == Some(*member)) {
                peer.part(reason, now);
            }
        }
    }

    fn serve(&mut self, now: Instant) {
        self.busy = false;
        for peer in &mut self.peers {
            self.busy |= peer.listen(&self.attachment, now);
        }
        self.pull(now);
        for peer in &mut self.peers {
            let was_held_back = peer.is_held_back();
            peer.flush(&self.log, self.lag_policy, &self.attachment, now);
            // Nothing else will tell that what he sent in the meantime can be read now.
            self.busy |= was_held_back && !peer.is_held_back();
        }
        self.peers.retain(|peer| !peer.gone);
    }
}

impl Transport for MemoryTransport {
    type Error = io::Error;

    fn turn(&mut self, until: Option<Instant>) -> io::Result<Turn> {
        self.wait(until);
        let now = self.now();
        self.accept(now);
        self.serve(now);
        Ok(self.update.closing.map_or(Turn::Open, |deadline| Turn::Closing { deadline }))
    }

    fn drain(&mut self, deadline: Instant) -> io::Result<()> {
        // Who comes now finds his connection closed.
        self.arrivals = bounded(0).1;
        self.busy = false;
        let mut now = self.now();
        self.pull(now);
        self.update.pull_by = None;
        loop {
            for peer in &mut self.peers {
                peer.pause_until = None;
                peer.flush(&self.log, self.lag_policy, &self.attachment, now);
                if let Some(member) = peer.member.filter(|_| !peer.is_behind(&self.log)) {
                    self.attachment.leave(member, LeaveReason::Stopping, now);
                    peer.gone = true; // the farewell was in the log
                }
            }
            self.peers.retain(|peer| !peer.gone);
            if self.peers.is_empty() || now >= deadline {
                return Ok(());
            }
            match &self.time {
                Some(time) => time.advance_to(deadline),
                None => self.wait(Some(deadline)),
            }
            now = self.now();
        }
    }
}

impl Served {
    /// A peer who has joined, or who may not and is told why.
    fn new(pipe: RoomEnd, joined: Result<Joined, JoinError>, log: &EncodedLog, now: Instant) -> Self {
        let mut peer = Self {
            pipe,
            member: None,
            splitter: PlainSplitter::new(),
            backlog: Vec::new(),
            pause_until: None,
            cursor: log.head(),
            outbox: Vec::new(),
            leave_by: None,
            gone: false,
        };
        match joined {
            Ok(Joined { member, seq, .. }) => (peer.member, peer.cursor) = (Some(member), log.after(seq)),
            Err(error) => peer.part(&error.into(), now),
        }
        peer
    }

    /// His membership has ended: he is told why, and then his connection is closed.
    fn part(&mut self, reason: &LeaveReason, now: Instant) {
        self.tell(&format!("Closed: {reason}"));
        self.member = None;
        self.leave_by = Some(now + LINGER_TIMEOUT);
    }

    /// A line for him alone.
    fn tell(&mut self, text: &str) {
        let text = Text::one_line(text).unwrap_or_default();
        let _to_memory = writeln!(self.outbox, "{}", Line { author: Author::Room, text });
    }

    /// Hears what he says, as much as one turn gives him. True if there may be more.
    fn listen(&mut self, attachment: &Attachment, now: Instant) -> bool {
        let Some(member) = self.member else { return false };
        if self.is_held_back() || self.pause_until.is_some_and(|until| until > now) {
            return false;
        }
        self.pause_until = None;
        let mut bytes = std::mem::take(&mut self.backlog);
        let mut end = None;
        if bytes.is_empty() {
            bytes.resize(READ_BYTES_PER_TURN, 0);
            match self.pipe.read(&mut bytes) {
                Ok(count) => {
                    bytes.truncate(count);
                    end = (count == 0).then_some(LeaveReason::Quit);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(_) => end = Some(LeaveReason::Lost),
            }
        }
        if end.is_none() {
            end = self.hear(&bytes, member, attachment, now);
        } else if let Some(last) = self.splitter.finish() {
            // An unfinished last line is a line.
            self.say(&last, member, attachment, now);
        }
        let Some(reason) = end else { return true };
        attachment.leave(member, reason.clone(), now);
        self.part(&reason, now);
        self.gone |= reason != LeaveReason::LineTooLong; // the others are gone themselves
        false
    }

    /// Says the lines in `bytes` until he is to pause. The reason for which he must leave, if he must.
    fn hear(
        &mut self,
        bytes: &[u8],
        member: Membership,
        attachment: &Attachment,
        now: Instant,
    ) -> Option<LeaveReason> {
        let mut input = bytes;
        let mut splitter = std::mem::take(&mut self.splitter);
        let end = loop {
            if self.pause_until.is_some() {
                self.backlog = input.to_vec();
                break None;
            }
            match splitter.next(&mut input) {
                Ok(Some(line)) => self.say(line, member, attachment, now),
                Ok(None) => break None,
                Err(_) => break Some(LeaveReason::LineTooLong),
            }
        };
        self.splitter = splitter;
        end
    }

    fn say(&mut self, line: &[u8], member: Membership, attachment: &Attachment, now: Instant) {
        // A long line becomes several messages; an empty one is none.
        for text in Text::split(line) {
            // An error means that the room is closing, or has put him out: the next pull tells so.
            let Ok(said) = attachment.say(member, text, now) else { return };
            self.pause_until = self.pause_until.max(said.pause_until);
        }
    }

    /// Writes what he is owed until he has it all or takes no more.
    fn flush(&mut self, log: &EncodedLog, lag_policy: LagPolicy, attachment: &Attachment, now: Instant) {
        if self.leave_by.is_some_and(|by| by <= now) {
            self.gone = true;
        }
        while !self.gone {
            let written = if !self.outbox.is_empty() {
                self.pipe.write(&self.outbox).inspect(|&count| drop(self.outbox.drain(..count)))
            } else if let Some(member) = self.member {
                match log.pending(self.cursor) {
                    Pending::Nothing => return,
                    Pending::Bytes(a, b) => {
                        let bytes = if a.is_empty() { b } else { a };
                        self.pipe.write(bytes).inspect(|&count| {
                            let advanced = log.advance(self.cursor, count);
                            self.cursor = advanced.cursor;
                            // The tail may pass the cursor any time, so the rest of an entry is kept aside.
                            let (a, b) = advanced.torn.unwrap_or_default();
                            self.outbox.extend_from_slice(a);
                            self.outbox.extend_from_slice(b);
                        })
                    }
                    Pending::Lagged { missed, resume } => {
                        self.cursor = resume;
                        match (missed, lag_policy) {
                            (0, _) => {} // only joins and leaves have passed him
                            (_, LagPolicy::Close) => {
                                attachment.leave(member, LeaveReason::Lagged, now);
                                self.part(&LeaveReason::Lagged, now);
                            }
                            (missed, _) => {
                                attachment.count_missed(missed);
                                let messages = if missed == 1 { "message" } else { "messages" };
                                self.tell(&format!("You missed {missed} {messages}"));
                            }
                        }
                        continue;
                    }
                }
            } else {
                self.gone = true; // he has read why
                return;
            };
            match written {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // He is gone. What he said last may still be there to be heard, which is where his end is found, too.
                Err(_) => {
                    self.outbox.clear();
                    self.cursor = log.head();
                    self.gone = self.member.is_none();
                    return;
                }
            }
        }
    }

    /// Whether he has to read answers before he is heard again.
    fn is_held_back(&self) -> bool {
        self.outbox.len() > OUTBOX_BYTES_MAX
    }

    fn is_behind(&self, log: &EncodedLog) -> bool {
        !self.outbox.is_empty() || log.pending(self.cursor) != Pending::Nothing
    }
}

/// What an entry looks like to a peer: nothing, if it is not a message.
fn encode(entry: &Entry, out: &mut Vec<u8>) {
    if entry.event.is_message() {
        let _to_memory = writeln!(out, "{}", entry.event);
    }
}
