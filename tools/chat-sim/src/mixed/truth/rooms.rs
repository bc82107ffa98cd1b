//! What one room accepted.

use std::collections::HashMap;
use std::sync::Arc;

use chat_core::{Heard, LocalMember, Room};
use chat_proto::{Author, Entry, Event, MemberId, Text};

use super::FAREWELL;
use crate::mixed::forger::FORGED;

#[derive(Debug)]
pub(in crate::mixed) struct RoomTruth {
    name: Option<String>,
    local: LocalMember,
    /// Message 1 first.
    messages: Vec<Arc<Entry>>,
    /// The entries that tell of a new name.
    renames: Vec<Arc<Entry>>,
    /// The messages of remote members, by the name before the colon in each text.
    said: HashMap<String, Vec<Text>>,
    /// The name before the colon in the texts of each member.
    speakers: HashMap<MemberId, String>,
    /// The room has said the farewell.
    is_closed: bool,
}

impl RoomTruth {
    pub(super) fn new(room: &Room) -> Self {
        Self {
            name: room.name().map(ToString::to_string),
            local: room.join("truth").expect("the first local member"),
            messages: Vec::new(),
            renames: Vec::new(),
            said: HashMap::new(),
            speakers: HashMap::new(),
            is_closed: false,
        }
    }

    /// The next entry.
    pub(super) fn hear(&mut self) -> Result<Option<Arc<Entry>>, String> {
        match self.local.try_recv() {
            Ok(Heard::Entry(entry)) => Ok(Some(entry)),
            Ok(heard) => Err(format!("the local member that knows the truth: {heard:?}")),
            Err(_) => Ok(None),
        }
    }

    /// Takes a message. Returns what is wrong with it.
    pub(super) fn said(&mut self, entry: &Arc<Entry>) -> Option<&'static str> {
        let Event::Said { from, author, text } = &entry.event else { return None };
        let mut is_another = false;
        if let (true, Some((who, _))) = (*author != Author::Room, text.as_str().split_once(':')) {
            self.said.entry(who.to_owned()).or_default().push(text.clone());
            is_another = self.speakers.entry(from.member).or_insert_with(|| who.to_owned()) != who;
        }
        self.is_closed |= *author == Author::Room && text.as_str() == FAREWELL;
        self.messages.push(Arc::clone(entry));
        if text.as_str().contains(FORGED) {
            Some("was forged")
        } else if is_another {
            Some("is of another member")
        } else {
            (entry.seq != self.messages.len() as u64).then_some("is not the next message")
        }
    }

    pub(super) fn renamed(&mut self, entry: &Arc<Entry>) {
        self.renames.push(Arc::clone(entry));
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(super) fn said_by(&self, who: &str) -> &[Text] {
        self.said.get(who).map_or(&[], Vec::as_slice)
    }

    pub(in crate::mixed) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The number of the newest message.
    pub(in crate::mixed) fn head(&self) -> u64 {
        self.messages.len() as u64
    }

    pub(in crate::mixed) fn message(&self, seq: u64) -> Option<&Arc<Entry>> {
        self.messages.get(usize::try_from(seq.checked_sub(1)?).ok()?)
    }

    /// The entries that tell of new names, oldest first.
    pub(in crate::mixed) fn renames(&self) -> &[Arc<Entry>] {
        &self.renames
    }
}
