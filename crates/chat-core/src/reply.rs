//! The result of a command.

use chat_proto::{Author, DirectItem, MemberId, Text};

use crate::limits::ANSWER_LINES_MAX;
use crate::rooms::pending_room::PendingRoom;

/// The result of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The answer to the member, line by line. At most [`ANSWER_LINES_MAX`] lines reach it.
    pub lines: Vec<Text>,
    /// The effect besides the answer.
    pub action: Option<Action>,
    /// Whether the command was not done, for the reason in `lines`.
    pub is_refused: bool,
}

/// The effect of a command beyond its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The member says this.
    Say(Text),
    /// This private message of the member is in the lane of another one.
    Sent {
        /// The recipient.
        to: Author,
        /// The message.
        text: Text,
    },
    /// The member leaves: its transport ends the connection.
    Leave,
    /// The member goes to this room: its transport takes it there.
    Move(PendingRoom),
    /// The member ignores another one from now on, or no longer.
    Ignore {
        /// The other member.
        member: MemberId,
        /// Whether it is ignored.
        is_ignored: bool,
    },
}

impl Reply {
    /// Answers with a line, and nothing else happens. A longer text becomes several lines.
    pub fn line(text: impl AsRef<str>) -> Self {
        Self::default().and(text)
    }

    /// Says why the command was not done.
    pub fn refuse(why: impl AsRef<str>) -> Self {
        Self { is_refused: true, ..Self::line(why) }
    }

    /// The member says this.
    pub fn say(text: impl AsRef<str>) -> Self {
        let text = Text::lossy(text.as_ref());
        Self::action(Action::Say(text))
    }

    /// Adds a line to the answer.
    #[must_use]
    pub fn and(mut self, text: impl AsRef<str>) -> Self {
        self.lines.extend(Text::split(text.as_ref().as_bytes()));
        self
    }

    /// Adds the line that shows a private message to its sender.
    pub(crate) fn with_sent_line(mut self) -> Self {
        if let Some(Action::Sent { to, text }) = &self.action {
            let line = format!("[you -> {to}] {text}");
            self.lines.extend(Text::split(line.as_bytes()));
        }
        self
    }

    pub(crate) fn action(action: Action) -> Self {
        Self { action: Some(action), ..Self::default() }
    }

    /// The items for the member's lane, no more than may be in an answer.
    pub(crate) fn items(self) -> impl Iterator<Item = DirectItem> {
        let more = self.lines.len().saturating_sub(ANSWER_LINES_MAX);
        let kept = self.lines.len() - if more > 0 { more + 1 } else { 0 };
        let rest = (more > 0).then(|| Text::lossy(&format!("… and {} more", more + 1)));
        self.lines.into_iter().take(kept).chain(rest).map(|text| DirectItem::Notice { text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_answer_says_how_much_is_left_out() {
        let reply = (0..100).fold(Reply::default(), |reply, number| reply.and(format!("line {number}")));
        let lines: Vec<String> = reply.items().map(|item| item.to_string()).collect();
        assert_eq!(lines.len(), ANSWER_LINES_MAX);
        assert_eq!(lines.last().unwrap(), "[*] … and 61 more");
        assert_eq!(Reply::line("one").items().count(), 1);
    }
}
