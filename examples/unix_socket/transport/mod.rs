//! The poll loop: who is ready is read from, what the room has to say is encoded once, and whoever is behind is
//! written to.

mod listener;
mod peer;

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use chat_core::{
    Attachment, Deadlines, Dismissed, EncodedLog, LagPolicy, Room, Told, Transport, Turn, Update, Waker,
};
use chat_proto::Entry;
use mio::net::UnixStream;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use listener::Listener;
use peer::Peer;

const WAKE: Token = Token(usize::MAX);
const LISTEN: Token = Token(usize::MAX - 1);

/// Bytes read from one peer in one turn; then the others have theirs.
const READ_BYTES_PER_TURN: usize = 16 * 1024;

/// Peers that were refused and have not read it yet; who comes beyond that is closed without a word.
const REFUSED_MAX: usize = 64;

/// A peer has no address, but a member needs one: loopback, for he is on this machine, with a number that no other peer
/// of this process has.
static NEXT_PEER: AtomicU32 = AtomicU32::new(1);

/// Carries a room over a Unix-domain socket as `[author] text` lines. A member does not get his own lines back.
#[derive(Debug)]
pub(crate) struct UnixTransport {
    poll: Poll,
    events: Events,
    listener: Option<Listener>,
    attachment: Attachment,
    update: Update,
    log: EncodedLog,
    lag_policy: LagPolicy,
    peers: Slab<Peer>,
    /// Of the newest peer.
    generation: u16,
    /// Who may be read from. An event comes once, so who has had his share of a turn stays here.
    queue: Vec<usize>,
    deadlines: Deadlines,
    /// There is something for everyone.
    grown: bool,
    buffer: Box<[u8]>,
}

impl UnixTransport {
    /// Listens at `path`, in place of a server that is no longer there.
    ///
    /// # Errors
    ///
    /// If another server listens there, or something else is in the way, or the system refuses.
    pub(crate) fn bind(path: impl AsRef<Path>, room: &Room) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = mio::Waker::new(poll.registry(), WAKE)?;
        let listener = Listener::bind(path.as_ref(), poll.registry(), LISTEN)?;
        let attachment = room.attach(Waker::new(move || {
            // A wake that fails is one of a poll that has ended.
            let _ended = waker.wake();
        }));
        let config = room.config();
        Ok(Self {
            poll,
            events: Events::with_capacity(256),
            listener: Some(listener),
            attachment,
            update: Update::default(),
            log: EncodedLog::new(config.log_bytes_max),
            lag_policy: config.lag_policy,
            peers: Slab::new(),
            generation: 0,
            queue: Vec::new(),
            deadlines: Deadlines::default(),
            grown: false,
            buffer: vec![0; READ_BYTES_PER_TURN].into(),
        })
    }

    /// Waits for something to do until `until` at most, and marks whom it concerns.
    fn wait(&mut self, until: Option<Instant>) -> io::Result<Instant> {
        let timeout = self.timeout(until);
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(clock()),
            result => result?,
        }
        for event in &self.events {
            match event.token() {
                WAKE => {}
                LISTEN => self.listener.iter_mut().for_each(Listener::on_event),
                token => {
                    // An event may outlive its peer, whose place another one has by now.
                    let (key, generation) = place_of(token);
                    let peer = self.peers.get_mut(key).filter(|peer| peer.generation == generation);
                    if peer.is_some_and(|peer| peer.on_event(event)) {
                        self.queue.push(key);
                    }
                }
            }
        }
        Ok(clock())
    }

    fn timeout(&self, until: Option<Instant>) -> Option<Duration> {
        if !self.queue.is_empty() {
            return Some(Duration::ZERO);
        }
        let now = clock();
        let accept = self.listener.as_ref().and_then(|listener| listener.deadline(now));
        let next = [until, accept, self.deadlines.next(), self.update.pull_by].into_iter().flatten().min()?;
        Some(next.saturating_duration_since(now))
    }

    /// Takes in who is waiting at the door.
    fn accept(&mut self, now: Instant) {
        let accepted = self.listener.as_mut().map_or_else(Vec::new, |listener| listener.accept(now));
        for socket in accepted {
            self.adopt(socket, now);
        }
    }

    fn adopt(&mut self, mut socket: UnixStream, now: Instant) {
        self.generation = self.generation.wrapping_add(1);
        let key = self.peers.vacant_key();
        let token = token_of(key, self.generation);
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut socket, token, interest) {
            return eprintln!("a connection has failed at the start: {error}");
        }
        let joined = self.attachment.join(0, next_address(), now);
        // His place is looked up in a log that holds everything up to his join.
        self.pull(now);
        let refused = self.peers.iter().filter(|(_, peer)| peer.member().is_none()).count();
        if joined.is_ok() || refused < REFUSED_MAX {
            let peer = Peer::new(socket, self.generation, joined, &self.log, now);
            self.peers.insert(peer);
            self.queue.push(key);
        }
    }

    /// Reads from everyone in the queue, each his share. Returns who was there.
    fn listen(&mut self, now: Instant) -> Vec<usize> {
        let served = std::mem::take(&mut self.queue);
        for &key in &served {
            if let Some(peer) = self.peers.get_mut(key) {
                peer.listen(&mut self.buffer, &self.attachment, now);
            }
        }
        served
    }

    fn expire(&mut self, now: Instant) -> Vec<usize> {
        let mut due = Vec::new();
        while let Some(key) = self.deadlines.pop_due(now) {
            self.peers[key].on_deadline(now);
            due.push(key);
        }
        due
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
        self.grown |= !self.update.entries.is_empty() || self.update.missed_up_to.is_some();
        for Told { member, direct, .. } in &self.update.direct {
            if let Some((_, peer)) = self.peers.iter_mut().find(|(_, peer)| peer.member() == Some(*member)) {
                peer.tell_direct(direct);
                self.attachment.got(*member, direct.number); // a stream delivers it
                self.grown = true; // has it flushed with the others
            }
        }
        for Dismissed { member, reason, .. } in &self.update.dismissed {
            if let Some((_, peer)) = self.peers.iter_mut().find(|(_, peer)| peer.member() == Some(*member)) {
                peer.part(reason, now);
                self.grown = true; // has him flushed with the others
            }
        }
    }

    /// Writes to these, and lists them where they must be served again.
    fn flush(&mut self, keys: impl IntoIterator<Item = usize>, now: Instant) {
        for key in keys {
            let Some(peer) = self.peers.get_mut(key) else { continue };
            peer.flush(&self.log, self.lag_policy, &self.attachment, now);
            if peer.is_done() {
                let mut peer = self.peers.remove(key);
                self.deadlines.remove(key, &mut peer.listed);
                continue;
            }
            if let Some(due) = peer.due() {
                self.deadlines.list(key, &mut peer.listed, due);
            }
            if peer.queue_if_ready() {
                self.queue.push(key);
            }
        }
    }

    fn flush_all(&mut self, now: Instant) {
        let keys: Vec<_> = self.peers.iter().map(|(key, _)| key).collect();
        self.flush(keys, now);
    }
}

