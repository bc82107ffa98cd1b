//! A client of a room on a server: the same handle over every transport.

mod carrier;
mod config;
mod conversation;
mod dial;
mod event;
mod queue;
mod saved;

use std::iter;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use chat_proto::limits::TEXT_BYTES_MAX;
use chat_proto::{LookBack, Text};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use thiserror::Error;

use crate::commands::Line;
use crate::limits::{COMMANDS_MAX, EVENTS_MAX};
use crate::waker::Waker;

pub use carrier::{Carrier, ConnectError, Talk, User};
pub use config::ClientConfig;
pub use queue::Command;
pub use saved::{SavedSession, SavedSessionError};

pub use conversation::Conversation;
pub use dial::interleaved;
pub use event::{ClientEnd, ClientEvent, OldMessages};
use queue::Commands;

/// A membership in a room on a server, carried by a thread of its own.
///
/// Made by a transport, for example by `chat_tcp::connect`. Everything that happens arrives as a [`ClientEvent`]
/// through [`events`](Self::events); the last one is [`ClientEvent::Ended`]. The channel is bounded: if you do not take
/// the events, the client stops reading, and the server sees a slow member.
///
/// It speaks through its [`Speaker`], whose methods it has.
///
/// There are three ways to end: [`finish`](Speaker::finish) leaves once the room has everything that was said,
/// [`leave`](Speaker::leave) leaves now, and dropping the handle does so, too.
#[derive(Debug)]
#[must_use = "dropping the client leaves the room"]
pub struct Client {
    speaker: Speaker,
    events: Receiver<ClientEvent>,
    also_wakes: Arc<OnceLock<Waker>>,
}

impl Client {
    /// A handle, and the other end of it for the thread of a transport, which takes the user's commands when
    /// `waker` wakes it.
    fn new(waker: Waker) -> (Self, User) {
        let (commands, queue) = bounded(COMMANDS_MAX);
        let (events, events_out) = bounded(EVENTS_MAX);
        let leave = Arc::new(AtomicBool::new(false));
        let taken = Commands { queue, leave: Arc::clone(&leave), left: false };
        let also_wakes = Arc::new(OnceLock::<Waker>::new());
        let other = Arc::clone(&also_wakes);
        let tell = Waker::new(move || other.get().into_iter().for_each(Waker::wake));
        let speaker = Speaker { commands, leave, waker };
        (Self { speaker, events: events_out, also_wakes }, User::new(taken, events, tell))
    }

    /// All events, in order; ends after [`ClientEvent::Ended`].
    #[must_use]
    pub fn events(&self) -> &Receiver<ClientEvent> {
        &self.events
    }

    /// A handle to speak with, for other threads. It does not keep the client in the room.
    #[must_use]
    pub fn speaker(&self) -> Speaker {
        self.speaker.clone()
    }

    /// Calls `waker` whenever there is an event to take: for a loop that waits for something other than channels. Then
    /// take [`events`](Self::events) until there is none. Set it once: the first one stays.
    pub fn with_waker(self, waker: Waker) -> Self {
        waker.wake(); // for earlier events
        let _set_before = self.also_wakes.set(waker);
        self
    }
}

impl Deref for Client {
    type Target = Speaker;

    fn deref(&self) -> &Speaker {
        &self.speaker
    }
}

/// Says something as a [`Client`]. Clones speak as the same member.
#[derive(Clone, Debug)]
pub struct Speaker {
    commands: Sender<Command>,
    leave: Arc<AtomicBool>,
    waker: Waker,
}

impl Speaker {
    /// Says `text` as it is, even if it begins with `/`. Text of several lines, or longer than a message, becomes
    /// several messages; empty text (zero bytes) is not a message. Waits while too many messages are not confirmed yet
    /// ([`UNCONFIRMED_MAX`](crate::limits::UNCONFIRMED_MAX)), so take the events on another thread, or use
    /// [`try_say`](Self::try_say).
    ///
    /// # Errors
    ///
    /// [`Ended`] if the client has ended.
    pub fn say(&self, text: &str) -> Result<(), Ended> {
        Text::split(text.as_bytes()).try_for_each(|text| self.ask(Command::Say(text)))
    }

