//! A member's side of the framed protocol, whatever carries the frames.

mod direct;
mod seen;
mod settled;

use std::collections::VecDeque;
use std::sync::Arc;

use chat_proto::limits::TEXT_BYTES_MAX;
use chat_proto::{
    Author, COMMANDS, Entry, Event, Hello, LookBack, MemberFrame, MemberId, Name, Resume, RoomFrame, Session,
    Text, Welcome,
};

use self::seen::Seen;
use self::settled::Settled;
use super::saved::Place;
use super::{ClientConfig, ClientEvent, OldMessages};
use crate::commands::Line;
use crate::limits::UNCONFIRMED_MAX;

/// A client's state of its conversation with a room: how far it has read, which of its messages the room
/// has not confirmed, and how both survive a lost connection.
///
/// A state machine without socket or clock, for code that carries frames over its own medium:
///
/// 1. connected: send the frame that [`hello`](Self::hello) returns;
/// 2. pass each received frame to [`receive`](Self::receive), and send the frames that
///    [`next_frame`](Self::next_frame) returns until it returns `None`;
/// 3. connection lost: call [`disconnected`](Self::disconnected), connect again, go on at 1.
///
/// Every message has a number, and the room takes no number twice. After a lost connection the room's welcome says up
/// to which number it has taken them, and the client says the rest again. Only if the room no longer knows, or has
/// begun anew, is it unknown what it took, and the client is told so ([`ClientEvent::Unsure`]).
#[derive(Debug, Default)]
pub struct Conversation {
    history: u16,
    /// The name that it wants to have.
    name: Option<Name>,
    /// The room that it wants to be in, or is in.
    room: Option<Text>,
    /// The room is about to send it to this one.
    goes_to: Option<Text>,
    /// The room has sent it to another one: it takes nothing more over this connection.
    moves: bool,
    /// It asked for that over an earlier connection, so it is for the member to end this one.
    must_go: bool,
    /// The room's state at the welcome: the number of its newest message, and up to which number it had taken the
    /// member's messages.
    welcomed: (u64, u64),
    /// The session, once there was one.
    standing: Option<Standing>,
    /// Welcomed over the present connection.
    is_live: bool,
    /// The room takes a text that begins with `/` for a command.
    has_commands: bool,
    /// Entries that a resumed session is told again.
    seen: Seen,
    /// Messages up to this number are confirmed.
    confirmed: u64,
    /// The messages after them, in order.
    unconfirmed: VecDeque<Said>,
    /// How many of them were sent over this connection; of the last one while there is none.
    sent: usize,
    settled: Settled,
    /// Unanswered questions.
    questions: VecDeque<Question>,
    /// The first of them was sent.
    is_asked: bool,
    /// The number of the newest question about the past.
    looks: u64,
    /// Another process may have used numbers up to this one in the same session.
    may_be_used: u64,
    /// The messages of its answer that have come.
    old: Vec<Arc<Entry>>,
    wants: Wants,
}

/// A question that is not answered.
#[derive(Debug)]
struct Question {
    /// How many of the unconfirmed messages were said before it.
    said_before: usize,
    /// What is asked for: old messages, or the list of members.
    look_back: Option<LookBack>,
}

/// A message that is not confirmed.
#[derive(Debug)]
struct Said {
    text: Text,
    /// It is sent as it is. Otherwise it must not become a command.
    is_line: bool,
}

impl Said {
    /// How it is sent to a room with or without commands.
    fn on_the_wire(&self, has_commands: bool) -> Text {
        let is_to_be_doubled = !self.is_line && has_commands;
        let line = is_to_be_doubled.then(|| Line::saying(self.text.as_str())).flatten();
        line.map_or_else(
            || self.text.clone(),
            |text| Text::one_line(&text).expect("invariant: `say` has left a byte"),
        )
    }
}

#[derive(Clone, Copy, Debug)]
struct Standing {
    epoch: u64,
    session: Session,
    /// Has everything up to this message.
    have: u64,
    /// Has everything up to this item of the direct lane.
    direct: u64,
}

#[derive(Debug, Default)]
struct Wants {
    /// An acknowledgement of the direct lane is due.
    got: bool,
    finish: bool,
    leave: bool,
    left: bool,
}

impl Conversation {
    /// A conversation that begins with at most `history` messages of the past.
    #[must_use]
    pub fn new(history: u16) -> Self {
        Self { history, ..Self::default() }
    }

    /// The conversation that a client with this configuration has.
    #[must_use]
    pub fn of(config: &ClientConfig) -> Self {
        let new = Self::new(config.history).with_name(config.name.clone()).with_room(config.room.clone());
        let Some(place) = config.resume.place().cloned() else { return new };
        let may_be_used = place.may_be_used();
        let Place { epoch, session, have, number, room } = place;
        // The room sends items of the direct lane again that the other process may not have seen.
        let standing = Some(Standing { epoch, session, have, direct: 0 });
        Self { standing, confirmed: number, room, looks: may_be_used, may_be_used, ..new }
    }

