//! A store that copies what another journal keeps: here, what another store does.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chat_core::journal::{Filter, JournalError};
use chat_core::{Heard, LocalMember, Room, RoomConfig, Rooms, RoomsConfig};
use chat_store::{Archive, Selection, Store, StoreConfig};
use crossbeam_channel::never;
use rusqlite::Connection;

use support::{directory, hear, open};
use tempfile::TempDir;

/// A log that holds few messages, so that old ones are read from journals.
fn config() -> RoomConfig {
    RoomConfig::default().with_log_bytes_max(RoomConfig::LOG_BYTES_MIN)
}

/// The room that `source` keeps, with its copy.
fn copied_room(copy: &Store, source: &Store) -> Result<Room, JournalError> {
    Room::restore(config(), &copy.copy_of(Arc::new(source.clone())).unwrap())
}

/// Says these messages as ann, and waits until all of them are in the log.
fn say(room: &Room, from: u64, up_to: u64) -> LocalMember {
    let ann = room.join("ann").unwrap();
    for number in from..=up_to {
        ann.say(&format!("number {number}")).unwrap();
        // The store decides the order in batches, and this many fit into its queue.
        if number % 1_000 == 0 && number < up_to {
            hear(&ann, &format!("[ann] number {number}"));
        }
    }
    hear(&ann, &format!("[ann] number {up_to}"));
    ann
}

/// Waits until the copy has everything that the room has.
fn is_copied(room: &Room) {
    for _ in 0..3_000 {
        if room.journal_depth().unwrap().queued == 0 {
            return;
        }
        let _nothing = never::<()>().recv_timeout(Duration::from_millis(10));
    }
    panic!("the copy is behind: {:?}", room.journal_depth());
}

/// What a file has, with the numbers.
fn messages(path: &Path) -> Vec<(u64, String)> {
    let mut messages = Vec::new();
    let archive = Archive::open(path).unwrap();
    let each = |message: chat_store::Message| {
        messages.push((message.seq, message.text.as_str().to_owned()));
        true
    };
    archive.each(&Selection::default(), each).unwrap();
    messages
}

fn numbers(range: impl IntoIterator<Item = u64>) -> Vec<(u64, String)> {
    range.into_iter().map(|number| (number, format!("number {number}"))).collect()
}

/// All that can be read page by page, from the newest message back to the oldest.
fn pages(room: &Room) -> Vec<u64> {
    let (mut before, mut seqs) = (u64::MAX, Vec::new());
    loop {
        let page = room.history(before, 300).unwrap();
        seqs.splice(0..0, page.messages.iter().map(|kept| kept.seq));
        match page.messages.first() {
            Some(first) if page.more => before = first.seq,
            _ => return seqs,
        }
    }
}

fn found(room: &Room, words: &str) -> Vec<u64> {
    let filter = Filter { author: None, words: Some(words.to_owned()) };
    room.search(u64::MAX, 10, filter).unwrap().messages.iter().map(|kept| kept.seq).collect()
}

fn paths(directory: &TempDir) -> (PathBuf, PathBuf) {
    (directory.path().join("source.db"), directory.path().join("copy.db"))
}

#[test]
fn an_empty_copy_fills_itself_and_then_follows() {
    let directory = directory();
    let (source, path) = paths(&directory);
    let (source, copy) = (open(&source), open(&path));
    drop(say(&support::room(&source), 1, 3_000));
    let room = copied_room(&copy, &source).unwrap();
    is_copied(&room);
    assert_eq!(messages(&path), numbers(1..=3_000));
    drop(say(&room, 3_001, 3_200));
    is_copied(&room);
    assert_eq!(messages(&path), numbers(1..=3_200));
    assert_eq!(found(&room, "number 17"), [17]);
    assert_eq!(found(&room, "number 3111"), [3_111]);
    assert!(pages(&room).into_iter().eq(1..=3_200));
}

