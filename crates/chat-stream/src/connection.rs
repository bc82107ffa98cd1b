//! One peer's connection: a state machine without a socket.
//!
//! Bytes go in with [`Connection::receive`], bytes come out through the writer given to
//! [`Connection::flush`], and time comes as an argument. `peer.rs` joins it to a
//! stream.
//!
//! ```text
//!   Handshake      (the stream opens: TLS, for example)
//!      |
//!   Opening ------> Member --------------> Leaving --------> Lingering -----------------> Done
//!      |  hello, or    |   end, or the        |     all         |      peer's end of input,  ^
//!      |  plain words, |   room has           |     written     |      or 1 s                |
//!      |  or 200 ms    |   ended it           |                 +----------------------------+
//!      |  of silence   +---> Draining ------->+                                              |
//!      |               |     the room closes, |                                              |
//!      |               |     all is written   |                                              |
//!      +-------------->+---> Moving           |                                              |
//!      |               |     to a room, once  |                                              |
//!      |               |     it is open, then |                                              |
//!      |               |     Member (again)   |                                              |
//!      |               +---> Quitting ------->+                                              |
//!      |               |     told to leave,   |                                              |
//!      |               |     all is written   |                                              |
//!      +--- refused, with a reason ---------->+                                              |
//!      |               +------------ lost, or not worth a word ------------------------------+
//!      +---------------------------- lost, not chat, or 10 s --------------------------------+
//! ```

mod deadlines;
mod ending;
mod input;
mod moving;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_core::access::{Identity, Opening};
use chat_core::transport::{CaughtUp, Cursor, FeedId, Format, Membership, PendingRoom};
use chat_proto::{Direct, Hello, LeaveReason, RoomFrame};

use crate::context::Context;
use crate::incoming::{Incoming, Offer};
use crate::limits::{LINGER_TIMEOUT, OPENING_GRACE, OUTBOX_BYTES_MAX};
use crate::outgoing::{Flushed, Outgoing, Reading};
use crate::speaker::Speaker;
use crate::stream::Speaks;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The stream is not open yet.
    Handshake,
    /// Not a member yet: the peer's protocol is not known, or its hello has not arrived.
    Opening,
    /// A member.
    Member,
    /// A member that is throttled: nothing is taken from it for now.
    Paused,
    /// Still a member, but its input is ignored: it gets its pending output, then leaves.
    Draining,
    /// It has given the command to go to another room, or named one in its hello: it gets what it is owed, and moves
    /// once the room is open. Until then nothing is taken from it.
    Moving,
    /// It has given the command to leave: it gets what it is owed, then leaves.
    Quitting,
    /// Not a member; its last words are in the outbox.
    Leaving,
    /// Everything is written and our side is shut down: waits for the peer to shut down its side.
    Lingering,
    Done,
}

/// The peer's state in the room.
#[derive(Debug)]
enum Who {
    Newcomer(Box<Newcomer>),
    Member(Speaker),
    /// A peer that has left, or was refused.
    Stranger,
}

/// The state of a peer until it is a member.
#[derive(Debug)]
struct Newcomer {
    identity: Identity,
    /// Keeps others from speaking under its address.
    opening: Option<Opening>,
    /// When it came.
    came: Instant,
    /// Its hello, if it waits for the room that it named.
    hello: Option<Box<(Hello, PendingRoom)>>,
}

/// A peer's connection to the room. There may be ten thousand, so every byte here counts: state that only a
/// few need at a time is boxed.
#[derive(Debug)]
pub(crate) struct Connection {
    phase: Phase,
    /// The peer has shut down its side.
    peer_ended: bool,
    /// The feed that has it among its members.
    pub(crate) room: Option<FeedId>,
    who: Who,
    incoming: Incoming,
    /// Bytes received and not processed yet: at most the bytes of one read.
    backlog: Box<[u8]>,
    outgoing: Outgoing,
    /// When something is due, by `phase`: the rest of the input; the end of a pause, of lingering or of the first
    /// silence; or the end of the time that a member has to read its output before it moves.
    due: Option<Instant>,
}

impl Connection {
    /// The connection of a new peer.
    pub(crate) fn new(address: SocketAddr, offer: Offer, now: Instant) -> Self {
        Self {
            phase: Phase::Handshake,
            peer_ended: false,
            room: None,
            who: Who::Newcomer(Newcomer::new(address.into(), None, now)),
            incoming: Incoming::Opening(offer),
            backlog: Box::default(),
            outgoing: Outgoing::new(Reading::Delimited(Format::Lf), Cursor::default()),
            due: Some(now + OPENING_GRACE),
        }
    }

