//! What a member hears in JSON.

mod from;

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::Time;
use crate::{MemberId, js_number};

/// An object for a member.
///
/// Fields are added to it, never changed. Those that are `None` are left out.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Report<'a> {
    /// The member is in.
    Connected {
        /// How others see it.
        you: String,
        /// How many members are present, this one included.
        members: u32,
        /// The room, if it has a name.
        #[serde(skip_serializing_if = "Option::is_none")]
        room: Option<&'a str>,
        /// The member's name, if it has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
        /// The topic of the room, if it was set.
        #[serde(skip_serializing_if = "Option::is_none")]
        topic: Option<&'a str>,
        /// Which member it is.
        member: Id,
        /// Sequence number of the newest message.
        head: u64,
        /// Whether the session that was asked for goes on.
        resumed: bool,
        /// Whether the server knows commands.
        commands: bool,
        /// The room has dealt with the member's messages up to this number.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(serialize_with = "js_number::option::serialize")]
        taken: Option<u64>,
        /// What to show when resuming: a secret between the member and the room.
        #[serde(skip_serializing_if = "Option::is_none")]
        session: Option<SessionReport>,
    },
    /// A message.
    Message {
        /// Its sequence number.
        seq: u64,
        /// When it was accepted.
        time: Time,
        /// Which member said it.
        member: Id,
        /// That member as people see it.
        author: Cow<'a, str>,
        /// The text.
        text: &'a str,
        /// Whether this client said it, where that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        own: Option<bool>,
        /// Which of that member's messages it is.
        #[serde(serialize_with = "js_number::serialize")]
        number: u64,
    },
    /// A member joined.
    Joined {
        /// Of the last message before it.
        seq: u64,
        /// When.
        time: Time,
        /// The member as people see it.
        peer: Cow<'a, str>,
        /// How many are present now.
        members: u32,
        /// Which member.
        member: Id,
    },
    /// A member left.
    Left {
        /// Of the last message before it.
        seq: u64,
        /// When.
        time: Time,
        /// The member as people saw it.
        peer: Cow<'a, str>,
        /// Why, for people.
        reason: String,
        /// How many are present now.
        members: u32,
        /// Which member.
        member: Id,
    },
    /// Joins and leaves of a large room.
    PresenceSummary {
        /// Of the last message before it.
        seq: u64,
        /// When.
        time: Time,
        /// How many joined.
        joined: u32,
        /// How many left.
        left: u32,
        /// How many are present now.
        members: u32,
    },
    /// A member is shown otherwise from now on.
    Renamed {
        /// Of the last message before it.
        seq: u64,
        /// When.
        time: Time,
        /// Which member.
        member: Id,
        /// As people saw it.
        from: String,
        /// As people see it now.
        to: String,
    },
    /// The room has another topic.
    Topic {
        /// Of the last message before it.
        seq: u64,
        /// When.
        time: Time,
        /// Who set it.
        author: String,
        /// The topic; empty if it was removed.
        text: &'a str,
    },
    /// A message of this client was not accepted.
    NotSaid {
        /// The message, where it is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<&'a str>,
        /// Why.
        why: &'a str,
        /// Which of its messages.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(serialize_with = "js_number::option::serialize")]
        number: Option<u64>,
        /// The number in the direct lane.
        #[serde(skip_serializing_if = "Option::is_none")]
        direct: Option<u64>,
    },
    /// A private message.
    Private {
        /// Which member sent it.
        member: Id,
        /// That member as people see it.
        author: String,
        /// The text.
        text: &'a str,
        /// The number in the direct lane.
        #[serde(skip_serializing_if = "Option::is_none")]
        direct: Option<u64>,
    },
    /// The room tells this member something.
    Notice {
        /// The text.
        text: &'a str,
        /// The number in the direct lane.
        #[serde(skip_serializing_if = "Option::is_none")]
        direct: Option<u64>,
    },
    /// A private message did not reach the other member.
    Undelivered {
        /// Whom it was for.
        to: String,
        /// Why.
        why: &'a str,
        /// The number in the direct lane.
        #[serde(skip_serializing_if = "Option::is_none")]
        direct: Option<u64>,
    },
    /// A command is dealt with.
    Done {
        /// Which of the member's messages it was.
        #[serde(serialize_with = "js_number::serialize")]
        number: u64,
        /// The number in the direct lane.
        #[serde(skip_serializing_if = "Option::is_none")]
        direct: Option<u64>,
    },
    /// A private message of this member is in the other one's lane.
    Sent {
        /// Whom it is for.
        to: String,
        /// The text.
        text: &'a str,
        /// Which of the member's messages it was.
        #[serde(serialize_with = "js_number::serialize")]
        number: u64,
        /// The number in the direct lane.
        #[serde(skip_serializing_if = "Option::is_none")]
        direct: Option<u64>,
    },
    /// This member ignores another one from now on, or no longer.
    Ignoring {
        /// The other member.
        member: Id,
        /// Whether it is ignored.
        is_ignored: bool,
        /// The number in the direct lane.
        #[serde(skip_serializing_if = "Option::is_none")]
        direct: Option<u64>,
    },
    /// This member must connect again, to another room.
    Move {
        /// The room's name.
        room: &'a str,
        /// The number in the direct lane.
        #[serde(skip_serializing_if = "Option::is_none")]
        direct: Option<u64>,
    },
    /// An old message that was asked for.
    OldMessage {
        /// The message.
        #[serde(flatten)]
        message: OldReport<'a>,
        /// Which question it answers.
        #[serde(serialize_with = "js_number::serialize")]
        question: u64,
        /// The number in the direct lane.
        #[serde(skip_serializing_if = "Option::is_none")]
        direct: Option<u64>,
    },
    /// The end of such an answer.
    OldEnd {
        /// Whether there are older ones.
        more: bool,
        /// Why they cannot be read, if they cannot.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<&'a str>,
        /// Which question it answers.
        #[serde(serialize_with = "js_number::serialize")]
        question: u64,
        /// The number in the direct lane.
        #[serde(skip_serializing_if = "Option::is_none")]
        direct: Option<u64>,
    },
    /// Old messages, all that answer one question to a client.
    History {
        /// The messages, the oldest first.
        messages: Vec<OldReport<'a>>,
        /// Whether there are older ones.
        more: bool,
        /// Why they cannot be read, if they cannot.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<&'a str>,
    },
    /// An item of the direct lane that this version does not know.
    Unknown {
        /// The number in the direct lane.
        #[serde(skip_serializing_if = "Option::is_none")]
        direct: Option<u64>,
    },
    /// A line of a plain server.
    Line {
        /// The line.
        text: &'a str,
    },
    /// The member has missed messages.
    Missed {
        /// How many.
        messages: u64,
        /// The room had dealt with the member's own messages up to this number by then.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(serialize_with = "js_number::option::serialize")]
        taken: Option<u64>,
    },
    /// The members that are present.
    Present {
        /// How many.
        members: u32,
        /// As people see them.
        peers: Vec<String>,
        /// Whether there are others, which are not listed.
        more: bool,
    },
    /// The client does not know whether these messages were said.
    Unsure {
        /// The messages.
        texts: Vec<&'a str>,
    },
    /// The client has lost the connection.
    Lost {
        /// Why.
        error: String,
        /// When it tries again.
        retry_in_ms: u64,
    },
    /// The membership has ended.
    Ended {
        /// Why, for people.
        reason: String,
        /// The reason's number (PROTOCOL.md, section 7), if the room has ended it.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<u8>,
    },
    /// A line of a client's input was not a request.
    Refused {
        /// Which line.
        line: u64,
        /// What is wrong with it.
        error: &'a str,
    },
}

/// An old message, with fields of [`Report::Message`].
#[derive(Clone, Debug, Serialize)]
pub struct OldReport<'a> {
    seq: u64,
    time: Time,
    member: Id,
    author: String,
    text: &'a str,
}

/// A number that is written as a string, as a JavaScript number may not hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id(pub u64);

impl From<MemberId> for Id {
    fn from(member: MemberId) -> Self {
        Self(member.as_u64())
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The identity of a membership across connections.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SessionReport {
    epoch: Id,
    member: Id,
    since: u64,
    key: Id,
}
