//! A room with a file as its history: what the file holds after the room has gone, and what goes wrong with files.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chat_core::access::BanList;
use chat_core::journal::Filter;
use chat_core::transport::Feed;
use chat_core::{Heard, Room, Rooms, RoomsConfig, Waker};
use chat_store::{Archive, OpenError, ReadError, Selection, Store, StoreConfig, Sync};
use rusqlite::Connection;

use support::{all, directory, hear, open, room, texts};

/// Says these messages as ann and waits until all of them are in the log.
fn say(room: &Room, from: u64, up_to: u64) {
    let ann = room.join("ann").unwrap();
    for number in from..=up_to {
        ann.say(&format!("message number {number}")).unwrap();
    }
    hear(&ann, &format!("[ann] message number {up_to}"));
}

#[test]
fn a_room_goes_on_where_it_stopped() {
    let directory = directory();
    let path = directory.path().join("chat.db");
    let (store, before) = {
        let store = open(&path);
        let before = room(&store);
        (store, before)
    };
    say(&before, 1, 300);
    let page = before.history(u64::MAX, 2).unwrap();
    assert_eq!(texts(&page), ["[ann] message number 299", "[ann] message number 300"]);
    drop((store, before));
    let after = room(&open(&path));
    assert_eq!(after.stats().messages, 300);
    assert_eq!(after.history(u64::MAX, 2).unwrap(), page, "with the same times");
}

#[test]
fn old_messages_are_read_page_by_page_and_found_by_their_words() {
    let directory = directory();
    let store = open(&directory.path().join("chat.db"));
    let room = room(&store);
    say(&room, 1, 2_000);
    let mut before = u64::MAX;
    let mut all = Vec::new();
    loop {
        let page = room.history(before, 700).unwrap();
        before = page.messages[0].seq;
        all.splice(0..0, texts(&page));
        if !page.more {
            break;
        }
    }
    assert_eq!(all.len(), 2_000);
    assert_eq!(all[1_233], "[ann] message number 1234");
    let search = |words: &str, author: Option<&str>| {
        let filter = Filter { words: Some(words.to_owned()), author: author.map(ToOwned::to_owned) };
        texts(&room.search(u64::MAX, 10, filter).unwrap())
    };
    for is_indexed in [false, true] {
        assert_eq!(search("NUMBER 1234", None), ["[ann] message number 1234"], "indexed: {is_indexed}");
        assert_eq!(search("1234", Some("Ann")), ["[ann] message number 1234"], "indexed: {is_indexed}");
        assert_eq!(search("1234", Some("bob")), [""; 0], "indexed: {is_indexed}");
        assert_eq!(search("\" OR text:*", None), [""; 0], "it is not an operator");
        assert_eq!(
            search("n\u{fa}mber-1234 \"", None),
            ["[ann] message number 1234"],
            "indexed: {is_indexed}"
        );
        for no_word in ["umber 1234", "1234-number", "\""] {
            assert_eq!(search(no_word, None), [""; 0], "{no_word}, indexed: {is_indexed}");
        }
        store.flush();
    }
}