    /// Asks for this name with the first hello. The room's welcome says whether it gives it. Later hellos ask for the
    /// name that the member took last, even in another room.
    #[must_use]
    pub fn with_name(mut self, name: Option<Name>) -> Self {
        self.name = name;
        self
    }

    /// Asks for this room with the first hello. Default: the server's first room.
    #[must_use]
    pub fn with_room(mut self, room: Option<Name>) -> Self {
        self.room = room.and_then(|room| Text::one_line(room.as_str()).ok());
        self
    }

    /// The first frame on a new connection.
    #[must_use]
    pub fn hello(&self) -> Hello {
        let resume = self.standing.map(|Standing { epoch, session, have, direct }| Resume {
            epoch,
            session,
            have,
            direct,
        });
        let name = self.name.as_ref().and_then(|name| Text::one_line(name.as_str()).ok());
        Hello { resume, name, room: self.room.clone(), history: self.history, ..Hello::default() }
    }

    /// Which member of the room it is, once it was welcomed.
    #[must_use]
    pub fn member(&self) -> Option<MemberId> {
        self.standing.map(|standing| standing.session.member)
    }

    /// Queues `text` to be said as it is. A text of the greatest length that reads as a command becomes two messages:
    /// in a room with commands a slash is put before it.
    ///
    /// # Errors
    ///
    /// Gives it back while [`UNCONFIRMED_MAX`] messages wait to be confirmed.
    pub fn say(&mut self, text: Text) -> Result<(), Text> {
        if self.is_full() {
            return Err(text);
        }
        if Line::saying(text.as_str()).is_some_and(|line| line.len() > TEXT_BYTES_MAX) {
            let last = text.as_str().chars().next_back().map_or(0, char::len_utf8);
            let (front, rest) = text.as_str().split_at(TEXT_BYTES_MAX - last);
            for text in [front, rest].iter().flat_map(|part| Text::one_line(part)) {
                self.unconfirmed.push_back(Said { text, is_line: false });
            }
        } else {
            self.unconfirmed.push_back(Said { text, is_line: false });
        }
        Ok(())
    }

    /// Queues a line that is sent as it is: `/nick ann` is a command.
    ///
    /// # Errors
    ///
    /// As [`say`](Self::say).
    pub fn command(&mut self, line: Text) -> Result<(), Text> {
        if self.is_full() {
            return Err(line);
        }
        self.unconfirmed.push_back(Said { text: line, is_line: true });
        Ok(())
    }

