//! Which member something is about, and which of its messages.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A member of a room, by the number that the room gave to its session: 1, 2, 3, …
///
/// A number is never given twice within one [epoch](crate::Welcome::epoch), and a session keeps it over all its
/// connections. 0 is the room itself.
///
/// ```
/// use chat_proto::MemberId;
///
/// assert_eq!(MemberId::new(7).as_u64(), 7);
/// assert!(MemberId::ROOM < MemberId::new(1));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberId(#[serde(with = "crate::js_number")] u64);

impl MemberId {
    /// The room itself.
    pub const ROOM: MemberId = MemberId(0);

    /// The member with this number.
    pub const fn new(number: u64) -> MemberId {
        MemberId(number)
    }

    /// Its number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a message comes from: the member that said it, and the number that this member gave it.
///
/// This is how a member recognises its own messages. The [`Author`](crate::Author) is only for people.
///
/// ```
/// use chat_proto::{MemberId, Origin};
///
/// let mine = MemberId::new(3);
/// let from = Origin { member: mine, number: 12 };
/// assert!(from.member == mine && from.number == 12);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The member that said it.
    pub member: MemberId,
    /// Which of that member's messages it is: 1, 2, 3, … over its session. Numbers may be left out, but never come
    /// again.
    #[serde(with = "crate::js_number")]
    pub number: u64,
}
