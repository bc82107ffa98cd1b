//! What the tests share: a file in a directory of its own, and a room that has it as its history.
#![allow(dead_code, reason = "every test file is a crate of its own and uses its part of this")]

use std::path::Path;

use chat_core::{Heard, Room, RoomConfig};
use chat_store::{Archive, Message, Selection, Store, StoreConfig};
use tempfile::TempDir;

/// An empty directory of the test's own. It is removed when this is dropped.
pub(crate) fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn open(path: &Path) -> Store {
    Store::open(path, StoreConfig::default()).unwrap()
}

pub(crate) fn room(store: &Store) -> Room {
    Room::restore(RoomConfig::default(), store).unwrap()
}

pub(crate) fn hear(local: &chat_core::LocalMember, line: &str) {
    loop {
        match local.recv().unwrap() {
            Heard::Direct(item) => panic!("{item}"),
            heard if heard.to_string() == line => return,
            _ => {}
        }
    }
}

/// The messages of a page as lines.
pub(crate) fn texts(page: &chat_core::journal::Page) -> Vec<String> {
    page.messages.iter().map(|kept| kept.event.to_string()).collect()
}

/// What is selected of a history: its room, its number, and the line.
pub(crate) fn all(path: &Path, selection: &Selection) -> Vec<String> {
    let mut lines = Vec::new();
    let each = |message: Message| {
        lines.push(format!("{} {} [{}] {}", message.room, message.seq, message.author, message.text));
        true
    };
    Archive::open(path).unwrap().each(selection, each).unwrap();
    lines
}
