//! What the room asks of a transport, and how a transport is run.

use std::error::Error;
use std::time::Instant;

/// Carries a room to its members over some medium, driven by one thread.
///
/// A transport holds a [`Attachment`](crate::Attachment): through it members join, speak and leave, and from it
/// the transport pulls what the room has to say. One room serves any number of transports at once.
///
/// To write one, follow the guide `docs/transport.md` in the repository, and put it through
/// `chat_testkit::conformance`, which checks all of the following.
///
/// # Waiting
///
/// A transport waits for its own medium (sockets, say) inside [`turn`](Self::turn), and nowhere else. The
/// [`Waker`](crate::Waker) it gave to [`Room::attach`](crate::Room::attach) ends that wait when the room has
/// something for it, also if it was called before the wait began.
///
/// # A turn
///
/// Wait; let in who has come; hear who has spoken; [`pull`](crate::Attachment::pull); write to who is behind.
/// [`Attachment::say`](crate::Attachment::say) does not wake the attachment's own transport, so the pull comes after it.
///
/// # Peers
///
/// No operation may block on a peer: one that is slow, broken or hostile must cost the others nothing, and an
/// error of one peer ends that peer's membership, never the turn. What a peer does not take stays in the
/// [`EncodedLog`](crate::EncodedLog), not in a queue of his. Whoever must go is told why, where there is a way.
pub trait Transport: Send {
    /// What makes the whole transport unusable.
    type Error: Error + Send + Sync + 'static;

    /// Does what is ready, waiting for something to do until `until` at most (`None`: as long as
    /// it takes; a time in the past: not at all).
    ///
    /// Once the room is closing, a transport takes in no one and nothing more, writes out what is owed, and says goodbye
    /// with a reason. It goes on turning, and is [`Done`](Turn::Done) when every peer has what it was owed, or when the time
    /// for that is up ([`Update::closing`](crate::Update::closing)). So several transports on one thread end side by side.
    ///
    /// # Errors
    ///
    /// Only what ends the transport for all its members; a peer's fault is that peer's end.
    fn turn(&mut self, until: Option<Instant>) -> Result<Turn, Self::Error>;

    /// When the next turn is due even if the medium has nothing: a time in the past if this turn has left something to do.
    /// A loop of your own waits until then, or until the transport's medium has something for it.
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
    /// The room is closed, and nobody is left: drop the transport. Local members learn that the room is over once the last
    /// of its transports is dropped.
    Done,
}