    /// Gives the room a command, `/nick ann`, of at most [`TEXT_BYTES_MAX`] bytes; a first line that begins otherwise
    /// is said, and so are the lines that follow. Answers come as [`ClientEvent::Direct`], the last of them `Done` or
    /// `Sent`. Waits as [`say`](Self::say) does.
    ///
    /// # Errors
    ///
    /// [`CommandError`]. If the command is too long, nothing is sent, not even the lines that follow.
    pub fn command(&self, line: &str) -> Result<(), CommandError> {
        if is_too_long_command(line) {
            return Err(CommandError::TooLong);
        }
        let mut texts = Text::split(line.as_bytes());
        texts.next().map_or(Ok(()), |first| self.ask(Command::Line(first)))?;
        Ok(texts.try_for_each(|text| self.ask(Command::Say(text)))?)
    }

    /// Says as much of `text` as it can without waiting.
    ///
    /// # Errors
    ///
    /// [`TrySayError`], which gives back what was not said.
    pub fn try_say(&self, text: &str) -> Result<(), TrySayError> {
        self.try_say_all(Text::split(text.as_bytes()))
    }

    /// Gives the room a command as [`command`](Self::command) does, but never waits.
    ///
    /// # Errors
    ///
    /// [`TryCommandError`], which gives back what was not sent.
    pub fn try_command(&self, line: &str) -> Result<(), TryCommandError> {
        if is_too_long_command(line) {
            return Err(TryCommandError::TooLong);
        }
        let mut texts = Text::split(line.as_bytes());
        let Some(first) = texts.next() else { return Ok(()) };
        match self.try_ask(Command::Line(first)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(TryCommandError::NotSent(line.to_owned())),
            Err(TrySendError::Disconnected(_)) => return Err(TryCommandError::Ended),
        }
        self.try_say_all(texts).map_err(|error| match error {
            TrySayError::Full(rest) => TryCommandError::NotSaid(rest),
            TrySayError::Ended => TryCommandError::Ended,
        })
    }

    fn try_say_all(&self, mut texts: impl Iterator<Item = Text>) -> Result<(), TrySayError> {
        while let Some(text) = texts.next() {
            match self.try_ask(Command::Say(text.clone())) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    let rest = iter::once(text).chain(texts);
                    return Err(TrySayError::Full(rest.map(|text| format!("{text}\n")).collect()));
                }
                Err(TrySendError::Disconnected(_)) => return Err(TrySayError::Ended),
            }
        }
        Ok(())
    }

    fn try_ask(&self, command: Command) -> Result<(), TrySendError<Command>> {
        let sent = self.commands.try_send(command);
        self.waker.wake();
        sent
    }

    /// Asks who is present; [`ClientEvent::Present`] answers.
    ///
    /// # Errors
    ///
    /// [`Ended`] if the client has ended.
    pub fn ask_who(&self) -> Result<(), Ended> {
        self.ask(Command::Who)
    }

    /// Asks for old messages, once everything said before is confirmed; [`ClientEvent::OldMessages`] answers. For the
    /// page before, ask for those [`before`](LookBack::before) the first one of the answer. A plain server is not
    /// asked.
    ///
    /// # Errors
    ///
    /// [`Ended`] if the client has ended.
    pub fn history(&self, question: LookBack) -> Result<(), Ended> {
        self.ask(Command::LookBack(question))
    }

    /// Leaves once everything said is confirmed.
    ///
    /// # Errors
    ///
    /// [`Ended`] if the client has ended.
    pub fn finish(&self) -> Result<(), Ended> {
        self.ask(Command::Finish)
    }

    /// Leaves now. Never waits: commands that are still queued are dropped. Unconfirmed messages are counted
    /// at the end ([`ClientEnd::Abandoned`]).
    pub fn leave(&self) {
        self.leave.store(true, Ordering::Release);
        self.waker.wake();
    }

    fn ask(&self, command: Command) -> Result<(), Ended> {
        self.commands.send(command).map_err(|_| Ended)?;
        self.waker.wake();
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Whether the first line is a command that does not fit into one text.
fn is_too_long_command(line: &str) -> bool {
    let first_line = line.split(['\n', '\r', '\0']).next().unwrap_or_default();
    let mut texts = Text::split(first_line.as_bytes());
    let first = texts.next().unwrap_or_default();
    matches!(Line::read(first.as_str()), Line::Command(_)) && texts.next().is_some()
}

/// The client has ended; [`ClientEvent::Ended`] tells why.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the client has ended")]
pub struct Ended;

/// Why [`Speaker::command`] did not send everything.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// The command is longer than a message may be, so nothing was sent.
    #[error("a command has at most {TEXT_BYTES_MAX} bytes")]
    TooLong,
    /// The client has ended.
    #[error("the client has ended")]
    Ended,
}

