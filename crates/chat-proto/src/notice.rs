//! The few lines that the room says to one plain peer about its own membership.

use std::fmt;

/// A notice of a room to a plain peer, as `[*] NOTICE`. `Display` is the notice without its author.
///
/// ```
/// use chat_proto::Notice;
///
/// assert_eq!(Notice::Missed(3).to_string(), "You missed 3 messages");
/// assert_eq!(Notice::of_line("[*] You missed 3 messages"), Some(Notice::Missed(3)));
/// assert_eq!(Notice::of_line("[*] Closed: room is full"), Some(Notice::Closed("room is full")));
/// let not_said = Notice::NotSaid { why: "You are muted", messages: 2 };
/// assert_eq!(not_said.to_string(), "Not said: You are muted (2 messages)");
/// assert_eq!(Notice::of_line("[*] Not said: You are muted (2 messages)"), Some(not_said));
/// assert_eq!(Notice::of_line("[*] Good night"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// The log's tail has passed it: it missed this many messages.
    Missed(u64),
    /// It is out of the room, or was not let in, for this reason.
    Closed(&'a str),
    /// This many of its messages in a row are not said, all for this reason.
    NotSaid {
        /// Why.
        why: &'a str,
        /// How many; at least one.
        messages: u64,
    },
    /// It has ended its side of the connection, and stays as a listener.
    SideEnded,
    /// Its command was longer than a message may be, and the rest of the line was dropped.
    CommandCut,
}

const MISSED: &str = "You missed ";
const CLOSED: &str = "Closed: ";
const NOT_SAID: &str = "Not said: ";
const COMMAND_CUT: &str = "A command has at most 960 bytes, so the rest of the line was dropped";
const SIDE_ENDED: &str = "You ended your side; you still hear the room";

impl<'a> Notice<'a> {
    /// The notice that a line is, its author `[*]` included; `None` if it is none of these.
    #[must_use]
    pub fn of_line(line: &'a str) -> Option<Self> {
        let notice = line.strip_prefix("[*] ")?;
        if let Some(reason) = notice.strip_prefix(CLOSED) {
            return Some(Self::Closed(reason));
        }
        if let Some(messages) = notice.strip_prefix(MISSED) {
            return messages.split(' ').next()?.parse().ok().map(Self::Missed);
        }
        if let Some(why) = notice.strip_prefix(NOT_SAID) {
            let (why, messages) = counted(why).unwrap_or((why, 1));
            return Some(Self::NotSaid { why, messages });
        }
        match notice {
            SIDE_ENDED => Some(Self::SideEnded),
            COMMAND_CUT => Some(Self::CommandCut),
            _ => None,
        }
    }
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missed(1) => write!(f, "{MISSED}1 message"),
            Self::Missed(messages) => write!(f, "{MISSED}{messages} messages"),
            Self::Closed(reason) => write!(f, "{CLOSED}{reason}"),
            Self::NotSaid { why, messages: 1 } => write!(f, "{NOT_SAID}{why}"),
            Self::NotSaid { why, messages } => write!(f, "{NOT_SAID}{why} ({messages} messages)"),
            Self::SideEnded => f.write_str(SIDE_ENDED),
            Self::CommandCut => f.write_str(COMMAND_CUT),
        }
    }
}

/// The reason and the number in `REASON (N messages)`.
fn counted(why: &str) -> Option<(&str, u64)> {
    let (why, messages) = why.strip_suffix(" messages)")?.rsplit_once(" (")?;
    Some((why, messages.parse().ok()?))
}