    /// Whether [`say`](Self::say) would refuse.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.unconfirmed.len() + self.questions.len() >= UNCONFIRMED_MAX
    }

    /// Asks for the list of members, once earlier messages are confirmed. Later messages wait for the answer, so
    /// that all answers arrive in the order of the requests.
    pub fn ask_who(&mut self) {
        if !self.is_full() {
            self.questions.push_back(Question { said_before: self.unconfirmed.len(), look_back: None });
        }
    }

    /// Asks for old messages, in the same order; [`ClientEvent::OldMessages`] answers.
    pub fn look_back(&mut self, question: LookBack) {
        if !self.is_full() {
            let said_before = self.unconfirmed.len();
            self.questions.push_back(Question { said_before, look_back: Some(question) });
        }
    }

    /// Leaves once everything said is confirmed, and every question answered.
    pub fn finish(&mut self) {
        self.wants.finish = true;
    }

    /// Leaves now.
    pub fn leave(&mut self) {
        self.wants.leave = true;
    }

    /// How many messages are not confirmed.
    #[must_use]
    pub fn unconfirmed(&self) -> usize {
        self.unconfirmed.len()
    }

    fn is_leaving(&self) -> bool {
        self.wants.leave || (self.wants.finish && self.unconfirmed.is_empty() && self.questions.is_empty())
    }

    /// The next frame to send, if there is one.
    pub fn next_frame(&mut self) -> Option<MemberFrame> {
        if !self.is_live || self.wants.left {
            return None;
        }
        if std::mem::take(&mut self.wants.got) {
            return self.standing.map(|standing| MemberFrame::Got { direct: standing.direct });
        }
        if self.moves {
            // Its messages are for the other room. This room ends the connection over which it took the command.
            let has_all = self.standing.is_some_and(|standing| standing.have >= self.welcomed.0);
            return (has_all && std::mem::take(&mut self.must_go)).then_some(MemberFrame::Bye);
        }
        if self.is_leaving() {
            self.wants.left = true;
            return Some(MemberFrame::Bye);
        }
        if let Some(question) = self.questions.front()
            && self.sent >= question.said_before
        {
            let is_due = question.said_before == 0;
            if !is_due || std::mem::replace(&mut self.is_asked, true) {
                return None;
            }
            let Some(question) = question.look_back.clone() else { return Some(MemberFrame::Who) };
            self.looks += 1;
            self.old.clear();
            return Some(MemberFrame::LookBack { number: self.looks, question });
        }
        let text = self.unconfirmed.get(self.sent)?.on_the_wire(self.has_commands);
        let number = self.confirmed.checked_add(self.sent as u64 + 1)?;
        self.sent += 1;
        Some(MemberFrame::Say { number, text })
    }

    /// Processes a frame of the room and reports events for the user to `on_event`.
    pub fn receive(&mut self, frame: RoomFrame, mut on_event: impl FnMut(ClientEvent)) {
        match frame {
            RoomFrame::Welcome(welcome) => {
                self.welcome(&welcome, &mut on_event);
                on_event((*welcome).into());
            }
            RoomFrame::Entry(entry) => {
                let Some(standing) = &mut self.standing else { return };
                if self.seen.is_again(&entry) {
                    return;
                }
                standing.have = standing.have.max(entry.seq);
                let mine = standing.session.member;
                let own = match &entry.event {
                    Event::Said { from, .. } if from.member == mine => {
                        self.pass(from.number.saturating_sub(1));
                        self.confirm(from.number);
                        true
                    }
                    // The next hello asks for the name that it has now.
                    Event::Renamed { member, to, .. } if *member == mine => {
                        self.name = if let Author::Named(name) = to { Some(name.clone()) } else { None };
                        false
                    }
                    _ => false,
                };
                on_event(ClientEvent::Entry { entry, own });
            }
            RoomFrame::Lagged(lagged) => {
                let Some(standing) = &mut self.standing else { return };
                standing.have = standing.have.max(lagged.next.saturating_sub(1));
                self.pass(lagged.taken);
                if lagged.messages > 0 {
                    on_event(ClientEvent::Missed(lagged.messages));
                }
            }
            RoomFrame::Direct(direct) => self.read_direct(&direct, on_event),
            RoomFrame::Present(present) => {
                if self.is_asked && self.questions.front().is_some_and(|first| first.look_back.is_none()) {
                    self.is_asked = false;
                    self.questions.pop_front();
                }
                on_event(ClientEvent::Present(present));
            }
            RoomFrame::Bye(reason) => on_event(ClientEvent::Dismissed(reason)),
            RoomFrame::Unknown { kind } => on_event(ClientEvent::Unknown { kind }),
        }
    }

    /// The connection is lost. Returns true if nothing is lost with it, because only leaving remained.
    pub fn disconnected(&mut self) -> bool {
        self.is_live = false;
        self.is_asked = false;
        if self.moves {
            // The old room has taken nothing after the command to move, so that nothing is in doubt.
            self.sent = 0;
            self.standing = None;
        }
        self.wants.left
    }

    /// Whether the room has sent it to another one: connect again at once.
    #[must_use]
    pub fn moves(&self) -> bool {
        self.moves
    }

    fn welcome(&mut self, welcome: &Welcome, mut on_event: impl FnMut(ClientEvent)) {
        let &Welcome { epoch, session, resumed, taken, capabilities, .. } = welcome;
        self.has_commands = capabilities & COMMANDS != 0;
        self.room = welcome.room.clone();
        (self.moves, self.must_go) = (false, false);
        let before = self.standing.filter(|_| resumed);
        let may_be_used = std::mem::take(&mut self.may_be_used);
        let direct = before.map_or(0, |standing| standing.direct);
        self.standing = Some(Standing { epoch, session, have: session.since, direct });
        self.is_live = true;
        if let (Some(_), Some(taken)) = (before, taken) {
            self.pass(taken);
            self.confirmed = self.confirmed.max(taken);
        } else {
            // A new room, or one that does not know which messages it took.
            let first = self.confirmed.saturating_add(1);
            let unsure = self.drain(self.sent);
            if before.is_some() {
                // Some of them may have been refused, and the room may still say so.
                self.settled.extend(first, unsure.clone());
                self.confirmed = self.confirmed.saturating_add(unsure.len() as u64).max(may_be_used);
            } else {
                (self.goes_to, self.settled) = (None, Settled::default());
                self.confirmed = taken.unwrap_or(0);
            }
            if !unsure.is_empty() {
                on_event(ClientEvent::Unsure(unsure));
            }
        }
        self.seen.welcomed(resumed);
        (self.sent, self.wants.got) = (0, false);
        self.welcomed = (welcome.head, self.confirmed);
    }
}
