//! The contract between the room and a transport, and how to run a transport.

pub(crate) mod attachment;
pub(crate) mod deadlines;
pub(crate) mod feed;
pub(crate) mod feeds;
pub(crate) mod outcome;
pub(crate) mod running;
pub(crate) mod said_by;
pub(crate) mod survey;
pub(crate) mod update;

pub use attachment::Attachment;
pub use deadlines::{Deadlines, Listed};
pub use feed::{Feed, Format};
pub use feeds::{FeedId, Feeds};
pub use outcome::{Joined, Moved, Outcome, Said, Start, Taken, Welcomed};
pub use running::run;
pub use survey::{LAG_BOUNDS, Lags, RoomLags};
pub use update::{CaughtUp, Dismissed, Told, Update};

pub use crate::encoded::{Advanced, Cursor, EncodedLog, Pending};
pub use crate::index::Index;
pub use crate::places::Places;
pub use crate::rooms::pending_room::{OpenRequest, PendingRoom};
pub use crate::server::bind_first;
pub use crate::state::members::Membership;

use std::error::Error;
use std::time::Instant;

/// Carries a room to its members over some medium, driven by one thread.
///
/// A transport holds an [`Attachment`]: through it members join, speak and leave, and from it
/// the transport pulls the room's updates. One room serves any number of transports at once.
///
/// To write one, follow the guide `docs/transport.md` in the repository, and put it through
/// `chat_testkit::conformance`, which checks all of the following.
///
/// # Waiting
///
/// A transport waits for its own medium (sockets, say) inside [`turn`](Self::turn), and nowhere else. The
/// [`Waker`](crate::Waker) it gave to [`Room::attach`](crate::Room::attach) ends that wait when the room has
/// something for it, even if it was called before the wait began.
///
/// # A turn
///
/// Wait; join new peers; read and say their messages; [`pull`](crate::transport::Attachment::pull); write to members
/// that are behind. [`Attachment::say`](crate::transport::Attachment::say) does not wake the attachment's own
/// transport, so the pull comes after it.
///
/// # Peers
///
/// No operation may block on a peer: a slow, broken or hostile peer must cost the others nothing. An
/// error of one peer ends that peer's membership, never the turn. Bytes that a peer does not take stay in the
/// [`EncodedLog`], not in a queue per peer. A peer that is closed is told why, where there is a way.
pub trait Transport: Send {
    /// An error that makes the whole transport unusable.
    type Error: Error + Send + Sync + 'static;

    /// Does the work that is ready. If there is none, waits for it until `until` at most (`None`: without a limit;
    /// a time in the past: not at all).
    ///
    /// Once the room is closing, a transport accepts no more peers and messages, writes all pending output, and says
    /// goodbye with a reason. It goes on turning, and is [`Done`](Turn::Done) when every peer has all its output, or
    /// when the time for that is up ([`Update::closing`](crate::transport::Update::closing)). So several transports on
    /// one thread end at the same time.
    ///
    /// # Errors
    ///
    /// Only an error that ends the transport for all its members. An error of one peer ends only that peer.
    fn turn(&mut self, until: Option<Instant>) -> Result<Turn, Self::Error>;

    /// When the next turn is due even if the medium has no event: a time in the past if this turn has left work to do.
    /// A loop of your own waits until then, or until the transport's medium has an event.
    fn due(&self) -> Option<Instant>;
}

/// What a [`Transport::turn`] ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a transport that is done is to be dropped"]
pub enum Turn {
    /// The room goes on.
    Open,
    /// The room is closing: go on turning.
    Closing,
    /// The room is closed, and nobody is left: drop the transport. Local members learn that the room is over once the
    /// last of its transports is dropped.
    Done,
}
