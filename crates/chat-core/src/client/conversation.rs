//! A member's side of the framed protocol, whatever carries the frames.

use std::collections::VecDeque;

use chat_proto::{
    Author, Entry, Event, Hello, MemberFrame, PeerAddr, Resume, RoomFrame, Skipped, Text, Welcome,
};

use super::event::ClientEvent;

/// Messages that may be said and not yet confirmed. Enough to fill a fast path, little enough that
/// whoever feeds the client feels a slow one.
pub const UNCONFIRMED_MAX: usize = 1024;

/// What a client knows of its conversation with a room: how far it has read, what it said that the room
/// has not confirmed, and how both survive a lost connection.
///
/// A state machine without socket or clock, for those who carry frames over a medium of their own:
///
/// 1. connected: send the frame that [`hello`](Self::hello) returns;
/// 2. feed what comes to [`receive`](Self::receive), and send what [`next_frame`](Self::next_frame)
///    returns until it returns nothing;
/// 3. connection lost: call [`disconnected`](Self::disconnected), connect again, go on at 1.
///
/// What was said and not confirmed when the connection broke is said again, and not twice: the new
/// connection begins with everything the old one had not seen yet, its own messages among it. Only if
/// the log no longer reaches that far back, or the room has begun anew, is it unknown what was taken, and
/// the client is told so ([`ClientEvent::Unsure`]).
#[derive(Debug, Default)]
pub struct Conversation {
    history: u16,
    /// The connection's standing; of the last one while there is none.
    standing: Option<Standing>,
    phase: Phase,
    /// Said and not confirmed, in order.
    unconfirmed: VecDeque<Text>,
    /// How many of them were sent, and as whom.
    sent: usize,
    sent_as: Option<SentAs>,
    /// How many were confirmed on this connection.
    confirmed: u64,
    /// Own messages up to this one are confirmed already, those among them that are still to be read.
    confirmed_seq: u64,
    /// The log no longer reaches back to all that was sent on connections before, or the room began anew.
    /// Stays until it has caught up, over however many connections.
    in_doubt: bool,
    /// Questions who is present that are not answered: for each, how much of what waits to be confirmed was said
    /// before it.
    questions: VecDeque<usize>,
    /// The first of them was sent.
    is_asked: bool,
    wants: Wants,
}

#[derive(Clone, Copy, Debug)]
struct Standing {
    epoch: u64,
    session: chat_proto::Session,
    you: PeerAddr,
    /// Has everything up to this message.
    have: u64,
}

/// The connection on which messages were sent that are still to be confirmed.
#[derive(Clone, Copy, Debug)]
struct SentAs {
    you: PeerAddr,
    member: u64,
    /// How many of what was said there are confirmed, once it is broken.
    confirmed: u64,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Phase {
    /// No connection, or no welcome yet.
    #[default]
    Waiting,
    /// Reads what happened while it was away, among it perhaps what it said last time.
    CatchingUp {
        until: u64,
    },
    Live,
}

#[derive(Debug, Default)]
struct Wants {
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

    /// What to say first on a new connection.
    #[must_use]
    pub fn hello(&self) -> MemberFrame {
        let resume =
            self.standing.map(|Standing { epoch, session, have, .. }| Resume { epoch, session, have });
        MemberFrame::Hello(Hello { resume, history: self.history })
    }

    /// Queues `text` to be said.
    ///
    /// # Errors
    ///
    /// Gives it back while [`UNCONFIRMED_MAX`] messages wait to be confirmed.
    pub fn say(&mut self, text: Text) -> Result<(), Text> {
        if self.is_full() {
            return Err(text);
        }
        self.unconfirmed.push_back(text);
        Ok(())
    }

    /// Whether [`say`](Self::say) would refuse.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.unconfirmed.len() + self.questions.len() >= UNCONFIRMED_MAX
    }

