//! Makes reports from the values of the protocol.

use std::borrow::Cow;

use super::{Id, OldReport, Report, SessionReport};
use crate::json::Time;
use crate::{
    Author, COMMANDS, Direct, DirectItem, Entry, Event, Lagged, LeaveReason, Present, RoomFrame, Text,
    Welcome,
};

impl<'a> Report<'a> {
    /// The report that the member is in, without the secrets of its session.
    #[must_use]
    pub fn connected(welcome: &'a Welcome) -> Self {
        Self::Connected {
            you: welcome.you.to_string(),
            members: welcome.members,
            room: welcome.room.as_ref().map(Text::as_str),
            name: welcome.name.as_ref().map(Text::as_str),
            topic: welcome.topic.as_ref().map(Text::as_str),
            member: welcome.session.member.into(),
            head: welcome.head,
            resumed: welcome.resumed,
            commands: welcome.capabilities & COMMANDS != 0,
            taken: welcome.taken,
            session: None,
        }
    }

    /// An entry of a room that began at `began_unix_ms`; `None` if there is nothing to show. `author` is how its author
    /// is spelled.
    #[must_use]
    pub fn entry(entry: &'a Entry, author: Option<&'a str>, began_unix_ms: u64) -> Option<Self> {
        let (seq, time) = (entry.seq, Time(began_unix_ms.saturating_add(entry.at_ms)));
        let spelled = |who: &Author| author.map_or_else(|| Cow::Owned(who.to_string()), Cow::Borrowed);
        Some(match &entry.event {
            Event::Said { from, author, text } => Self::Message {
                seq,
                time,
                member: from.member.into(),
                author: spelled(author),
                text: text.as_str(),
                own: None,
                number: from.number,
            },
            Event::Joined { member, author, members } => {
                Self::Joined { seq, time, peer: spelled(author), members: *members, member: (*member).into() }
            }
            Event::Left { member, author, reason, members } => Self::Left {
                seq,
                time,
                peer: spelled(author),
                reason: reason.to_string(),
                members: *members,
                member: (*member).into(),
            },
            Event::PresenceSummary { joined, left, members } => {
                Self::PresenceSummary { seq, time, joined: *joined, left: *left, members: *members }
            }
            Event::Renamed { member, from, to } => Self::Renamed {
                seq,
                time,
                member: (*member).into(),
                from: from.to_string(),
                to: to.to_string(),
            },
            Event::Topic { author, text, .. } => {
                Self::Topic { seq, time, author: author.to_string(), text: text.as_str() }
            }
            Event::Unknown { .. } => return None,
        })
    }

    /// An item of the direct lane, with its number there if the member must acknowledge it, in a room that began at
    /// `began_unix_ms`.
    #[must_use]
    pub fn item(item: &'a DirectItem, direct: Option<u64>, began_unix_ms: u64) -> Self {
        match item {
            DirectItem::OldMessage { question, entry } => match OldReport::new(entry, began_unix_ms) {
                Some(message) => Self::OldMessage { message, question: *question, direct },
                None => Self::Unknown { direct },
            },
            DirectItem::OldEnd { question, more, why } => {
                Self::OldEnd { more: *more, why: why.as_ref().map(Text::as_str), question: *question, direct }
            }
            DirectItem::Private { from, author, text } => Self::Private {
                member: (*from).into(),
                author: author.to_string(),
                text: text.as_str(),
                direct,
            },
            DirectItem::Refused { number, why } => {
                Self::NotSaid { text: None, why: why.as_str(), number: Some(*number), direct }
            }
            DirectItem::Notice { text } => Self::Notice { text: text.as_str(), direct },
            DirectItem::Undelivered { to, why } => {
                Self::Undelivered { to: to.to_string(), why: why.as_str(), direct }
            }
            DirectItem::Done { number } => Self::Done { number: *number, direct },
            DirectItem::Sent { number, to, text } => {
                Self::Sent { to: to.to_string(), text: text.as_str(), number: *number, direct }
            }
            DirectItem::Ignoring { member, is_ignored } => {
                Self::Ignoring { member: (*member).into(), is_ignored: *is_ignored, direct }
            }
            DirectItem::Move { room } => Self::Move { room: room.as_str(), direct },
            DirectItem::Unknown { .. } => Self::Unknown { direct },
        }
    }

    /// The members that are present.
    #[must_use]
    pub fn present(present: &Present) -> Self {
        let peers = present.authors.iter().map(ToString::to_string).collect();
        Self::Present { members: present.members, peers, more: present.more }
    }

    /// The report that the room has ended the membership.
    #[must_use]
    pub fn ended(reason: &LeaveReason) -> Self {
        Self::Ended { reason: reason.to_string(), code: Some(reason.code()) }
    }

    /// A frame of a room that began at `began_unix_ms`, with the secrets of the session; `None` if there is nothing to
    /// tell.
    #[must_use]
    pub fn frame(frame: &'a RoomFrame, began_unix_ms: u64) -> Option<Self> {
        Some(match frame {
            RoomFrame::Welcome(welcome) => {
                let mut report = Self::connected(welcome);
                if let Self::Connected { session, .. } = &mut report {
                    *session = Some(SessionReport {
                        epoch: Id(welcome.epoch),
                        member: welcome.session.member.into(),
                        since: welcome.session.since,
                        key: Id(welcome.session.key),
                    });
                }
                report
            }
            RoomFrame::Entry(entry) => return Self::entry(entry, None, began_unix_ms),
            RoomFrame::Lagged(Lagged { messages, taken, .. }) => {
                Self::Missed { messages: *messages, taken: Some(*taken) }
            }
            RoomFrame::Direct(direct) => {
                let Direct { number, item } = &**direct;
                Self::item(item, Some(*number), began_unix_ms)
            }
            RoomFrame::Present(present) => Self::present(present),
            RoomFrame::Bye(reason) => Self::ended(reason),
            RoomFrame::Unknown { .. } => return None,
        })
    }

    /// Appends the object to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(out, self)
            .expect("invariant: a vector takes all bytes, and strings and numbers have a JSON form");
    }
}

impl<'a> OldReport<'a> {
    /// The message of a room that began at `began_unix_ms`; `None` if the entry is not a message.
    #[must_use]
    pub fn new(entry: &'a Entry, began_unix_ms: u64) -> Option<Self> {
        let Event::Said { from, author, text } = &entry.event else { return None };
        let time = Time(began_unix_ms.saturating_add(entry.at_ms));
        Some(Self {
            seq: entry.seq,
            time,
            member: from.member.into(),
            author: author.to_string(),
            text: text.as_str(),
        })
    }
}
