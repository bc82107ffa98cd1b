//! The interface between the kit and a transport.

use std::time::{Duration, Instant};

use chat_core::Room;
use chat_core::transport::Transport;
use chat_proto::Notice;

/// The medium of a transport. The kit uses it to open transports and to connect peers to them.
pub trait Medium: Sync {
    /// The transport to be checked.
    type Transport: Transport + 'static;
    /// The place where peers find the transport: a socket's address, a path, a channel.
    type Address: Sync;
    /// The other end of a connection.
    type Peer: Peer;

    /// The promises of this medium in addition to those of every transport. Default: [all](Promises::default).
    fn promises(&self) -> Promises {
        Promises::default()
    }

    /// How long the kit waits for an operation that takes milliseconds on an idle machine. Default 30 s.
    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// Opens a transport for `room`. The kit runs it. It must be possible to open several at once.
    fn open(&self, room: &Room) -> (Self::Transport, Self::Address);

    /// Connects a peer. The transport runs meanwhile.
    ///
    /// If a peer must send something before it can join, send that here, but say nothing to the room. If that needs an
    /// answer, wait for it at most [`patience`](Self::patience). Return a peer even if it was refused: it
    /// [hears](Peer::hear) why.
    fn connect(&self, address: &Self::Address) -> Self::Peer;
}

/// A peer. It speaks and hears only when the kit tells it to. In between, the medium's own buffers hold what the
/// transport sends. Anything that does not fit there stays in the transport.
pub trait Peer: Send {
    /// Sends one line. True once the medium has taken it, false if it has not by `deadline`.
    ///
    /// The line holds no LF. It may hold any other bytes, have any length, and be invalid UTF-8. If the protocol
    /// carries only [texts](chat_proto::Text), say the texts that [`Text::split`](chat_proto::Text::split) makes of
    /// the line.
    fn say(&mut self, line: &[u8], deadline: Instant) -> bool;

    /// Waits until `deadline` for the next thing that the peer hears. `None` if there is nothing.
    fn hear(&mut self, deadline: Instant) -> Option<Heard>;

    /// Leaves by its own choice, in the medium's regular way.
    fn end(self);

    /// Vanishes without a goodbye, in the worst way the medium has.
    fn vanish(self);
}

/// Something that a peer hears. Joins, leaves and refusals to other peers are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// `[author] text`: a message, or a notice of the room to everyone or to this peer alone.
    Line(String),
    /// The peer has missed this many messages.
    Missed(u64),
    /// The peer has left the room or was refused, for this reason.
    Closed(String),
    /// The connection has ended.
    End,
}

impl Heard {
    /// Interprets a line of a plain-text transport that writes the same notices as ours: `[*] You missed N messages`
    /// and `[*] Closed: REASON`.
    #[must_use]
    pub fn from_line(line: &str) -> Self {
        match Notice::of_line(line) {
            Some(Notice::Closed(reason)) => Self::Closed(reason.to_owned()),
            Some(Notice::Missed(messages)) => Self::Missed(messages),
            Some(Notice::NotSaid { .. } | Notice::SideEnded | Notice::CommandCut) | None => {
                Self::Line(line.to_owned())
            }
        }
    }
}

/// The promises in which media differ.
///
/// ```
/// use chat_testkit::conformance::Promises;
///
/// let datagrams = Promises::default().with_reliable(false).with_notices_end(false);
/// # let _ = datagrams;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Promises {
    pub(crate) echo: bool,
    pub(crate) reliable: bool,
    pub(crate) tells_refused: bool,
    pub(crate) notices_end: bool,
    pub(crate) notices_loss: bool,
    pub(crate) moves: bool,
    pub(crate) unread_bytes_max: usize,
}

impl Default for Promises {
    fn default() -> Self {
        Self {
            echo: true,
            reliable: true,
            tells_refused: true,
            notices_end: true,
            notices_loss: true,
            moves: true,
            unread_bytes_max: 64 * 1024,
        }
    }
}

impl Promises {
    /// A member gets its own messages back. If false, it does not hear them, and they do not count as missed.
    #[must_use]
    pub fn with_echo(mut self, echo: bool) -> Self {
        self.echo = echo;
        self
    }

    /// Every message reaches every member, or the member is told exactly how many did not. If false, a member still
    /// hears messages in order and none twice, but nothing is promised to a member that does not read.
    #[must_use]
    pub fn with_reliable(mut self, reliable: bool) -> Self {
        self.reliable = reliable;
        self
    }

    /// A refused peer is told why.
    #[must_use]
    pub fn with_tells_refused(mut self, tells_refused: bool) -> Self {
        self.tells_refused = tells_refused;
        self
    }

    /// The room learns at once of a peer that leaves by its own choice.
    #[must_use]
    pub fn with_notices_end(mut self, notices_end: bool) -> Self {
        self.notices_end = notices_end;
        self
    }

    /// The room learns at once of a peer that vanishes without a goodbye.
    #[must_use]
    pub fn with_notices_loss(mut self, notices_loss: bool) -> Self {
        self.notices_loss = notices_loss;
        self
    }

    /// A member can go to another room, over its connection or by closing it
    /// ([`Action::Move`](chat_core::commands::Action::Move)).
    #[must_use]
    pub fn with_moves(mut self, moves: bool) -> Self {
        self.moves = moves;
        self
    }

    /// The most bytes that the medium itself, like the system's buffers, holds for a peer that reads nothing. No more
    /// may accumulate anywhere.
    #[must_use]
    pub fn with_unread_bytes_max(mut self, unread_bytes_max: usize) -> Self {
        self.unread_bytes_max = unread_bytes_max;
        self
    }
}