#[test]
fn a_copy_that_was_away_has_everything_once_afterwards() {
    let directory = directory();
    let (source, path) = paths(&directory);
    let source = open(&source);
    let copy = open(&path);
    let room = copied_room(&copy, &source).unwrap();
    drop(say(&room, 1, 500));
    copy.close();
    assert_eq!(messages(&path), numbers(1..=500), "what was said before the end is in the copy");
    drop(say(&room, 501, 4_000)); // messages go on without it
    drop(room);
    let copy = open(&path);
    let room = copied_room(&copy, &source).unwrap();
    is_copied(&room);
    assert_eq!(messages(&path), numbers(1..=4_000));
}

#[test]
fn messages_that_either_side_has_deleted_are_read_from_the_other_one() {
    for is_source_short in [true, false] {
        let directory = directory();
        let (source_path, path) = paths(&directory);
        let short = || StoreConfig::default().with_keep_messages(100);
        let (source, copy) = (open(&source_path), open(&path));
        let room = copied_room(&copy, &source).unwrap();
        drop(say(&room, 1, 2_000));
        is_copied(&room);
        drop(room);
        let shortened = if is_source_short { &source_path } else { &path };
        [source, copy].iter().for_each(Store::close);
        Store::open(shortened, short()).unwrap().flush();
        assert_eq!(messages(shortened), numbers(1_901..=2_000));

        let (source, copy) = (open(&source_path), open(&path));
        let room = copied_room(&copy, &source).unwrap();
        assert!(pages(&room).into_iter().eq(1..=2_000), "the source is short: {is_source_short}");
        let bob = room.join("bob").unwrap().with_history(2_000);
        let heard: Vec<u64> = (0..2_000)
            .map(|_| match bob.recv().unwrap() {
                Heard::Entry(entry) => entry.seq,
                other => panic!("{other}"),
            })
            .collect();
        assert!(heard.into_iter().eq(1..=2_000), "the source is short: {is_source_short}");
    }
}

#[test]
fn messages_that_nobody_has_any_more_are_left_out_of_the_copy_and_keep_their_numbers() {
    let directory = directory();
    let (source_path, path) = paths(&directory);
    let source = open(&source_path);
    let copy = open(&path);
    let room = copied_room(&copy, &source).unwrap();
    drop(say(&room, 1, 50));
    copy.close();
    drop(say(&room, 51, 2_000));
    drop(room);
    source.close();
    let source = Store::open(&source_path, StoreConfig::default().with_keep_messages(100)).unwrap();
    source.flush();
    let copy = Store::open(&path, StoreConfig::default().with_keep_messages(1_000)).unwrap();
    let room = copied_room(&copy, &source).unwrap();
    is_copied(&room);
    copy.flush();
    assert_eq!(messages(&path), numbers(1_901..=2_000), "retention passes over the hole");
    drop(room);
    copy.close();

    // A server that goes on alone with the copy does so with the right numbers and ids.
    let copy = open(&path);
    let room = support::room(&copy);
    assert_eq!(room.stats().messages, 2_000);
    let bob = room.join("bob").unwrap();
    bob.say("number 2001").unwrap();
    hear(&bob, "[bob] number 2001");
    assert_eq!(messages(&path).last(), numbers([2_001]).last());
}

#[test]
fn a_file_with_other_messages_is_refused_and_not_changed() {
    let directory = directory();
    let (source_path, path) = paths(&directory);
    let (source, copy) = (open(&source_path), open(&path));
    drop(say(&support::room(&source), 1, 20));
    drop(say(&support::room(&copy), 1, 10));
    let why = copied_room(&copy, &source).unwrap_err().to_string();
    assert!(why.contains("copy.db is not a copy of the messages") && why.contains("Move it away"), "{why}");
    assert_eq!(messages(&path), numbers(1..=10));
}