impl From<Ended> for CommandError {
    fn from(Ended: Ended) -> Self {
        Self::Ended
    }
}

/// Why [`Speaker::try_command`] did not send everything.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryCommandError {
    /// Too many messages are on their way. Gives back the command and what follows it, for another
    /// [`try_command`](Speaker::try_command).
    #[error("too many messages are on their way")]
    NotSent(String),
    /// The command was sent, and then too many messages were on their way. Gives back the lines that follow it and were
    /// not said, for [`try_say`](Speaker::try_say): one that begins with `/` is not a command.
    #[error("too many messages are on their way")]
    NotSaid(String),
    /// The command is longer than a message may be, so nothing was sent.
    #[error("a command has at most {TEXT_BYTES_MAX} bytes")]
    TooLong,
    /// The client has ended.
    #[error("the client has ended")]
    Ended,
}

/// Why [`Speaker::try_say`] did not say everything.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TrySayError {
    /// Too many messages are on their way. Gives back what was not said, each message as a line.
    #[error("too many messages are on their way")]
    Full(String),
    /// The client has ended.
    #[error("the client has ended")]
    Ended,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A speaker, and the other end of its commands.
    fn client() -> (Speaker, Commands) {
        let (commands, queue) = bounded(COMMANDS_MAX);
        let leave = Arc::new(AtomicBool::new(false));
        let taken = Commands { queue, leave: Arc::clone(&leave), left: false };
        (Speaker { commands, leave, waker: Waker::new(|| {}) }, taken)
    }

    fn texts(commands: &mut Commands) -> Vec<(bool, String)> {
        iter::from_fn(|| commands.next(false))
            .map(|command| match command {
                Command::Line(text) => (true, text.to_string()),
                Command::Say(text) => (false, text.to_string()),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn no_part_of_a_command_that_is_too_long_is_sent() {
        let (client, mut commands) = client();
        let longest = format!("/msg bob {}", "x".repeat(TEXT_BYTES_MAX - 9));
        for too_long in [format!("{longest}x"), format!("{longest}x\r\nhello"), format!("{longest}x\0")] {
            assert_eq!(client.command(&too_long), Err(CommandError::TooLong));
            assert_eq!(client.try_command(&too_long), Err(TryCommandError::TooLong));
        }
        assert_eq!(CommandError::TooLong.to_string(), "a command has at most 960 bytes");
        assert_eq!(texts(&mut commands), []);
        client.command(&format!("{longest}\nhello")).unwrap();
        assert_eq!(texts(&mut commands), [(true, longest), (false, "hello".to_owned())]);
        let said = format!("/{}", "/".repeat(TEXT_BYTES_MAX));
        client.command(&said).unwrap();
        assert_eq!(texts(&mut commands).len(), 2, "it is not a command");
    }

    #[test]
    fn text_that_is_given_back_runs_no_command() {
        let (client, mut commands) = client();
        let fill = |count| (0..count).for_each(|_| client.try_say("x").unwrap());
        fill(COMMANDS_MAX - 1);
        let rest = TryCommandError::NotSaid("/quit\nbye\n".to_owned());
        assert_eq!(client.try_command("/nick ann\n/quit\nbye"), Err(rest));
        let whole = TryCommandError::NotSent("/nick ann\n/quit".to_owned());
        assert_eq!(client.try_command("/nick ann\n/quit"), Err(whole));
        assert_eq!(texts(&mut commands).pop(), Some((true, "/nick ann".to_owned())));
    }
}
