//! Items that the room has for this member alone: answers, refusals, old messages.

use std::sync::Arc;

use chat_proto::limits::LOOK_BACK_MESSAGES_MAX;
use chat_proto::{Direct, DirectItem, Text};

use super::{ClientEvent, Conversation, OldMessages, Question};

impl Conversation {
    pub(super) fn read_direct(&mut self, direct: &Direct, mut on_event: impl FnMut(ClientEvent)) {
        let Some(standing) = &mut self.standing else { return };
        self.wants.got = true;
        if direct.number <= standing.direct {
            return; // it already arrived over an earlier connection
        }
        standing.direct = direct.number;
        match &direct.item {
            DirectItem::Refused { number, why } => {
                let place = number
                    .checked_sub(self.confirmed)
                    .and_then(|place| usize::try_from(place.checked_sub(1)?).ok());
                let text =
                    place.filter(|&place| place < self.sent).and_then(|place| self.unconfirmed.get(place));
                let text = text.map(|said| said.text.clone()).or_else(|| self.settled.take(*number));
                self.confirm(*number);
                on_event(ClientEvent::Refused { text, why: why.clone() });
            }
            DirectItem::OldMessage { question, entry } => {
                if self.is_answer(*question) && self.old.len() < usize::from(LOOK_BACK_MESSAGES_MAX) {
                    self.old.push(Arc::clone(entry));
                }
            }
            DirectItem::OldEnd { question, more, why } => {
                if self.is_answer(*question)
                    && let Some(Question { look_back: Some(question), .. }) = self.questions.pop_front()
                {
                    self.is_asked = false;
                    let messages = std::mem::take(&mut self.old);
                    let why = why.clone();
                    on_event(ClientEvent::OldMessages(OldMessages { question, messages, more: *more, why }));
                }
            }
            item => {
                match item {
                    DirectItem::Done { number } | DirectItem::Sent { number, .. } => {
                        self.confirm(*number);
                        // Only now is everything that it said before the command known to be dealt with.
                        if let Some(room) = self.goes_to.take() {
                            (self.room, self.moves) = (Some(room), true);
                            self.must_go = *number <= self.welcomed.1;
                            self.forget_the_past(&mut on_event);
                        }
                    }
                    DirectItem::Move { room } => self.goes_to = Some(room.clone()),
                    _ => {}
                }
                on_event(ClientEvent::Direct(item.clone()));
            }
        }
    }

    /// It leaves a room, which will not answer questions about its past any more.
    fn forget_the_past(&mut self, on_event: &mut impl FnMut(ClientEvent)) {
        for Question { said_before, look_back } in std::mem::take(&mut self.questions) {
            match look_back {
                Some(question) => {
                    let why = Some(Text::lossy("you have left the room"));
                    let none = OldMessages { question, messages: Vec::new(), more: false, why };
                    on_event(ClientEvent::OldMessages(none));
                }
                None => self.questions.push_back(Question { said_before, look_back }),
            }
        }
    }

    /// Whether an answer with this number is for the question that was asked last, over this connection.
    fn is_answer(&self, question: u64) -> bool {
        self.is_asked
            && question == self.looks
            && self.questions.front().is_some_and(|first| first.look_back.is_some())
    }
}