#[test]
fn a_copy_that_went_on_by_itself_is_refused() {
    for own in [5, 30] {
        let directory = directory();
        let (source_path, path) = paths(&directory);
        let (source, copy) = (open(&source_path), open(&path));
        let room = copied_room(&copy, &source).unwrap();
        drop(say(&room, 1, 10));
        is_copied(&room);
        drop(room);
        copy.close();
        let copy = open(&path);
        drop(say(&support::room(&copy), 11, 10 + own));
        let original = support::room(&source);
        original.notice("something else").unwrap();
        drop(say(&original, 12, 25));
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
                   INSERT OR IGNORE INTO sessions(room, member) SELECT 1, i FROM n";
        let file = Connection::open(&path).unwrap();
        file.execute(sql, []).unwrap();
        let sessions = || file.query_row("SELECT count(*) FROM sessions", [], |row| row.get::<_, i64>(0));
        let before = sessions().unwrap();
        let why = copied_room(&copy, &source).unwrap_err().to_string();
        let expected = if own == 30 { "up to number 40" } else { "is not a copy" };
        assert!(why.contains(expected) && why.contains("Move it away"), "{why}");
        copy.flush();
        assert_eq!(sessions().unwrap(), before, "it is as it was");
    }
}

#[test]
fn a_copy_that_turns_out_to_be_another_one_later_is_left_alone_and_not_read() {
    let directory = directory();
    let (source_path, path) = paths(&directory);
    let (source, copy) = (open(&source_path), open(&path));
    let room = copied_room(&copy, &source).unwrap();
    drop(say(&room, 1, 10));
    is_copied(&room);
    drop(room);
    copy.close();
    let copy = open(&path);
    support::room(&copy).notice("said to the copy").unwrap();
    let original = support::room(&source);
    drop(say(&original, 11, 3_000)); // more than the log takes over
    let room = copied_room(&copy, &source).unwrap();
    drop(say(&room, 3_001, 3_010));
    copy.close();
    assert_eq!(messages(&path).len(), 11);
    assert_eq!(found(&room, "copy"), [0; 0]);
    assert!(pages(&room).into_iter().eq(1..=3_010));
}

#[test]
fn while_the_copy_cannot_be_written_messages_go_on_and_it_catches_up_afterwards() {
    let directory = directory();
    let (source, path) = paths(&directory);
    let (source, copy) = (open(&source), open(&path));
    let room = copied_room(&copy, &source).unwrap();
    drop(say(&room, 1, 10));
    is_copied(&room);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    drop(say(&room, 11, 600));
    assert_eq!(found(&room, "number 599"), [599], "it is read from the source");
    assert!(pages(&room).into_iter().eq(1..=600));
    assert_eq!(messages(&path), numbers(1..=10));
    other.execute_batch("ROLLBACK").unwrap();
    is_copied(&room);
    assert_eq!(messages(&path), numbers(1..=600));
}

#[test]
fn each_room_has_its_own_copy_and_one_that_is_opened_again_goes_on() {
    let directory = directory();
    let (source, path) = paths(&directory);
    let (source, copy) = (open(&source), open(&path));
    let config = RoomsConfig::default().with_room("lobby".parse().unwrap()).with_open_max(1);
    let rooms = Rooms::restore(config, Arc::new(copy.copy_of(Arc::new(source)).unwrap())).unwrap();
    for round in [1, 2] {
        let dev = rooms.open(&"dev".parse().unwrap()).unwrap();
        for room in [&rooms.first(), &dev] {
            let ann = room.join("ann").unwrap();
            ann.say(&format!("number {round}")).unwrap();
            hear(&ann, &format!("[ann] number {round}"));
        }
        is_copied(&rooms.first());
        is_copied(&dev);
    }
    let archive = Archive::open(&path).unwrap();
    assert_eq!(archive.rooms().unwrap(), ["lobby", "dev"]);
    assert_eq!(messages(&path), [numbers(1..=2), numbers(1..=2)].concat());
}
