//! What a room learns of the same room at other servers.

use std::time::Duration;

use chat_proto::MemberId;

use crate::journal::Committer;
use crate::room::Room;

/// Something that has happened at another server that shares the room. A [`Journal`](crate::Journal) that several servers
/// share hands it to the room with [`Committer::elsewhere`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Elsewhere {
    /// A name was taken, or is free again. If a member here has it, that one loses it.
    Name {
        /// What the name looks like: one of [`Name::lookalikes`](chat_proto::Name::lookalikes).
        looks: String,
        /// The member of another server that has it; `None` if none has.
        holder: Option<MemberId>,
    },
    /// Slow mode was set.
    Slow {
        /// `None` turns it off.
        pause: Option<Duration>,
    },
    /// A member was muted, wherever it is, or may speak again.
    Muted {
        /// Which session.
        member: MemberId,
        /// Whether it is muted.
        is_muted: bool,
    },
}

impl Committer {
    /// These things have happened at other servers, in this order.
    pub fn elsewhere(&self, batch: Vec<Elsewhere>) {
        let Some(room) = Room::upgrade(&self.0) else { return };
        let mut wakes = Vec::new();
        let mut state = room.lock();
        for what in batch {
            wakes.push(state.hear_elsewhere(what));
        }
        drop(state);
        wakes.into_iter().for_each(|wakes| wakes.wake());
    }
}