#[test]
fn a_room_that_is_open_twice_numbers_each_message_once() {
    let directory = directory();
    let path = directory.path().join("chat.db");
    let store = open(&path);
    let (one, other) = (room(&store), room(&store));
    let speakers = [one.join("ann").unwrap(), other.join("ann").unwrap()];
    for number in 1..=100 {
        for ann in &speakers {
            ann.say(&format!("message number {number}")).unwrap();
        }
    }
    speakers.iter().for_each(|ann| hear(ann, "[ann] message number 100"));
    store.flush();
    let file = Connection::open(&path).unwrap();
    let held: (i64, i64) = file
        .query_row("SELECT count(*), max(seq) FROM history", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(held, (200, 200));
}

#[test]
fn rooms_of_one_file_have_histories_of_their_own() {
    let directory = directory();
    let path = directory.path().join("chat.db");
    let config =
        || RoomsConfig::default().with_room("lobby".parse().unwrap()).with_room("dev".parse().unwrap());
    let restore = |store: &Store| Rooms::restore(config(), Arc::new(store.clone())).unwrap();
    let store = open(&path);
    let rooms = restore(&store);
    say(&rooms.first(), 1, 3);
    say(&rooms.get(&"dev".parse().unwrap()).unwrap(), 1, 5);
    drop((rooms, store));
    let rooms = restore(&open(&path));
    assert_eq!(rooms.all().iter().map(|room| room.stats().messages).collect::<Vec<_>>(), [3, 5]);
}

#[test]
fn retention_deletes_the_oldest_messages_and_nothing_is_numbered_twice() {
    let directory = directory();
    let path = directory.path().join("chat.db");
    let config = || StoreConfig::default().with_keep_messages(Some(100));
    let store = Store::open(&path, config()).unwrap();
    let before = room(&store);
    say(&before, 1, 2_000);
    store.flush();
    let page = before.history(u64::MAX, 1_000).unwrap();
    assert_eq!((page.messages.len(), page.messages[0].seq), (100, 1_901));
    let filter = Filter { words: Some("7".to_owned()), author: None };
    assert_eq!(before.search(u64::MAX, 10, filter).unwrap().messages.len(), 0, "and so do their words");
    drop((before, store));
    let nothing = StoreConfig::default().with_keep(Some(Duration::ZERO));
    let store = Store::open(&path, nothing).unwrap();
    let after = room(&store);
    store.flush();
    assert_eq!(after.history(u64::MAX, 10).unwrap().messages, []);
    say(&after, 2_001, 2_001);
    assert_eq!(after.stats().messages, 2_001);
}

#[test]
fn a_file_of_a_newer_version_of_something_else_or_damaged_is_left_alone() {
    let directory = directory();
    let newer = directory.path().join("newer.db");
    drop(open(&newer));
    let connection = Connection::open(&newer).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let other = directory.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE photos(name)").unwrap();
    let text = directory.path().join("text.db");
    fs::write(&text, "dear diary, ".repeat(500)).unwrap();
    let damaged = directory.path().join("damaged.db");
    drop(open(&damaged));
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[100..3_000].fill(0x5a);
    fs::write(&damaged, &bytes).unwrap();
    type IsIt = fn(&OpenError) -> bool;
    let cases: [(&Path, IsIt); 4] = [
        (&newer, |error| matches!(error, OpenError::Newer { version: 99, known: 3 })),
        (&other, |error| matches!(error, OpenError::NotHistory)),
        (&text, |error| matches!(error, OpenError::NotHistory)),
        (&damaged, |error| matches!(error, OpenError::Damaged(_))),
    ];
    for (path, is_it) in cases {
        let before = fs::read(path).unwrap();
        let error = Store::open(path, StoreConfig::default()).unwrap_err();
        assert!(is_it(&error), "{}: {error:?}", path.display());
        assert_eq!(fs::read(path).unwrap(), before, "{}", path.display());
    }
    for (path, is_it) in [
        (directory.path().join("missing.db"), (|error| matches!(error, OpenError::Missing)) as IsIt),
        (directory.path().to_owned(), |error| matches!(error, OpenError::Directory)),
    ] {
        let error = Archive::open(&path).unwrap_err();
        assert!(is_it(&error), "{}: {error:?}", path.display());
    }
    assert!(!directory.path().join("text.db-lock").exists(), "nothing is made beside another file");
    let nowhere = directory.path().join("no/such");
    let missing = Store::open(nowhere.join("directory.db"), StoreConfig::default()).unwrap_err();
    assert_eq!(missing.to_string(), format!("there is no directory {}", nowhere.display()));
}

#[cfg(unix)]
#[test]
fn a_history_has_one_writer_also_by_another_name_and_is_for_its_owner_alone() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let directory = directory();
    fs::create_dir(directory.path().join("data")).unwrap();
    symlink("data", directory.path().join("other")).unwrap();
    // A link to a file that is not there yet.
    symlink("other/chat.db", directory.path().join("link.db")).unwrap();
    let store = Store::open(directory.path().join("link.db"), StoreConfig::default()).unwrap();
    let file = directory.path().join("data/chat.db");
    for path in ["data/chat.db", "other/chat.db", "link.db"].map(|name| directory.path().join(name)) {
        let second = Store::open(&path, StoreConfig::default());
        assert!(matches!(second, Err(OpenError::InUse)), "{}", path.display());
        let redacted = Archive::open(&path).unwrap().redact(None, Some("ann"), &[]);
        assert!(matches!(redacted, Err(ReadError::Open(OpenError::InUse))), "{redacted:?}");
    }
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    drop(store);
}

#[test]
fn a_history_has_one_writer_and_any_number_of_readers() {
    let directory = directory();
    let path = directory.path().join("chat.db");
    let store = Store::open(&path, StoreConfig::default().with_sync(Sync::Disk)).unwrap();
    let room = room(&store);
    say(&room, 1, 3);
    assert!(matches!(Store::open(&path, StoreConfig::default()), Err(OpenError::InUse)));
    let redacted = Archive::open(&path).unwrap().redact(None, Some("ann"), &[]);
    assert!(matches!(redacted, Err(ReadError::Open(OpenError::InUse))), "{redacted:?}");
    assert_eq!(
        all(&path, &Selection::default()),
        [" 1 [ann] message number 1", " 2 [ann] message number 2", " 3 [ann] message number 3"]
    );
    drop((room, store));
    assert!(Store::open(&path, StoreConfig::default()).is_ok());
}

