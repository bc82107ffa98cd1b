//! Items for one member only, which are not in the log.

use std::fmt;
use std::sync::Arc;

use crate::{
    Author, Entry, MemberId, Notice, Text,
    limits::{LINE_PREFIX_BYTES_MAX, TEXT_BYTES_MAX},
    text,
};

/// One item of a member's direct lane, for this member alone.
///
/// Items are numbered 1, 2, 3, … over the member's session. Each stays with the room until the member has
/// acknowledged it ([`MemberFrame::Got`](crate::MemberFrame::Got)), so it may come twice after a lost connection. A
/// member ignores a number that it has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Direct {
    /// The item's number.
    pub number: u64,
    /// The content.
    pub item: DirectItem,
}

/// The content of an item of the direct lane.
///
/// `Display` is the line that people read; [`to_lines`](Self::to_lines) returns the lines of a plain member.
///
/// ```
/// use chat_proto::{Author, DirectItem, MemberId, Text};
///
/// let (from, author) = (MemberId::new(4), Author::Named("ann".parse()?));
/// let item = DirectItem::Private { from, author, text: Text::one_line("psst")? };
/// assert_eq!(item.to_string(), "[ann -> you] psst");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirectItem {
    /// A private message.
    Private {
        /// The sender.
        from: MemberId,
        /// The sender as people see it.
        author: Author,
        /// The message.
        text: Text,
    },
    /// A message of this member was not accepted, and is dealt with.
    Refused {
        /// Which of its messages.
        number: u64,
        /// Why.
        why: Text,
    },
    /// A notice of the room to this member: an answer, for example.
    Notice {
        /// The content.
        text: Text,
    },
    /// A private message of this member did not reach the other one.
    Undelivered {
        /// Whom it was for.
        to: Author,
        /// Why it did not get there.
        why: Text,
    },
    /// A command of this member is dealt with: its answer came before.
    Done {
        /// Which of the member's messages it was.
        number: u64,
    },
    /// A private message of this member is in the other one's lane. Confirms it.
    Sent {
        /// Which of the member's messages it was.
        number: u64,
        /// Whom it is for.
        to: Author,
        /// The message.
        text: Text,
    },
    /// This member ignores another one from now on, or no longer: its client hides that one's messages.
    Ignoring {
        /// The other member.
        member: MemberId,
        /// Whether it is ignored.
        is_ignored: bool,
    },
    /// This member goes to another room: its client ends this connection and begins anew, with a hello that names the
    /// room.
    Move {
        /// The room's name.
        room: Text,
    },
    /// An old message that this member has asked for; the oldest comes first.
    OldMessage {
        /// The number of the question ([`MemberFrame::LookBack`](crate::MemberFrame::LookBack)).
        question: u64,
        /// The message.
        entry: Arc<Entry>,
    },
    /// The end of the answer to such a question.
    OldEnd {
        /// The number of the question.
        question: u64,
        /// Whether there are older messages that match.
        more: bool,
        /// Why they cannot be read, if they cannot.
        why: Option<Text>,
    },
    /// Something that a later version of the protocol knows. There is nothing to show.
    Unknown {
        /// Its kind on the wire.
        kind: u8,
    },
}

impl DirectItem {
    /// One line in place of this one and of `line`, the one before it, if both tell a plain member that messages are
    /// not said, for the same reason.
    ///
    /// ```
    /// use chat_proto::{DirectItem, Text};
    ///
    /// let refused = DirectItem::Refused { number: 3, why: Text::one_line("You are muted")? };
    /// let folded = refused.folded_into(&refused.to_string());
    /// assert_eq!(folded.as_deref(), Some("[*] Not said: You are muted (2 messages)"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn folded_into(&self, line: &str) -> Option<String> {
        let (DirectItem::Refused { why, .. }, Notice::NotSaid { why: before, messages }) =
            (self, Notice::of_line(line)?)
        else {
            return None;
        };
        let why = (why.as_str() == before).then_some(before)?;
        Some(format!("[*] {}", Notice::NotSaid { why, messages: messages.saturating_add(1) }))
    }

    /// The lines that a plain member reads: one, unless a private message is so long that its line would exceed the
    /// longest line of a message.
    pub fn to_lines(&self) -> Vec<String> {
        let line = self.to_string();
        let bytes_max = LINE_PREFIX_BYTES_MAX + TEXT_BYTES_MAX;
        if line.len() <= bytes_max {
            return if line.is_empty() { Vec::new() } else { vec![line] };
        }
        let text = match self {
            DirectItem::Private { text, .. } => text.as_str(),
            DirectItem::Undelivered { why, .. } => why.as_str(),
            _ => return vec![line],
        };
        let prefix = &line[..line.len() - text.len()];
        let front = text::front(text, bytes_max - prefix.len());
        vec![format!("{prefix}{front}"), format!("{prefix}{}", &text[front.len()..])]
    }
}

impl fmt::Display for DirectItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DirectItem::Private { author, text, .. } => write!(f, "[{author} -> you] {text}"),
            DirectItem::Refused { why, .. } => {
                write!(f, "[*] {}", Notice::NotSaid { why: why.as_str(), messages: 1 })
            }
            DirectItem::Notice { text } => write!(f, "[*] {text}"),
            DirectItem::Undelivered { to, why } => write!(f, "[*] Not delivered to {to}: {why}"),
            DirectItem::Sent { to, text, .. } => write!(f, "[you -> {to}] {text}"),
            DirectItem::OldMessage { entry, .. } => entry.event.fmt(f),
            DirectItem::OldEnd { why: Some(why), .. } => write!(f, "[*] The history cannot be read: {why}"),
            DirectItem::Done { .. }
            | DirectItem::Ignoring { .. }
            | DirectItem::Move { .. }
            | DirectItem::OldEnd { why: None, .. }
            | DirectItem::Unknown { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_plain_member_is_longer_than_that_of_a_message() {
        let author: Author = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535".parse().unwrap();
        let text = Text::one_line(&"x".repeat(TEXT_BYTES_MAX)).unwrap();
        let private = |text| DirectItem::Private { from: MemberId::new(1), author: author.clone(), text };
        let lines = private(text).to_lines();
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.len() <= LINE_PREFIX_BYTES_MAX + TEXT_BYTES_MAX));
        let said: usize = lines.iter().map(|line| line.matches('x').count()).sum();
        assert_eq!(said, TEXT_BYTES_MAX);
        assert_eq!(private(Text::one_line("hi").unwrap()).to_lines().len(), 1);
        assert!(DirectItem::Unknown { kind: 9 }.to_lines().is_empty());
    }
}
