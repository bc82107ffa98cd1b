//! The host's say in what members say.

use std::fmt;
use std::sync::Arc;

use chat_proto::{MemberId, PeerAddr, Text};

/// Looks at every message of a remote member before the room accepts it: lets it pass, changes it, or
/// refuses it. Set it in [`RoomConfig::moderator`](crate::RoomConfig::moderator).
///
/// It runs on the I/O thread that received the message, without the room's lock, so that it may use the room:
/// answer with [`Room::notice`](crate::Room::notice) or [`Room::tell`](crate::Room::tell), kick, say something from a local member. While it runs the other members
/// of that thread wait, so it must be quick and never block; what takes longer belongs into a local member that listens. With
/// several I/O threads it runs on each, at once. If it panics, the transport ends as after any other panic.
///
/// A message is accepted once, whatever happens to its author's connection. One that was refused just before the
/// connection broke may be offered again, so a command should bear being given twice.
///
/// What local members and the room itself say is the host's own, and is not looked at.
///
/// ```
/// use chat_core::{Moderator, RoomConfig, Verdict};
/// use chat_proto::Text;
///
/// let moderator = Moderator::new(|offer| match offer.text.as_str() {
///     "/help" => Verdict::Refuse(Text::one_line("Type something, and everyone sees it").unwrap_or_default()),
///     text if text.contains("spam") => Verdict::Refuse(Text::one_line("no spam").unwrap_or_default()),
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
    /// Who wants to say it.
    pub member: MemberId,
    /// That member's address.
    pub peer: PeerAddr,
    /// What it wants to say.
    pub text: &'a Text,
}

/// What becomes of an [`Offer`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is said.
    Accept,
    /// This is said in its place, by the same member.
    Change(Text),
    /// It is not said. Its author alone is told this: a reason, or the answer to a command.
    Refuse(Text),
}

impl Moderator {
    /// Decides by calling `decide`.
    pub fn new(decide: impl Fn(&Offer<'_>) -> Verdict + Send + Sync + 'static) -> Self {
        Self(Arc::new(decide))
    }

    pub(crate) fn decide(&self, offer: &Offer<'_>) -> Verdict {
        (self.0)(offer)
    }
}

impl fmt::Debug for Moderator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Moderator")
    }
}
