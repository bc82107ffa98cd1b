//! How a room reaches members at other servers that share it.

use std::borrow::Cow;
use std::fmt;

use chat_proto::{Author, LeaveReason, MemberId, PeerAddr, Text};

use crate::error::TellError;
use crate::journal::{Committer, Full};
use crate::room::Room;

/// Tells the other servers that share a room what concerns their members, beside the journal. **Never blocks**: it is
/// called under the room's lock, and its own thread does the work. The other direction goes through [`Committer`]. A
/// room that no other server has needs no relay.
pub trait Relay: fmt::Debug + Send + Sync {
    /// Takes charge of something. Things that are sent to one server arrive in this order, each at most once.
    ///
    /// # Errors
    ///
    /// [`Full`] if too much waits to be passed on.
    fn send(&self, what: Outbound) -> Result<(), Full>;
}

/// Something for other servers to know, or to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outbound {
    /// A member has joined here, or is shown as somebody else from now on.
    Here(OtherMember),
    /// A member has left.
    Gone {
        /// Which member.
        member: MemberId,
        /// Why.
        reason: LeaveReason,
    },
    /// A private message to a member of another server. If it cannot be delivered, the relay says so
    /// ([`Elsewhere::Undelivered`](crate::other_servers::Elsewhere::Undelivered)).
    Private {
        /// The sender.
        from: MemberId,
        /// How the sender is shown.
        author: Author,
        /// The recipient.
        to: MemberId,
        /// How the recipient is shown.
        recipient: Author,
        /// The text.
        text: Text,
    },
    /// A member has left before it had read a private message of a member of another server.
    Undelivered {
        /// The sender.
        sender: MemberId,
        /// How the recipient was shown.
        to: Author,
        /// Why it was not delivered.
        why: Text,
    },
    /// An operator here kicks a member of another server.
    Kick {
        /// Which member.
        member: MemberId,
        /// Why.
        reason: LeaveReason,
    },
}

/// A member of a server, as the other servers of the room know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherMember {
    /// Which member.
    pub member: MemberId,
    /// How it is shown.
    pub author: Author,
    /// Where it comes from.
    pub address: Option<PeerAddr>,
    /// Its transport: `tcp`, `udp`, …
    pub transport: Cow<'static, str>,
    /// When it came, in milliseconds of Unix time.
    pub came_unix_ms: u64,
    /// The server where it is, as people call it. Empty for this one.
    pub server: Text,
}

impl Committer {
    /// All members that have come over a network to this server, for servers that do not know them yet. O(members),
    /// under the room's lock.
    #[must_use]
    pub fn members(&self) -> Vec<OtherMember> {
        Room::upgrade(&self.room).map(|room| room.lock().members_for_others()).unwrap_or_default()
    }

    /// Sessions that left too long ago give up the names that are reserved for them. A journal that other servers share
    /// calls it now and then: without one, a reservation ends when somebody asks for the name. O(sessions that have
    /// left), under the room's lock.
    pub fn end_old_reservations(&self) {
        if let Some(room) = Room::upgrade(&self.room) {
            let now = room.now();
            room.lock().end_old_reservations(now);
        }
    }

    /// A member of another server sends a private message to one here.
    ///
    /// # Errors
    ///
    /// [`TellError`] if it cannot be delivered, for the sender to know.
    pub fn deliver(&self, from: MemberId, author: Author, to: MemberId, text: Text) -> Result<(), TellError> {
        let room = Room::upgrade(&self.room).ok_or(TellError::NotPresent)?;
        let result = room.lock().deliver_private(from, author, to, text);
        result?.wake();
        Ok(())
    }
}