    /// If it is silent until then, it is a listener.
    pub(crate) fn silent_at(mut self, at: Instant) -> Self {
        self.due = Some(at);
        self
    }

    /// Until it is a member nobody speaks under its address.
    pub(crate) fn opening(mut self, opening: Opening) -> Self {
        if let Who::Newcomer(newcomer) = &mut self.who {
            newcomer.opening = Some(opening);
        }
        self
    }

    /// The connection of a new peer that has opened a WebSocket already.
    #[cfg(feature = "web")]
    pub(crate) fn websocket(address: SocketAddr, now: Instant) -> Self {
        let incoming = Incoming::WebSocket(Box::default());
        Self { incoming, ..Self::new(address, None, now) }
    }

    /// Whether the stream is not open yet: then nothing is read from it or written to it.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.phase == Phase::Handshake
    }

    /// Whether the stream is not open, and the peer has been silent for as long as a listener is.
    pub(crate) fn is_silent(&self, now: Instant) -> bool {
        self.is_handshaking() && self.due.is_some_and(|due| due <= now)
    }

    /// The stream knows who its peer is.
    pub(crate) fn identify(&mut self, identity: Identity) {
        if let Who::Newcomer(newcomer) = &mut self.who {
            newcomer.opening = newcomer.opening.take().map(|opening| opening.at(identity.address));
            newcomer.identity = identity;
        }
    }

    /// The stream is open. A peer that shows nothing of its protocol within `grace` is a listener.
    pub(crate) fn opened(&mut self, speaks: Speaks, grace: Duration, cx: &mut Context<'_>) {
        self.phase = Phase::Opening;
        self.due = None;
        match speaks {
            #[cfg(feature = "web")]
            _ if matches!(self.incoming, Incoming::WebSocket(_)) => {
                self.outgoing.read_as(Reading::Delimited(self.incoming.format()), cx);
            }
            Speaks::Any => self.due = Some(cx.now + grace),
            Speaks::Framed => self.incoming = Incoming::framed(),
            Speaks::Plain => {
                self.incoming = Incoming::plain();
                self.join(Format::Lf, cx);
            }
        }
    }

    /// The peer joins, or is told why it may not. True if it is a member.
    fn join(&mut self, format: Format, cx: &mut Context<'_>) -> bool {
        let Who::Newcomer(newcomer) = &self.who else { return self.member().is_some() };
        match cx.feed().attachment().join(cx.key, newcomer.identity.clone(), cx.now) {
            Ok(joined) => {
                cx.feed_mut().pull(); // the log must reach the start of the peer
                let cursor = cx.feed_mut().open(format).after(joined.seq);
                self.outgoing.start(Reading::Delimited(format), cursor);
                self.who = Who::Member(Speaker::new(joined.member));
                self.phase = Phase::Member;
                true
            }
            Err(error) => {
                self.dismiss(&LeaveReason::from(error), cx.now);
                false
            }
        }
    }

    /// The member, while the peer is one.
    pub(crate) fn member(&self) -> Option<Membership> {
        self.speaker().map(Speaker::member)
    }

    /// Something for this member alone, of a room that began at this moment.
    pub(crate) fn tell(&mut self, direct: Arc<Direct>, began_unix_ms: u64, now: Instant) {
        if !matches!(
            self.phase,
            Phase::Member | Phase::Paused | Phase::Moving | Phase::Draining | Phase::Quitting
        ) {
            return;
        }
        match self.outgoing.format().is_plain() {
            true => self.outgoing.push_direct(&direct, now),
            false => self.outgoing.push_frame_of(&RoomFrame::Direct(direct), began_unix_ms),
        }
    }

    /// Old messages for this member, which was before the log's tail.
    pub(crate) fn catch_up(&mut self, caught_up: CaughtUp, cx: &mut Context<'_>) {
        let Who::Member(speaker) = &mut self.who else { return };
        if !self.outgoing.take_page(caught_up, speaker, cx) {
            self.end(LeaveReason::Lagged, cx);
        }
    }

    fn speaker(&self) -> Option<&Speaker> {
        if let Who::Member(speaker) = &self.who { Some(speaker) } else { None }
    }

    /// Sequence number of the last message that is written to it.
    pub(crate) fn seq(&self) -> u64 {
        self.outgoing.seq()
    }

    /// Whether it is undecided whether the peer becomes a member.
    pub(crate) fn is_newcomer(&self) -> bool {
        matches!(self.who, Who::Newcomer(_))
    }

    /// The address of a peer that is not a member yet.
    pub(crate) fn newcomer_address(&self) -> Option<SocketAddr> {
        if let Who::Newcomer(newcomer) = &self.who { Some(newcomer.identity.address) } else { None }
    }

    /// Whether the socket can be dropped.
    pub(crate) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Whether the socket has refused bytes.
    pub(crate) fn is_blocked(&self) -> bool {
        self.outgoing.stalled_since().is_some()
    }

    /// Bytes for the peer alone that are still to be written.
    pub(crate) fn outbox_len(&self) -> usize {
        self.outgoing.outbox_len()
    }

    /// Bytes of a plain peer's line that has begun and not ended.
    pub(crate) fn unfinished_len(&self) -> usize {
        self.incoming.unfinished_len()
    }

    /// Bytes received and not processed yet.
    pub(crate) fn backlog_len(&self) -> usize {
        self.backlog.len()
    }

    /// Whether bytes that are read now can be processed. If not, they stay in the socket, which slows the
    /// peer down.
    pub(crate) fn wants_bytes(&self) -> bool {
        self.backlog.is_empty() && !self.incoming.has_rest() && self.takes_bytes()
    }

    fn takes_bytes(&self) -> bool {
        match self.phase {
            Phase::Handshake | Phase::Opening | Phase::Member => {
                self.outgoing.outbox_len() <= OUTBOX_BYTES_MAX
            }
            Phase::Paused | Phase::Moving | Phase::Done => false,
            Phase::Draining | Phase::Quitting | Phase::Leaving | Phase::Lingering => true,
        }
    }

    // ---- bytes out -----------------------------------------------------------------------------

    /// Writes the pending output as far as `socket` takes it. True if our side must be shut down
    /// now.
    ///
    /// # Errors
    ///
    /// The error of the socket. Then call [`give_up_writing`](Self::give_up_writing).
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>, socket: &mut impl Write) -> io::Result<bool> {
        if self.phase == Phase::Moving {
            cx.feed_mut().pull(); // the member gets what others say until it goes
        }
        loop {
            if matches!(self.phase, Phase::Handshake | Phase::Lingering | Phase::Done) {
                return Ok(false);
            }
            let listener = match &mut self.who {
                Who::Member(speaker) => Some(speaker).filter(|_| self.incoming.is_decided()),
                Who::Newcomer(_) | Who::Stranger => None,
            };
            match (self.outgoing.flush(listener, cx, socket), self.phase) {
                (Ok(Flushed::Lagged), _) => self.end(LeaveReason::Lagged, cx),
                (Ok(Flushed::Behind { ask }), _) => {
                    if let (true, Some(member)) = (ask, self.member()) {
                        let (key, after) = (cx.key, self.outgoing.seq());
                        cx.feed_mut().catch_up(key, member, after);
                    }
                    return Ok(false);
                }
                (Ok(Flushed::All), Phase::Draining) => self.end(LeaveReason::Stopping, cx),
                // It is told the results of its messages once the journal has them.
                (Ok(Flushed::All), Phase::Moving | Phase::Quitting) if !self.is_answered(cx) => {
                    return Ok(false);
                }
                // It had time to read the rest.
                (Ok(Flushed::Blocked), Phase::Moving) if self.due.is_none() => {
                    let _not_open_yet = self.enter_room(cx);
                    return Ok(false);
                }
                (Ok(Flushed::All), Phase::Moving) if !self.enter_room(cx) => return Ok(false),
                (Ok(Flushed::All), Phase::Moving) => {}
                (Ok(Flushed::All), Phase::Quitting) => self.end(LeaveReason::Quit, cx),
                (Ok(Flushed::All), Phase::Leaving) => {
                    self.phase = if self.peer_ended { Phase::Done } else { Phase::Lingering };
                    self.due = Some(cx.now + LINGER_TIMEOUT);
                    return Ok(true);
                }
                (Ok(Flushed::All | Flushed::Blocked), _) => return Ok(false),
                (Err(error), _) => return Err(error),
            }
        }
    }

    /// Nothing can be written any more. The peer's last bytes may still be readable; after that,
    /// [`fail`](Self::fail) ends the connection.
    pub(crate) fn give_up_writing(&mut self) {
        self.outgoing.give_up();
    }
}
