use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use chat_core::access::{Ban, BanList};
use chat_core::{Author, Event, MemberId, Origin, Text};
use crossbeam_channel::bounded;

use super::*;
use crate::bans_and_mutes::List;
use crate::reader::Readers;
use crate::{schema, store};

/// A writer with a file of its own.
fn writer(name: &str, config: StoreConfig) -> (Writer, PathBuf) {
    let directory = std::env::temp_dir().join(format!("chat-store-{name}-{}", std::process::id()));
    let _not_there = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("chat.db");
    store::make(&path).unwrap();
    let mut connection = Connection::open(&path).unwrap();
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
    schema::prepare(&mut connection).unwrap();
    (Writer::new(connection, config, Lock::take(&path).unwrap()), path)
}

fn count(path: &Path, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    Connection::open(path).unwrap().query_row(&sql, [], |row| row.get(0)).unwrap()
}

fn said(number: u64) -> Record {
    let from = Origin { member: MemberId::new(1), number };
    let event = Event::Said { from, author: Author::Room, text: Text::lossy("hello") };
    Record::Event { event, unix_ms: 1 }
}

#[test]
fn too_many_messages_are_deleted_although_there_is_never_a_lull() {
    let (writer, path) = writer("load", StoreConfig::default().with_keep_messages(100));
    let batches = 4;
    let (jobs, queue) = bounded(batches * BATCH_MAX + 2);
    let journal = RoomJournal::new(jobs.clone(), Readers::new(&path).unwrap());
    let request = OpenRequest::new(None, usize::MAX, |opened| drop(opened.unwrap()));
    jobs.send(Job::Open { request, journal }).unwrap();
    for number in 1..=(batches * BATCH_MAX) as u64 {
        jobs.send(Job::Keep { opening: 1, record: said(number) }).unwrap();
    }
    jobs.send(Job::Stop).unwrap();
    writer.run_with(&queue, &tick(Duration::from_nanos(1))); // there is always one
    let left = usize::try_from(count(&path, "messages")).unwrap();
    assert!(left < 2 * BATCH_MAX, "{left} messages");
}

#[test]
fn a_ban_that_could_not_be_written_is_written_without_another_job() {
    let (writer, path) = writer("ban", StoreConfig::default());
    let other = Connection::open(&path).unwrap();
    other.execute("ALTER TABLE bans RENAME TO elsewhere", []).unwrap();
    let (jobs, queue) = bounded(8);
    let bans = BanList::new();
    let list = KeptList::follow(List::Bans(bans.clone()), jobs.clone());
    let (tick, ticks) = bounded(0);
    let thread = thread::spawn(move || writer.run_with(&queue, &ticks));
    jobs.send(Job::KeepList(list)).unwrap();
    bans.ban(Ban { who: "ann".parse().unwrap(), why: Text::default(), until_unix_ms: None }).unwrap();
    let (done, written) = bounded(1);
    jobs.send(Job::Flush(done)).unwrap();
    written.recv().unwrap();
    other.execute("ALTER TABLE elsewhere RENAME TO bans", []).unwrap();
    // It takes the second tick once it has done the work of the first one.
    tick.send(clock()).unwrap();
    tick.send(clock()).unwrap();
    assert_eq!(count(&path, "bans"), 1);
    jobs.send(Job::Stop).unwrap();
    thread.join().unwrap();
}

#[expect(clippy::disallowed_methods, reason = "a tick says when it was, and nobody looks at it")]
fn clock() -> Instant {
    Instant::now()
}