    /// Asks who is present, once what was said before is confirmed. What is said after it waits for the answer, so
    /// that all answers come in the order of the requests.
    pub fn ask_who(&mut self) {
        if !self.is_full() {
            self.questions.push_back(self.unconfirmed.len());
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
        if self.phase == Phase::Waiting || self.wants.left {
            return None;
        }
        if self.is_leaving() {
            self.wants.left = true;
            return Some(MemberFrame::Bye);
        }
        if self.phase != Phase::Live {
            return None; // what is still to come tells what must be said again
        }
        if let Some(&said_before) = self.questions.front()
            && self.sent >= said_before
        {
            let may_ask = said_before == 0 && !std::mem::replace(&mut self.is_asked, said_before == 0);
            return may_ask.then_some(MemberFrame::Who);
        }
        let text = self.unconfirmed.get(self.sent)?.clone();
        self.sent += 1;
        self.sent_as = self.standing.map(|Standing { you, session, .. }| SentAs {
            you,
            member: session.member,
            confirmed: self.confirmed,
        });
        Some(MemberFrame::Say(text))
    }

    /// Takes in a frame of the room; what it means for the user goes to `on_event`.
    pub fn receive(&mut self, frame: RoomFrame, mut on_event: impl FnMut(ClientEvent)) {
        match frame {
            RoomFrame::Welcome(welcome) => {
                self.welcome(&welcome);
                on_event(ClientEvent::Connected(welcome));
            }
            RoomFrame::Entry(entry) => {
                let own = self.read(&entry);
                on_event(ClientEvent::Entry { entry, own });
            }
            RoomFrame::Skipped(skipped) => {
                self.skip(&skipped);
                on_event(ClientEvent::Missed(skipped.messages));
            }
            RoomFrame::Present(present) => {
                if std::mem::take(&mut self.is_asked) {
                    self.questions.pop_front();
                }
                on_event(ClientEvent::Present(present));
            }
            RoomFrame::Bye(reason) => on_event(ClientEvent::Dismissed(reason)),
        }
        self.catch_up(on_event);
    }

    /// The connection is gone. Returns true if nothing is lost with it: leaving was all that was left.
    pub fn disconnected(&mut self) -> bool {
        if let (Phase::Live, Some(sent_as)) = (&self.phase, &mut self.sent_as) {
            sent_as.confirmed = self.confirmed;
        }
        self.phase = Phase::Waiting;
        self.is_asked = false;
        self.wants.left
    }

    fn welcome(&mut self, welcome: &Welcome) {
        let Welcome { epoch, session, you, head, .. } = *welcome;
        let goes_on = self.standing.is_some_and(|old| old.epoch == epoch && old.have == session.since);
        self.standing = Some(Standing { epoch, session, you, have: session.since });
        self.confirmed = 0;
        if !goes_on {
            (self.confirmed_seq, self.in_doubt) = (0, true);
        }
        self.phase = Phase::CatchingUp { until: if goes_on { head } else { 0 } };
    }

    /// Notes an entry as read; tells whether it is an own message.
    fn read(&mut self, entry: &Entry) -> bool {
        let Some(standing) = &mut self.standing else {
            return false;
        };
        standing.have = standing.have.max(entry.seq);
        let Standing { you, session, .. } = *standing;
        let before = self.sent_as.filter(|_| matches!(self.phase, Phase::CatchingUp { .. }));
        match &entry.event {
            Event::Said { author: Author::Peer(author), text } => {
                let as_before = before.is_some_and(|before| before.you == *author);
                if entry.seq > self.confirmed_seq && (as_before || *author == you) {
                    // Behind a gap it need not be the first one; those before it were accepted too.
                    let sent = || self.unconfirmed.iter().take(self.sent);
                    let before = if self.in_doubt { sent().position(|sent| sent == text) } else { Some(0) };
                    self.confirm_next(before.map_or(0, |before| before + 1), as_before);
                }
                as_before || *author == you
            }
            Event::Refused { member, said, .. } => {
                let as_before = before.is_some_and(|before| before.member == *member);
                if as_before || *member == session.member {
                    let confirmed =
                        before.filter(|_| as_before).map_or(self.confirmed, |before| before.confirmed);
                    let more = usize::try_from(said.saturating_sub(confirmed)).unwrap_or(usize::MAX);
                    self.confirm_next(more, as_before);
                }
                as_before || *member == session.member
            }
            _ => false,
        }
    }

    /// The next `messages` were dealt with, on this connection or on the one before.
    fn confirm_next(&mut self, messages: usize, as_before: bool) {
        let counter = match &mut self.sent_as {
            Some(before) if as_before => &mut before.confirmed,
            _ => &mut self.confirmed,
        };
        *counter = counter.saturating_add(messages as u64);
        self.confirm(messages);
    }

    fn confirm(&mut self, messages: usize) {
        let messages = messages.min(self.sent);
        self.unconfirmed.drain(..messages);
        self.sent -= messages;
        self.answered(messages);
    }

    /// That many of the messages that were said first need no longer be waited for.
    fn answered(&mut self, messages: usize) {
        for said_before in &mut self.questions {
            *said_before = said_before.saturating_sub(messages);
        }
    }

    fn skip(&mut self, skipped: &Skipped) {
        if let Some(standing) = &mut self.standing {
            standing.have = standing.have.max(skipped.next.saturating_sub(1));
        }
        match self.phase {
            Phase::CatchingUp { .. } => self.in_doubt = true,
            Phase::Live => {
                // All that the room had accepted by then, whether it lies before or behind the gap.
                let accepted = skipped.accepted.saturating_sub(self.confirmed);
                self.confirm(usize::try_from(accepted).unwrap_or(usize::MAX));
                self.confirmed = self.confirmed.max(skipped.accepted);
                self.confirmed_seq = self.confirmed_seq.max(skipped.head);
            }
            Phase::Waiting => {}
        }
    }

    /// Once everything from before the welcome is read, what is still unconfirmed was never accepted.
    fn catch_up(&mut self, mut on_event: impl FnMut(ClientEvent)) {
        let Phase::CatchingUp { until } = self.phase else {
            return;
        };
        if self.standing.is_none_or(|standing| standing.have < until) {
            return;
        }
        if std::mem::take(&mut self.in_doubt) && self.sent > 0 {
            on_event(ClientEvent::Unsure(self.unconfirmed.drain(..self.sent).collect()));
            self.answered(self.sent);
        }
        self.sent = 0;
        self.phase = Phase::Live;
    }
}
