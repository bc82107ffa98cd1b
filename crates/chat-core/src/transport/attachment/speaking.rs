//! Messages of members: commands are run, and the moderator is asked.

use std::borrow::Cow;
use std::time::Instant;

use chat_proto::Text;

use super::Attachment;
use crate::commands::{Action, Caller, Line};
use crate::error::SayError;
use crate::moderator::{Offer, Verdict};
use crate::state::members::Membership;
use crate::state::speaking::Speaker;
use crate::transport::outcome::{Outcome, Said};

/// The result of a message whose number was said before.
const REPEATED: Said = Said { outcome: Outcome::Repeated, pause_until: None };

impl Attachment {
    /// Says `text` as `member`, with the next number. When this returns, the message has its place in the one order, or
    /// the room's [`Moderator`](crate::Moderator) has refused it. In a room with a [`Journal`](crate::journal::Journal)
    /// the place is decided later ([`Outcome::Submitted`]).
    ///
    /// The attachment's own transport is not woken: it pulls at the end of its turn.
    ///
    /// # Errors
    ///
    /// [`SayError`] if it is not a member (any longer) or the room is closing.
    pub fn say(&self, member: Membership, text: Text, now: Instant) -> Result<Said, SayError> {
        self.say_as(member, None, text, now)
    }

    /// Like [`say`](Self::say), for a member that numbers its messages itself. A message is not said if its number is
    /// not greater than all earlier ones.
    ///
    /// # Errors
    ///
    /// As [`say`](Self::say).
    pub fn say_numbered(
        &self,
        member: Membership,
        number: u64,
        text: Text,
        now: Instant,
    ) -> Result<Said, SayError> {
        self.say_as(member, Some(number), text, now)
    }

    fn say_as(
        &self,
        member: Membership,
        number: Option<u64>,
        text: Text,
        now: Instant,
    ) -> Result<Said, SayError> {
        let text = match self.room.commands().map(|commands| (commands, Line::read(text.as_str()))) {
            Some((commands, Line::Command(line))) => {
                let Some(speaker) = self.speaker_of_new(member, number)? else { return Ok(REPEATED) };
                let caller = Caller::new(&self.room, speaker.id, speaker.author, speaker.is_operator);
                let reply = commands.run(&caller, line);
                match reply.action {
                    Some(Action::Say(said)) => said,
                    _ => return self.room.lock().answer(member, number, reply, now),
                }
            }
            Some((_, Line::Text(Cow::Owned(said)))) => Text::lossy(&said),
            _ => text,
        };
        self.say_as_it_is(member, number, text, now)
    }

    /// The member that says something; `None` if it has said this number before.
    fn speaker_of_new(&self, member: Membership, number: Option<u64>) -> Result<Option<Speaker>, SayError> {
        let speaker = self.room.lock().speaker(member)?;
        Ok(number.is_none_or(|number| number > speaker.taken).then_some(speaker))
    }

    /// As [`say`](Self::say), or with a number as [`say_numbered`](Self::say_numbered): the text is said as it is, and
    /// never a command.
    ///
    /// # Errors
    ///
    /// As [`say`](Self::say).
    pub fn say_as_it_is(
        &self,
        member: Membership,
        number: Option<u64>,
        text: Text,
        now: Instant,
    ) -> Result<Said, SayError> {
        let verdict = match self.room.moderator() {
            Some(moderator) => {
                let Some(speaker) = self.speaker_of_new(member, number)? else { return Ok(REPEATED) };
                moderator.decide(&Offer {
                    room: &self.room,
                    member: speaker.id,
                    peer: speaker.address,
                    text: &text,
                })
            }
            None => Verdict::Accept,
        };
        let mut state = self.room.lock_at(now);
        let result = match verdict {
            Verdict::Accept => state.say(member, number, Ok(text), now),
            Verdict::Change(text) => state.say(member, number, Ok(text), now),
            Verdict::Refuse(why) => state.say(member, number, Err(why), now),
        };
        drop(state);
        let (said, wakes) = result?;
        wakes.wake();
        Ok(said)
    }
}
