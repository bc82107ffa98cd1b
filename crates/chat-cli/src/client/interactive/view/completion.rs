//! Completion by Tab: the members and rooms that the user has seen.

use std::collections::VecDeque;

use chat_proto::Author;

/// How many members are remembered, as they are shown.
const MEMBERS_MAX: usize = 64;

/// How many names of rooms are remembered.
pub(super) const ROOMS_MAX: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The last one first.
    members: VecDeque<String>,
    /// Rooms that the user was in, or that the server has listed, the last one first.
    rooms: VecDeque<String>,
}

impl Seen {
    pub(super) fn member(&mut self, author: &Author) {
        self.forget(author);
        self.members.push_front(author.to_string());
        self.members.truncate(MEMBERS_MAX);
    }

    pub(super) fn room(&mut self, room: &str) {
        self.rooms.retain(|seen| seen != room);
        self.rooms.push_front(room.to_owned());
        self.rooms.truncate(ROOMS_MAX);
    }

    pub(super) fn forget(&mut self, author: &Author) {
        let author = author.to_string();
        self.members.retain(|seen| *seen != author);
    }

    pub(super) fn completions(&self, word: &str) -> Vec<String> {
        let word = word.strip_prefix('@').unwrap_or(word);
        let fits = |address: &&String| {
            let port = address.rsplit(':').next().unwrap_or_default();
            address.to_lowercase().starts_with(&word.to_lowercase())
                || port.starts_with(word.trim_start_matches(':'))
        };
        self.members.iter().filter(fits).map(|address| format!("{address} ")).collect()
    }

    pub(super) fn rooms(&self, word: &str) -> Vec<String> {
        let word = word.to_lowercase();
        let fitting = self.rooms.iter().filter(|room| room.to_lowercase().starts_with(&word));
        fitting.map(|room| format!("{room} ")).collect()
    }
}
