//! The client's side of a plain conversation, for other chat servers.

use std::time::Instant;

use chat_core::client::Talk;
use chat_core::limits::LAST_WORDS;
use chat_core::{ClientEnd, ClientEvent, Command};
use chat_proto::limits::QUIET;
use chat_proto::{PlainSplitter, Text};

use super::link::Protocol;
use crate::limits::{LAST_WORDS_MAX, OUTBOX_BYTES_MAX};

#[derive(Debug, Default)]
pub(super) struct Plain {
    splitter: PlainSplitter,
    outgoing: Vec<u8>,
    /// When a partly received line counts as whole.
    quiet_at: Option<Instant>,
    finishing: Finishing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Finishing {
    #[default]
    No,
    /// Applies once everything is written.
    Wanted,
    /// Our side is shut down: ends after a silence.
    At { quiet: Instant, latest: Instant },
}

impl Plain {
    fn line(line: &[u8], events: &mut Vec<ClientEvent>) {
        let empty = line.is_empty().then(Text::default);
        events.extend(Text::split(line).chain(empty).map(ClientEvent::Line));
    }
}

impl Protocol for Plain {
    fn connected(&mut self, _now: Instant) {
        self.splitter = PlainSplitter::new();
        self.quiet_at = None;
    }

    fn receive(
        &mut self,
        mut bytes: &[u8],
        now: Instant,
        events: &mut Vec<ClientEvent>,
    ) -> Result<(), ClientEnd> {
        let too_long = |_| ClientEnd::Dismissed(chat_proto::LeaveReason::LineTooLong);
        while let Some(line) = self.splitter.next(&mut bytes).map_err(too_long)? {
            Self::line(line, events);
        }
        if let Some(refusals) = self.splitter.take_reply() {
            self.outgoing.extend_from_slice(&refusals);
        }
        self.quiet_at = self.splitter.is_unfinished().then(|| now + QUIET);
        match &mut self.finishing {
            Finishing::At { latest, .. } if *latest <= now => return Err(ClientEnd::Left),
            Finishing::At { quiet, latest } => *quiet = (now + LAST_WORDS).min(*latest),
            Finishing::No | Finishing::Wanted => {}
        }
        Ok(())
    }

    fn end_of_input(&mut self, events: &mut Vec<ClientEvent>) -> Result<(), ClientEnd> {
        if let Some(line) = self.splitter.finish() {
            Self::line(&line, events);
        }
        if self.finishing == Finishing::No { Ok(()) } else { Err(ClientEnd::Left) }
    }

    fn deadline(&self) -> Option<Instant> {
        let finish = if let Finishing::At { quiet, .. } = self.finishing { Some(quiet) } else { None };
        self.quiet_at.into_iter().chain(finish).min()
    }

    fn on_deadline(&mut self, now: Instant, events: &mut Vec<ClientEvent>) -> Result<(), ClientEnd> {
        if self.quiet_at.is_some_and(|at| at <= now) {
            self.quiet_at = None;
            // Any line ending: such a server passes on what others sent, each with its own line ending.
            if let Some(line) = self.splitter.finish() {
                Self::line(&line, events);
            }
        }
        match self.finishing {
            Finishing::At { quiet, .. } if quiet <= now => Err(ClientEnd::Left),
            _ => Ok(()),
        }
    }

    fn welcomes(&self) -> bool {
        false
    }

    fn talk(&mut self) -> &mut dyn Talk {
        self
    }

    fn send(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.outgoing);
    }

    fn all_sent(&mut self, now: Instant) -> bool {
        let wanted = self.finishing == Finishing::Wanted;
        if wanted {
            self.finishing = Finishing::At { quiet: now + LAST_WORDS, latest: now + LAST_WORDS_MAX };
        }
        wanted
    }
}

impl Talk for Plain {
    fn command(&mut self, command: Command) {
        match command {
            Command::Say(text) | Command::Line(text) => {
                self.outgoing.extend_from_slice(text.as_str().as_bytes());
                self.outgoing.push(b'\n');
            }
            Command::Finish | Command::Leave => self.finishing = Finishing::Wanted,
            _ => {}
        }
    }

    fn is_full(&self) -> bool {
        self.outgoing.len() >= OUTBOX_BYTES_MAX
    }

    fn moves(&self) -> bool {
        false
    }

    fn unconfirmed(&self) -> usize {
        0 // nothing ever is
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[expect(clippy::disallowed_methods, reason = "there is no other first instant")]
    fn connected() -> (Plain, Instant) {
        let (mut plain, now) = (Plain::default(), Instant::now());
        plain.connected(now);
        (plain, now)
    }

    fn lines(events: &mut Vec<ClientEvent>) -> Vec<String> {
        let lines = events.drain(..).map(|event| match event {
            ClientEvent::Line(text) => text.to_string(),
            other => panic!("{other:?}"),
        });
        lines.collect()
    }

    #[test]
    fn lines_arrive_at_once_and_text_without_a_break_when_the_server_is_quiet() {
        let ((mut plain, now), mut events) = (connected(), Vec::new());
        plain.receive(b"one\r\n\ntwo", now, &mut events).unwrap();
        assert_eq!(lines(&mut events), ["one", ""]);
        plain.receive(b" and a half", now + 40 * MS, &mut events).unwrap();
        assert_eq!(plain.deadline(), Some(now + 40 * MS + QUIET));
        plain.on_deadline(now + 40 * MS + QUIET, &mut events).unwrap();
        assert_eq!(lines(&mut events), ["two and a half"]);
        assert_eq!(plain.deadline(), None);
        plain.receive(b"three", now + 200 * MS, &mut events).unwrap();
        assert!(plain.end_of_input(&mut events).is_ok(), "which is a loss");
        assert_eq!(lines(&mut events), ["three"]);
    }

    #[test]
    fn a_servers_hostile_text_is_cleaned_and_its_endless_line_ends_the_client() {
        let ((mut plain, now), mut events) = (connected(), Vec::new());
        plain.receive(b"\x1b[2J\rforged\n", now, &mut events).unwrap();
        assert_eq!(lines(&mut events), ["\u{241b}[2J", "forged"]);
        let endless = [b'x'; 70_000];
        assert!(matches!(plain.receive(&endless, now, &mut events), Err(ClientEnd::Dismissed(_))));
    }

    #[test]
    fn after_its_last_word_it_waits_for_a_silence_but_not_for_ever() {
        let ((mut plain, begun), mut events) = (connected(), Vec::new());
        plain.command(Command::Say("bye".parse().unwrap()));
        plain.command(Command::Finish);
        let mut out = Vec::new();
        plain.send(&mut out);
        assert_eq!(out, b"bye\n");
        assert!(plain.all_sent(begun) && !plain.all_sent(begun), "our side is shut down once");
        let mut now = begun;
        while plain.receive(b"never silent\n", now, &mut events).is_ok() {
            assert!(now < begun + LAST_WORDS_MAX);
            assert!(plain.deadline() <= Some(begun + LAST_WORDS_MAX));
            now += LAST_WORDS / 2;
        }
        assert!(lines(&mut events).len() > 10);

        let (mut plain, now) = connected();
        plain.command(Command::Finish);
        assert!(plain.all_sent(now));
        assert_eq!(plain.deadline(), Some(now + LAST_WORDS));
        assert!(matches!(plain.on_deadline(now + LAST_WORDS, &mut events), Err(ClientEnd::Left)));
    }
}
