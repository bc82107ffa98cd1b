//! The interface between the kit and a transport.

use std::time::{Duration, Instant};

use chat_core::{Room, Transport};
use chat_proto::Notice;

/// A transport's medium, as the kit uses it: opens transports, and connects peers to them.
pub trait Medium: Sync {
    /// The transport to be checked.
    type Transport: Transport + 'static;
    /// Where peers find the transport: a socket's address, a path, a channel.
    type Address: Sync;
    /// The other end of a connection.
    type Peer: Peer;

    /// What the medium promises beyond the promises of every transport. Default: everything.
    fn promises(&self) -> Promises {
        Promises::default()
    }

    /// How long an operation may take that takes milliseconds on an idle machine. Default 30 s.
    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// A transport for `room`, which the kit runs. It must be possible to open several at once.
    fn open(&self, room: &Room) -> (Self::Transport, Self::Address);

    /// Connects a peer. The transport runs meanwhile. If a peer can join only after it has sent something, send
    /// that here, but say nothing. If that needs an answer, wait for it at most [`patience`](Self::patience). A refused
    /// peer is a peer, too, and [hears](Peer::hear) why.
    fn connect(&self, address: &Self::Address) -> Self::Peer;
}

/// A peer, which speaks and hears only when the kit tells it to. What the transport sends it in between stays in the
/// medium's own buffers, and what does not fit there, in the transport.
pub trait Peer: Send {
    /// Sends one line. It holds no LF and may hold anything else, be of any length, and not be UTF-8: a peer whose
    /// protocol carries [texts](chat_proto::Text) only says what [`Text::split`](chat_proto::Text::split) makes of it.
    /// True once the medium has taken it; false if it has not by `deadline`.
    fn say(&mut self, line: &[u8], deadline: Instant) -> bool;

    /// The next thing the peer hears; waits for it until `deadline`. `None` if there is nothing.
    fn hear(&mut self, deadline: Instant) -> Option<Heard>;

    /// Leaves by its own choice, in the medium's regular way.
    fn end(self);

    /// Vanishes without a goodbye, in the worst way the medium has.
    fn vanish(self);
}

/// What a peer hears, without joins, leaves, and refusals to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// `[author] text`: a message, or a notice of the room to everyone or to this peer alone.
    Line(String),
    /// The peer has missed this many messages.
    Missed(u64),
    /// The peer is out of the room, or was refused, for this reason.
    Closed(String),
    /// The connection has ended.
    End,
}

impl Heard {
    /// The meaning of a line for a peer of a plain-text transport that writes notices as ours do: `[*] You missed N
    /// messages`, `[*] Closed: REASON`.
    #[must_use]
    pub fn from_line(line: &str) -> Self {
        match Notice::of_line(line) {
            Some(Notice::Closed(reason)) => Self::Closed(reason.to_owned()),
            Some(Notice::Missed(messages)) => Self::Missed(messages),
            Some(Notice::SideEnded | Notice::CommandCut) | None => Self::Line(line.to_owned()),
        }
    }
}

/// The differences between media.
///
/// ```
/// use chat_testkit::conformance::Promises;
///
/// let datagrams = Promises::default().with_reliable(false).with_notices_end(false);
/// assert!(datagrams.echo);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Promises {
    /// A member gets its own messages back. If not, they are left out of what it hears and of what it missed.
    pub echo: bool,
    /// Every message reaches every member, or the member is told exactly how many did not. If not, it still hears
    /// messages in order, and none twice; nothing is promised to a member that does not read.
    pub reliable: bool,
    /// A refused peer is told why.
    pub tells_refused: bool,
    /// The room learns at once of a peer that leaves by its own choice.
    pub notices_end: bool,
    /// The room learns at once of a peer that vanishes without a goodbye.
    pub notices_loss: bool,
    /// A member can go to another room, over its connection or by closing it ([`Action::Move`](chat_core::Action::Move)).
    pub moves: bool,
    /// Most bytes that the medium itself holds for a peer that reads nothing: the system's buffers. No more may
    /// accumulate anywhere.
    pub unread_bytes_max: usize,
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
    /// Sets [`echo`](Self::echo).
    #[must_use]
    pub fn with_echo(mut self, echo: bool) -> Self {
        self.echo = echo;
        self
    }

    /// Sets [`reliable`](Self::reliable).
    #[must_use]
    pub fn with_reliable(mut self, reliable: bool) -> Self {
        self.reliable = reliable;
        self
    }

    /// Sets [`tells_refused`](Self::tells_refused).
    #[must_use]
    pub fn with_tells_refused(mut self, tells_refused: bool) -> Self {
        self.tells_refused = tells_refused;
        self
    }

    /// Sets [`notices_end`](Self::notices_end).
    #[must_use]
    pub fn with_notices_end(mut self, notices_end: bool) -> Self {
        self.notices_end = notices_end;
        self
    }

    /// Sets [`notices_loss`](Self::notices_loss).
    #[must_use]
    pub fn with_notices_loss(mut self, notices_loss: bool) -> Self {
        self.notices_loss = notices_loss;
        self
    }

    /// Sets [`moves`](Self::moves).
    #[must_use]
    pub fn with_moves(mut self, moves: bool) -> Self {
        self.moves = moves;
        self
    }

    /// Sets [`unread_bytes_max`](Self::unread_bytes_max).
    #[must_use]
    pub fn with_unread_bytes_max(mut self, unread_bytes_max: usize) -> Self {
        self.unread_bytes_max = unread_bytes_max;
        self
    }
}
