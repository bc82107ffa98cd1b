//! How a member and a room introduce themselves, and what else a room reports about itself.

use std::fmt;

use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    Author, MemberId, Text, VERSION, codec,
    limits::{PRESENT_AUTHORS_MAX, VERSIONS_MAX},
};

/// The server takes a text that begins with `/` for a command, and says one that begins with `//` with a single `/`. A
/// bit of [`Welcome::capabilities`].
pub const COMMANDS: u64 = 1;

/// How a member introduces itself.
///
/// ```
/// use chat_proto::{Hello, VERSION};
///
/// let hello = Hello { history: 20, ..Hello::default() };
/// assert_eq!(hello.versions, [VERSION]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The versions of the protocol that it speaks, the one it likes best first. At most [`VERSIONS_MAX`].
    #[serde(deserialize_with = "codec::deserialize_list::<_, _, VERSIONS_MAX>")]
    pub versions: Vec<u8>,
    /// Its capabilities beyond the version, one bit each. This version knows none.
    pub capabilities: u64,
    /// The room it wants to join; the server's first one if none is named.
    pub room: Option<Text>,
    /// The name it wants to have.
    pub name: Option<Text>,
    /// The session to go on with, if it had one.
    pub resume: Option<Resume>,
    /// How many messages of history it wants, at most; 0 for none. Of no effect on a resumed
    /// session, which gets what it has missed.
    pub history: u16,
}

impl Default for Hello {
    fn default() -> Hello {
        let versions = vec![VERSION];
        Hello { versions, capabilities: 0, room: None, name: None, resume: None, history: 0 }
    }
}

/// The identity of a membership across connections.
///
/// Anyone who knows the key can resume the session, so it is a secret between the member and the
/// room: `Debug` leaves it out, and so does everything for people that serde writes, JSON for example. On the wire it
/// is there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub struct Session {
    /// Which member of the room. The same over all connections of the session.
    pub member: MemberId,
    /// The message after which the membership began, or went on: nothing older can be asked for.
    pub since: u64,
    /// The secret that proves it.
    pub key: u64,
}

impl Serialize for Session {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let for_people = serializer.is_human_readable();
        let mut fields = serializer.serialize_struct("Session", if for_people { 2 } else { 3 })?;
        fields.serialize_field("member", &self.member)?;
        fields.serialize_field("since", &self.since)?;
        if !for_people {
            fields.serialize_field("key", &self.key)?;
        }
        fields.end()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("member", &self.member)
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

/// Where a member wants to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// The room's epoch, as its [`Welcome`] said it. A room that began anew has another one.
    #[serde(with = "crate::js_number")]
    pub epoch: u64,
    /// The session, as the [`Welcome`] said it.
    pub session: Session,
    /// The member has every message up to and including this one.
    pub have: u64,
    /// The member has every item of the direct lane up to and including this one.
    pub direct: u64,
}

/// The answer of a room to a new or resumed member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version for the rest of the session, one of those in the [`Hello`].
    pub version: u8,
    /// The server's capabilities beyond the version, one bit each: [`COMMANDS`].
    pub capabilities: u64,
    /// The room's epoch; sequence numbers and members compare only within one.
    #[serde(with = "crate::js_number")]
    pub epoch: u64,
    /// The session to show when resuming.
    pub session: Session,
    /// Whether the session that was asked for goes on. If not this is a new one.
    pub resumed: bool,
    /// The room has dealt with the member's messages up to this number, over whatever connection they came; `None`
    /// if it no longer knows.
    pub taken: Option<u64>,
    /// How others see the member's messages.
    pub you: Author,
    /// The member's address as the server sees it.
    pub address: Text,
    /// The room, if it has a name.
    pub room: Option<Text>,
    /// The member's name, if it has one.
    pub name: Option<Text>,
    /// Sequence number of the newest message at the time.
    pub head: u64,
    /// When the room began, in milliseconds of Unix time. Add an entry's `at_ms` to it.
    pub began_unix_ms: u64,
    /// How many members are present, this one included.
    pub members: u32,
    /// The topic of the room, if it was set.
    pub topic: Option<Text>,
}

/// Says that the log's tail passed the member's cursor, and how many messages the member missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lagged {
    /// How many messages were missed, exactly. Notices are not counted.
    pub messages: u64,
    /// Sequence number of the first message that follows.
    pub next: u64,
    /// Sequence number of the newest message when this was written.
    pub head: u64,
    /// The room had dealt with the member's own messages up to this number by then, so that it knows about those
    /// that it missed.
    pub taken: u64,
}

/// The members that are present, as many as fit into one frame or datagram.
///
/// `Display` is a phrase for people: `2 present: 192.0.2.1:5, 192.0.2.2:6`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Present {
    /// How many remote members are present.
    pub members: u32,
    /// Remote members as they are shown: at most [`PRESENT_AUTHORS_MAX`], and no more than fit into the frame or
    /// datagram. Others are left out when encoding, and then `more` is set.
    #[serde(deserialize_with = "codec::deserialize_list::<_, _, PRESENT_AUTHORS_MAX>")]
    pub authors: Vec<Author>,
    /// Whether there are others, which are not listed.
    pub more: bool,
}

impl Present {
    /// As much of it as its fields may have bytes.
    pub(crate) fn fitting(&self, bytes_max: usize) -> Present {
        let mut bytes = MEMBERS_COUNT_MORE_BYTES_MAX;
        let fits = self.authors.iter().take(PRESENT_AUTHORS_MAX).take_while(|author| {
            bytes += author.to_string().len() + 1;
            bytes <= bytes_max
        });
        let authors: Vec<Author> = fits.cloned().collect();
        Present { members: self.members, more: self.more || authors.len() < self.authors.len(), authors }
    }
}

/// The fields around the list.
const MEMBERS_COUNT_MORE_BYTES_MAX: usize = 5 + 1 + 1;

const _: () = assert!(PRESENT_AUTHORS_MAX < 251, "the count takes one byte");

impl fmt::Display for Present {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} present", self.members)?;
        let mut separator = ": ";
        for author in &self.authors {
            write!(f, "{separator}{author}")?;
            separator = ", ";
        }
        f.write_str(if self.more { ", and others" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_session_is_on_the_wire_only() {
        let session = Session { member: MemberId::new(3), since: 1, key: 123_456_789 };
        assert_eq!(serde_json::to_string(&session).unwrap(), r#"{"member":3,"since":1}"#);
        assert!(!format!("{session:?}").contains("123456789"));
        assert_eq!(bincode::serde::encode_to_vec(session, bincode::config::standard()).unwrap().len(), 7);
    }
}