#[test]
fn a_history_is_read_where_nothing_can_be_written_beside_it() {
    let directory = directory();
    let path = directory.path().join("chat #1?.db");
    let store = open(&path);
    say(&room(&store), 1, 3);
    store.close();
    // SQLite needs a file of this name to read while another program writes.
    fs::create_dir(directory.path().join("chat #1?.db-shm")).unwrap();
    assert_eq!(all(&path, &Selection::default()).len(), 3);
}

#[test]
fn whether_the_next_server_can_go_on_is_found_out_while_the_first_one_writes() {
    let directory = directory();
    let path = directory.path().join("chat.db");
    let store = open(&path);
    let before = room(&store);
    say(&before, 1, 10);
    Store::check(&path).unwrap();
    say(&before, 11, 20);
    let other = directory.path().join("other");
    fs::write(&other, "this is not a database, however long one looks at it").unwrap();
    assert!(matches!(Store::check(&other), Err(OpenError::Damaged(_) | OpenError::NotHistory)));
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Store::check(&path), Err(OpenError::Newer { .. })));
    assert!(Store::check(directory.path().join("missing")).is_err());
    assert!(!directory.path().join("missing").exists());
}

#[test]
fn when_writing_fails_speakers_are_told_and_it_goes_on_by_itself() {
    let directory = directory();
    let path = directory.path().join("chat.db");
    let store = open(&path);
    let room = room(&store);
    say(&room, 1, 10);
    store.flush();
    // A second connection cannot limit the size for the store, so the table itself refuses.
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("CREATE TRIGGER full BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'full'); END")
        .unwrap();
    let ann = room.join("ann").unwrap();
    ann.say("lost").unwrap();
    loop {
        if let Heard::Direct(item) = ann.recv().unwrap() {
            assert!(item.to_string().contains("The history does not work"), "{item}");
            break;
        }
    }
    connection.execute_batch("DROP TRIGGER full").unwrap();
    drop(connection);
    ann.say("it works again").unwrap();
    hear(&ann, "[ann] it works again");
    assert_eq!(room.stats().messages, 11);
}

const TO_SECOND: &str = "DROP TABLE mutes; PRAGMA user_version = 2;";

const TO_FIRST: &str = "DROP TABLE bans; ALTER TABLE rooms DROP COLUMN slow_ms; PRAGMA user_version = 1;";

#[test]
fn a_file_of_an_older_version_becomes_one_of_the_present() {
    for steps_back in [format!("{TO_SECOND} {TO_FIRST}"), TO_SECOND.to_owned()] {
        let directory = directory();
        let path = directory.path().join("chat.db");
        say(&room(&open(&path)), 1, 3);
        let file = Connection::open(&path).unwrap();
        file.execute_batch(&steps_back).unwrap();
        drop(file);
        let old = Archive::open(&path).unwrap();
        let mut count = 0;
        old.each(&Selection::default(), |_| {
            count += 1;
            true
        })
        .unwrap();
        assert_eq!(count, 3, "it is read as it is");
        drop(old);
        let (store, list) = (open(&path), BanList::new());
        store.keep_bans(&list).unwrap();
        let room = room(&store);
        store.keep_mutes(&room.mute_list()).unwrap();
        assert_eq!(texts(&room.history(u64::MAX, 1).unwrap()), ["[ann] message number 3"]);
        assert_eq!((room.slow(), list.bans(0), room.mutes()), (None, Vec::new(), Vec::new()));
    }
}

#[test]
fn a_setting_that_is_kept_wakes_nobody() {
    let directory = directory();
    let store = open(&directory.path().join("chat.db"));
    let room = room(&store);
    let wakes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&wakes);
    let waker = Waker::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let mut feed = Feed::new(&room, waker, true);
    feed.pull();
    room.set_slow(Some(Duration::from_secs(5)));
    store.flush();
    assert_eq!(wakes.load(Ordering::Relaxed), 0, "there is nothing to read");
    let ann = room.join("ann").unwrap();
    feed.pull();
    wakes.store(0, Ordering::Relaxed);
    ann.say("hello").unwrap();
    store.flush();
    assert_eq!(wakes.load(Ordering::Relaxed), 1);
}
