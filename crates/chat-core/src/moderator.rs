//! The embedder's control over messages of members.

use std::fmt;
use std::sync::Arc;

use chat_proto::{MemberId, PeerAddr, Text};

use crate::panics::survived;
use crate::room::Room;

/// Looks at every message of a remote member before the room accepts it: lets it pass, changes it, or
/// refuses it. Set it in [`RoomConfig::with_moderator`](crate::RoomConfig::with_moderator).
///
/// It runs on the I/O thread that received the message, without the room's lock, so that it may use the room:
/// answer with [`Room::notice`](crate::Room::notice) or [`Room::tell`](crate::Room::tell), kick, or say a message as a
/// local member. While it runs, the other members of that thread wait, so it must be quick and never block; put longer
/// work into a local member that listens. With several I/O threads it runs on each, at once. If it panics, that one
/// message is refused, and the room stays open.
///
/// A message is accepted once, whatever happens to its author's connection. One that was refused just before the
/// connection broke may be offered again, so a command should tolerate being given twice.
///
/// Messages of local members and of the room itself come from the embedder, and are not checked.
///
/// ```
/// use chat_core::{Moderator, RoomConfig, Verdict};
///
/// let moderator = Moderator::new(|offer| match offer.text.as_str() {
///     text if text.contains("spam") => Verdict::refuse("no spam"),
///     _ => Verdict::Accept,
/// });
/// let config = RoomConfig::default().with_moderator(moderator);
/// # drop(config);
/// ```
#[derive(Clone)]
pub struct Moderator(Arc<dyn Fn(&Offer<'_>) -> Verdict + Send + Sync>);

/// A message that a member wants to say.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Offer<'a> {
    /// The room, to answer in, to kick from, to ask.
    pub room: &'a Room,
    /// Who wants to say it.
    pub member: MemberId,
    /// That member's address.
    pub peer: PeerAddr,
    /// The text of the message.
    pub text: &'a Text,
}

/// The decision about an [`Offer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is said.
    Accept,
    /// The same member says this text instead.
    Change(Text),
    /// It is not said. Only its author is told this text: why. A plain member reads `[*] Not said: WHY`.
    Refuse(Text),
}

impl Verdict {
    /// The message is not said, and its author alone is told `why`, which is cleaned and cut to one message.
    #[must_use]
    pub fn refuse(why: &str) -> Self {
        Self::Refuse(Text::lossy(why))
    }

    /// This is said in its place, cleaned and cut to one message.
    #[must_use]
    pub fn change(text: &str) -> Self {
        Self::Change(Text::lossy(text))
    }
}

impl Moderator {
    /// Decides by calling `decide`.
    pub fn new(decide: impl Fn(&Offer<'_>) -> Verdict + Send + Sync + 'static) -> Self {
        Self(Arc::new(decide))
    }

    /// Decides. If that panics the message is refused, and everything else goes on.
    pub(crate) fn decide(&self, offer: &Offer<'_>) -> Verdict {
        survived(|| (self.0)(offer))
            .unwrap_or_else(|| Verdict::refuse("The server could not look at this message"))
    }
}

impl fmt::Debug for Moderator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Moderator")
    }
}
