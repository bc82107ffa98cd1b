//! `--json`: the answers to requests, in the order of the requests.

use std::collections::VecDeque;

use chat_core::ClientEvent;
use chat_proto::DirectItem;

use super::json;
use super::stdin::Expected;

/// Requests that may wait for their answers; then no more are read.
const EXPECTED_MAX: usize = 1024;

/// What is to be answered. The room answers most of it itself, in order; lines that are not requests are answered here,
/// when it is their turn.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    expected: VecDeque<Expected>,
    /// The room does not confirm messages.
    is_plain: bool,
    refused: u64,
}

impl Answers {
    pub(crate) fn new(is_plain: bool) -> Self {
        Self { is_plain, ..Self::default() }
    }

    /// Whether another request may be expected.
    pub(crate) fn have_room(&self) -> bool {
        self.expected.len() < EXPECTED_MAX
    }

    /// How many lines were not requests.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes a request; answers it if nothing is waited for before.
    pub(crate) fn expect(&mut self, expected: Expected, out: &mut String) {
        if !(self.is_plain && matches!(expected, Expected::Messages(_))) {
            self.expected.push_back(expected);
        }
        self.refuse(out);
    }

    /// Notes what an event answers. To be called after the event is written to `out`.
    pub(crate) fn on_event(&mut self, event: &ClientEvent, out: &mut String) {
        match event {
            ClientEvent::Entry { own: true, .. }
            | ClientEvent::Refused { .. }
            | ClientEvent::Direct(DirectItem::Done { .. } | DirectItem::Sent { .. }) => self.messages(1),
            ClientEvent::Unsure(texts) => self.messages(texts.len()),
            ClientEvent::Present(_) if self.expected.front() == Some(&Expected::Present) => {
                self.expected.pop_front();
            }
            ClientEvent::OldMessages(_) if self.expected.front() == Some(&Expected::History) => {
                self.expected.pop_front();
            }
            // Confirmations may be among the missed messages, and then nothing tells whose turn it is.
            ClientEvent::Missed(_) => {
                while matches!(self.expected.front(), Some(Expected::Messages(_))) {
                    self.expected.pop_front();
                    self.refuse(out);
                }
            }
            _ => {}
        }
        self.refuse(out);
    }

    /// Answers the requests that are left: nothing else will.
    pub(crate) fn end(&mut self, out: &mut String) {
        while !self.expected.is_empty() {
            self.refuse(out);
            self.expected.pop_front();
        }
    }

    fn messages(&mut self, mut count: usize) {
        while count > 0
            && let Some(Expected::Messages(waiting)) = self.expected.front_mut()
        {
            let settled = count.min(*waiting);
            *waiting -= settled;
            count -= settled;
            if *waiting == 0 {
                self.expected.pop_front();
            }
        }
    }

    fn refuse(&mut self, out: &mut String) {
        while let Some(Expected::Refused { line, error }) = self.expected.front() {
            json::refused(out, *line, error);
            self.refused += 1;
            self.expected.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chat_proto::{Author, Entry, Event, Origin, Present};

    use super::*;

    fn refused(line: u64) -> Expected {
        Expected::Refused { line, error: "no".to_owned() }
    }

    fn own() -> ClientEvent {
        let event =
            Event::Said { from: Origin::default(), author: Author::Room, text: "x".parse().expect("clean") };
        ClientEvent::Entry { entry: Arc::new(Entry { seq: 1, at_ms: 0, event }), own: true }
    }

    /// The lines that are answered.
    fn lines(out: &mut String) -> Vec<String> {
        let number = |line: &str| line.split(['{', ':', ',']).nth(4).unwrap_or_default().to_owned();
        std::mem::take(out).lines().map(number).collect()
    }

    #[test]
    fn a_refusal_waits_for_the_answers_before_it() {
        let (mut answers, mut out) = (Answers::new(false), String::new());
        for expected in [refused(1), Expected::Messages(2), refused(3), Expected::Present, refused(5)] {
            answers.expect(expected, &mut out);
        }
        assert_eq!(lines(&mut out), ["1"]);
        answers.on_event(&own(), &mut out);
        assert_eq!(lines(&mut out), [""; 0]);
        answers.on_event(&own(), &mut out);
        assert_eq!(lines(&mut out), ["3"]);
        let present = Present { members: 1, authors: Vec::new(), more: false };
        answers.on_event(&ClientEvent::Present(present), &mut out);
        assert_eq!(lines(&mut out), ["5"]);
        assert_eq!(answers.refused(), 3);
    }

    #[test]
    fn whatever_becomes_of_the_messages_the_refusals_come() {
        let (mut answers, mut out) = (Answers::new(false), String::new());
        answers.expect(Expected::Messages(2), &mut out);
        answers.expect(refused(2), &mut out);
        answers.on_event(&ClientEvent::Missed(9), &mut out);
        assert_eq!(lines(&mut out), ["2"]);
        answers.expect(Expected::Messages(1), &mut out);
        answers.expect(refused(4), &mut out);
        answers.expect(Expected::Present, &mut out);
        answers.expect(refused(6), &mut out);
        answers.end(&mut out);
        assert_eq!(lines(&mut out), ["4", "6"]);
    }

    #[test]
    fn a_plain_server_confirms_nothing() {
        let (mut answers, mut out) = (Answers::new(true), String::new());
        answers.expect(Expected::Messages(1), &mut out);
        answers.expect(refused(2), &mut out);
        assert_eq!(lines(&mut out), ["2"]);
    }
}
