//! Events of the same room at other servers.

use std::time::Duration;

use chat_proto::{Author, LeaveReason, MemberId, Text};

use crate::access::mutes::Mute;
use crate::journal::Committer;
use crate::limits::ELSEWHERE_TURN_MAX;
use crate::other_servers::relay::OtherMember;
use crate::room::Room;

/// Something that has happened at another server that shares the room. A [`Journal`](crate::journal::Journal) that
/// several servers share hands it to the room with [`Committer::elsewhere`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Elsewhere {
    /// A name was taken, or is free again. If a member here has it, that one loses it.
    Name {
        /// The skeleton of the name: one of [`Name::lookalikes`](chat_proto::Name::lookalikes).
        skeleton: String,
        /// The member of another server that has it; `None` if none has.
        holder: Option<MemberId>,
    },
    /// A member of another server has joined, or is shown as somebody else.
    Here {
        /// The member.
        member: OtherMember,
        /// Members here are told of it. Otherwise it was there before this server.
        is_news: bool,
    },
    /// A member of another server has left, or the server is gone.
    Gone {
        /// Which member.
        member: MemberId,
        /// Why.
        reason: LeaveReason,
    },
    /// A private message of a member here was not delivered at another server.
    Undelivered {
        /// The sender.
        sender: MemberId,
        /// How the recipient was shown.
        to: Author,
        /// Why not.
        why: Text,
    },
    /// An operator at another server kicks a member here.
    Kick {
        /// Which member.
        member: MemberId,
        /// Why.
        reason: LeaveReason,
    },
    /// Slow mode was set.
    Slow {
        /// `None` turns it off.
        pause: Option<Duration>,
    },
    /// A member was muted, wherever it is, or may speak again. Mutes beyond [`MUTES_MAX`](crate::limits::MUTES_MAX) do
    /// not hold here.
    Muted {
        /// Which session.
        member: MemberId,
        /// `None` if its mute is lifted. Its epoch does not matter: it is that of this room.
        mute: Option<Mute>,
    },
}

impl Committer {
    /// These things have happened at other servers, in this order.
    pub fn elsewhere(&self, batch: Vec<Elsewhere>) {
        let Some(room) = Room::upgrade(&self.room) else { return };
        let mut batch = batch.into_iter().peekable();
        while batch.peek().is_some() {
            let (mut wakes, now) = (Vec::new(), room.now());
            let mut state = room.lock();
            for what in batch.by_ref().take(ELSEWHERE_TURN_MAX) {
                wakes.push(state.hear_elsewhere(what, now));
            }
            drop(state);
            for wakes in wakes {
                wakes.wake();
            }
        }
    }
}
