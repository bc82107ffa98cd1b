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
/// assert_eq!(Notice::of_line("[*] Good night"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// The log's tail has passed it: it missed so many messages.
    Missed(u64),
    /// It is out of the room, or was not let in, for this reason.
    Closed(&'a str),
    /// It has ended its side of the connection, and stays as a listener.
    SideEnded,
    /// Its command was longer than a message may be, and the rest of the line was dropped.
    CommandCut,
}

const MISSED: &str = "You missed ";
const CLOSED: &str = "Closed: ";
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
            Self::SideEnded => f.write_str(SIDE_ENDED),
            Self::CommandCut => f.write_str(COMMAND_CUT),
        }
    }
}
