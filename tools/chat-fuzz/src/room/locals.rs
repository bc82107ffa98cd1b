//! What local members do.

use chat_core::{Heard, MemberId, TryRecvError};
use chat_proto::Text;

use super::reading::Reading;
use super::{Listener, Run, SEATS};
use crate::choices::Choices;

impl Run {
    pub(super) fn join_or_leave_local(&mut self, index: usize) {
        if self.locals[index].take().is_none() {
            let local = self.room.join(&format!("local{index}")).expect("it is free");
            let reading = Reading::after(self.truth.len() as u64);
            self.locals[index] = Some(Listener { local, reading });
        }
    }

    /// Lets a local member hear at most this many entries.
    pub(super) fn listen(&mut self, index: usize, entries: usize) {
        let Some(listener) = &mut self.locals[index] else { return };
        for _ in 0..entries {
            let is_ready = listener.local.ready().try_recv().is_ok();
            match listener.local.try_recv() {
                Ok(heard) => {
                    assert!(is_ready, "a token for the waiting reader");
                    match heard {
                        Heard::Entry(entry) => listener.reading.entry(&entry, &self.truth),
                        Heard::Missed(messages) => listener.reading.miss(messages),
                        other => panic!("nobody tells a local member anything: {other}"),
                    }
                }
                Err(end) => {
                    assert_eq!(listener.reading.seq, self.truth.len() as u64, "all was heard");
                    let is_over = self.room.is_closing() && self.attachments.iter().all(Option::is_none);
                    assert_eq!(end == TryRecvError::Closed, is_over);
                    assert!(is_ready || !is_over, "and a token for the end");
                    break;
                }
            }
        }
    }

    pub(super) fn say_from_within(&mut self, choices: &mut Choices<'_>) {
        let times = if choices.below(4) == 3 { choices.byte() } else { 1 };
        let length = usize::from(choices.byte()) * 4;
        let speaker = self.locals[choices.below(SEATS)].as_ref();
        let id = speaker.map_or(MemberId::ROOM, |listener| listener.local.id());
        for _ in 0..times {
            let text = "y".repeat(length);
            let said = match speaker {
                Some(listener) => listener.local.say(&text).map(drop),
                None => self.room.notice(&text),
            };
            assert_eq!(said.is_err(), self.room.is_closing());
            if said.is_ok() {
                let texts = Text::split(text.as_bytes());
                self.truth.extend(texts.map(|text| (id, text.to_string())));
            }
        }
        if times > 0 && length > 0 && !self.room.is_closing() {
            self.tell_all_but(None);
        }
    }
}
