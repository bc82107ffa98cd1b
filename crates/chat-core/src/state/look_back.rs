//! Members that ask for old messages.

use std::time::Instant;

use chat_proto::limits::LOOK_BACK_BYTES_MAX;
use chat_proto::{DirectItem, LookBack, MemberId, Text};

use super::{State, Wakes};
use crate::error::SayError;
use crate::journal::Page;
use crate::limits::SEARCH_PAUSE;
use crate::state::direct_lane::text_bytes;
use crate::state::members::Membership;

/// A member's questions about the past. One of them is read at a time, and one waits at most.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    /// The greatest number of them.
    newest: u64,
    is_reading: bool,
    waiting: Option<Question>,
}

/// A question to read now.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) member: MemberId,
    pub(crate) number: u64,
    pub(crate) look_back: LookBack,
}

/// The result of asking a question.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Read it now.
    pub(crate) question: Option<Question>,
    /// Nothing more must be taken from the member before this moment.
    pub(crate) pause_until: Option<Instant>,
}

impl State {
    /// A member asks for old messages.
    pub(crate) fn ask(
        &mut self,
        membership: Membership,
        number: u64,
        look_back: LookBack,
        now: Instant,
    ) -> Result<Asked, SayError> {
        let member = self.may_be_heard(membership)?.id;
        let throttled = self.note_activity(membership, now)?;
        let is_search = look_back.author.is_some() || look_back.words.is_some();
        let searched = (is_search && self.in_flight.is_none()).then(|| now + SEARCH_PAUSE);
        let place = self.members_mut().get_mut(membership).ok_or(SayError::NotMember)?;
        let questions = place.profile_mut().questions.get_or_insert_default();
        let mut question = None;
        if number > questions.newest {
            questions.newest = number;
            let asked = Question { member, number, look_back };
            match std::mem::replace(&mut questions.is_reading, true) {
                true => questions.waiting = Some(asked),
                false => question = Some(asked),
            }
        }
        Ok(Asked { question, pause_until: self.pause_until(membership, throttled, now).max(searched) })
    }

    /// Answers a question of a member. Returns the next one, which has waited.
    pub(crate) fn answer_question(
        &mut self,
        member: MemberId,
        number: u64,
        page: Result<Page, Text>,
    ) -> (Wakes, Option<Question>) {
        let Some(membership) = self.members.key_of(member) else { return Default::default() };
        let Some(questions) = self.profile_mut(member).and_then(|profile| profile.questions.as_mut()) else {
            return Default::default();
        };
        let waiting = questions.waiting.take();
        questions.is_reading = waiting.is_some();
        let mut wakes = Wakes::default();
        for item in answer(number, page, self.began_unix_ms) {
            wakes.add(self.confirm_later(membership, item));
        }
        (wakes, waiting)
    }
}

/// The items of an answer: as many of the newest messages as fit, the oldest of them first.
fn answer(question: u64, page: Result<Page, Text>, began_unix_ms: u64) -> Vec<DirectItem> {
    let (page, why) = match page {
        Ok(page) => (page, None),
        Err(why) => (Page::default(), Some(why)),
    };
    let mut bytes = 0;
    let fits = page.messages.iter().rev().take_while(|kept| {
        bytes += text_bytes(&kept.event);
        bytes <= LOOK_BACK_BYTES_MAX
    });
    let left_out = page.messages.len() - fits.count();
    let more = page.more || left_out > 0;
    let messages = page.messages.into_iter().skip(left_out);
    let items = messages.map(|kept| {
        let entry = kept.into_entry(began_unix_ms).into();
        DirectItem::OldMessage { question, entry }
    });
    items.chain([DirectItem::OldEnd { question, more, why }]).collect()
}