impl Transport for UnixTransport {
    type Error = io::Error;

    fn turn(&mut self, until: Option<Instant>) -> io::Result<Turn> {
        let now = self.wait(until)?;
        self.accept(now);
        let mut served = self.listen(now);
        served.extend(self.expire(now));
        self.pull(now);
        match std::mem::take(&mut self.grown) {
            true => self.flush_all(now),
            false => self.flush(served, now),
        }
        Ok(self.update.closing.map_or(Turn::Open, |deadline| Turn::Closing { deadline }))
    }

    fn drain(&mut self, deadline: Instant) -> io::Result<()> {
        self.listener = None; // and with it its file
        let mut now = clock();
        self.pull(now);
        self.update.pull_by = None;
        for (_, peer) in &mut self.peers {
            peer.drain();
        }
        loop {
            self.flush_all(now);
            if self.peers.is_empty() || now >= deadline {
                return Ok(()); // who is left is cut off
            }
            now = self.wait(Some(deadline))?;
            self.queue.clear(); // nobody is listened to any more
            self.expire(now);
        }
    }
}

/// What an entry looks like to a peer: nothing, unless somebody has said something.
fn encode(entry: &Entry, out: &mut Vec<u8>) {
    if entry.event.is_message() {
        out.extend_from_slice(entry.event.to_string().as_bytes());
        out.push(b'\n');
    }
}

fn next_address() -> SocketAddr {
    let [a, b, c, d] = NEXT_PEER.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(127, 1, a, b), u16::from_be_bytes([c, d])))
}

/// A token holds a peer's place and, above it, a generation, which tells apart those who had the place one after the
/// other.
const KEY_BITS: u32 = usize::BITS - u16::BITS;

fn token_of(key: usize, generation: u16) -> Token {
    Token(usize::from(generation) << KEY_BITS | key)
}

#[expect(clippy::cast_possible_truncation, reason = "16 bits are left after the shift")]
fn place_of(Token(token): Token) -> (usize, u16) {
    (token & ((1 << KEY_BITS) - 1), (token >> KEY_BITS) as u16)
}

#[expect(clippy::disallowed_methods, reason = "the shell is where the clock is read")]
fn clock() -> Instant {
    Instant::now()
}
