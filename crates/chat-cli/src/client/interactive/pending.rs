//! Messages of the user that the room has not confirmed yet.

use std::collections::VecDeque;
use std::time::Duration;

use chat_proto::Text;

/// How long a message may be on its way before it is shown as such. Most are there sooner, and a row that comes
/// and goes would only flicker.
const SHOWN_AFTER: Duration = Duration::from_millis(700);

/// Messages on their way, in order.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// With the time each was said.
    messages: VecDeque<(Text, Duration)>,
}

impl Pending {
    pub(crate) fn say(&mut self, text: Text, now: Duration) {
        self.messages.push_back((text, now));
    }

    /// The room has this message of ours, and so all before it.
    pub(crate) fn confirm(&mut self, text: &Text) {
        match self.messages.iter().position(|(pending, _)| pending == text) {
            Some(index) => drop(self.messages.drain(..=index)),
            None => drop(self.confirm_oldest()), // the moderator has changed it
        }
    }

    /// The room has dealt with the oldest.
    pub(crate) fn confirm_oldest(&mut self) -> Option<Text> {
        self.messages.pop_front().map(|(text, _)| text)
    }

    /// Nothing is known any more of the messages on their way.
    pub(crate) fn clear(&mut self) {
        self.messages.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// The messages that have been on their way for long, or all of them if the way is `broken`.
    pub(crate) fn shown(&self, now: Duration, broken: bool) -> impl Iterator<Item = &Text> {
        let is_due = move |since: Duration| broken || now.saturating_sub(since) >= SHOWN_AFTER;
        self.messages.iter().take_while(move |(_, since)| is_due(*since)).map(|(text, _)| text)
    }

    /// When the next of them will have been on its way for long.
    pub(crate) fn deadline(&self, now: Duration) -> Option<Duration> {
        self.messages.iter().map(|(_, since)| *since + SHOWN_AFTER).find(|due| *due > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Text {
        text.parse().expect("clean")
    }

    #[test]
    fn messages_are_shown_once_they_take_long() {
        let mut pending = Pending::default();
        pending.say(text("one"), Duration::ZERO);
        pending.say(text("two"), Duration::from_millis(500));
        let shown = |pending: &Pending, ms, broken| pending.shown(Duration::from_millis(ms), broken).count();
        assert_eq!(shown(&pending, 100, false), 0);
        assert_eq!(shown(&pending, 100, true), 2);
        assert_eq!(pending.deadline(Duration::from_millis(100)), Some(SHOWN_AFTER));
        assert_eq!(shown(&pending, 700, false), 1);
        assert_eq!(pending.deadline(SHOWN_AFTER), Some(Duration::from_millis(1200)));
        assert_eq!(shown(&pending, 1200, false), 2);
        assert_eq!(pending.deadline(Duration::from_millis(1200)), None);
    }

    #[test]
    fn a_confirmed_message_confirms_those_before_it() {
        let mut pending = Pending::default();
        ["one", "two", "three"].iter().for_each(|&message| pending.say(text(message), Duration::ZERO));
        pending.confirm(&text("two"));
        assert_eq!(pending.len(), 1);
        pending.confirm(&text("three, as the host words it"));
        assert_eq!(pending.len(), 0);
    }
}
