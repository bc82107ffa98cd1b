//! What a history costs: `cargo bench -p chat-store`. Ratios against a bare loop of prepared INSERTs on the same disk.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark measures real time, and fails loudly"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chat_core::journal::Filter;
use chat_core::transport::{Outcome, Update};
use chat_core::{Room, RoomConfig, Text, Waker};
use chat_store::{Archive, Store, StoreConfig, Sync};
use rusqlite::{Connection, params};

/// Messages that are said, in each way.
const SAID: u64 = 200_000;

/// Rounds; the median is printed.
const ROUNDS: usize = 7;

/// Messages in the file that is searched and opened.
const HELD: usize = 1_000_000;

/// As many as the writer puts into one transaction at most.
const BATCH: u64 = 2_048;

const TEXT: &str = "The deploy of the second server is done, and it looks good to me";

fn main() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
    let _not_there = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    for sync in [Sync::Os, Sync::Disk] {
        // In turn, so that whatever else the machine does meets both.
        let mut rounds: Vec<(f64, f64)> = (0..ROUNDS)
            .map(|round| {
                let bare = bare(directory.join(format!("bare-{sync:?}-{round}.db")), sync);
                (bare, confirmed(directory.join(format!("room-{sync:?}-{round}.db")), sync))
            })
            .collect();
        rounds.sort_by(|one, other| (one.1 / one.0).total_cmp(&(other.1 / other.0)));
        let (bare, room) = rounds[ROUNDS / 2];
        println!(
            "{sync:?}: bare INSERTs {bare:.0}/s, confirmed messages {room:.0}/s, ratio {:.2} (of {ROUNDS} rounds {:.2} to {:.2})",
            room / bare,
            rounds[0].1 / rounds[0].0,
            rounds[ROUNDS - 1].1 / rounds[ROUNDS - 1].0,
        );
    }
    held(&directory.join("held.db"));
    fs::remove_dir_all(&directory).unwrap();
}

fn per_second(messages: u64, took: Duration) -> f64 {
    messages as f64 / took.as_secs_f64()
}

/// A loop of prepared INSERTs into a table without an index, in transactions of the same size.
fn bare(path: PathBuf, sync: Sync) -> f64 {
    let mut connection = Connection::open(path).unwrap();
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
    connection
        .pragma_update(None, "synchronous", if sync == Sync::Disk { "FULL" } else { "NORMAL" })
        .unwrap();
    connection.pragma_update(None, "wal_autocheckpoint", 4_096).unwrap();
    connection
        .execute_batch("CREATE TABLE m(id INTEGER PRIMARY KEY, at INTEGER, member INTEGER, number INTEGER, author TEXT, text TEXT)")
        .unwrap();
    let began = Instant::now();
    for batch in 0..SAID.div_ceil(BATCH) {
        let transaction = connection.transaction().unwrap();
        let mut insert = transaction.prepare_cached("INSERT INTO m VALUES (?1, ?2, ?3, ?4, ?5, ?6)").unwrap();
        for number in batch * BATCH + 1..=((batch + 1) * BATCH).min(SAID) {
            let number = number as i64;
            insert
                .execute(params![number, 1_795_687_439_000_i64, 7, number, "192.0.2.1:50312", TEXT])
                .unwrap();
        }
        drop(insert);
        transaction.commit().unwrap();
    }
    per_second(SAID, began.elapsed())
}

/// One client says messages as fast as the room takes them, until all are confirmed.
fn confirmed(path: PathBuf, sync: Sync) -> f64 {
    let store = Store::open(path, StoreConfig::default().with_sync(sync)).unwrap();
    let room = Room::restore(RoomConfig::default().with_rate(None), &store).unwrap();
    let mut attachment = room.attach(Waker::new(|| {}));
    let began = Instant::now();
    let member =
        attachment.join(0, "192.0.2.1:50312".parse::<std::net::SocketAddr>().unwrap(), began).unwrap().member;
    let (text, mut update) = (Text::one_line(TEXT).unwrap(), Update::default());
    for number in 1..=SAID {
        let said = attachment.say_numbered(member, number, text.clone(), Instant::now()).unwrap();
        assert_eq!(said.outcome, Outcome::Submitted);
        while said.pause_until.is_some() && number - attachment.taken(member).number > BATCH {
            attachment.pull(&mut update);
            std::thread::yield_now();
        }
    }
    while attachment.taken(member).number < SAID {
        attachment.pull(&mut update);
        std::thread::yield_now();
    }
    per_second(SAID, began.elapsed())
}

/// Searching and opening a large file.
fn held(path: &Path) {
    let words = ["deploy", "server", "lunch", "review", "build", "green", "later", "thanks"];
    let lines: Vec<String> = (0..HELD)
        .map(|number| format!("[ann] {} {} number {number}", words[number % 8], words[number / 8 % 8]))
        .collect();
    let began = Instant::now();
    Archive::import(path, "", 1_795_687_439_000, lines.iter().map(String::as_str)).unwrap();
    println!("import: {:.0} messages/s", per_second(HELD as u64, began.elapsed()));
    let store = Store::open(path, StoreConfig::default()).unwrap();
    let began = Instant::now();
    store.flush();
    println!("index: {:.0} messages/s", per_second(HELD as u64, began.elapsed()));
    drop(store);
    let began = Instant::now();
    let store = Store::open(path, StoreConfig::default()).unwrap();
    let room = Room::restore(RoomConfig::default(), &store).unwrap();
    println!("start with {HELD} messages: {:.1} ms", began.elapsed().as_secs_f64() * 1e3);
    for wanted in ["lunch review", "777777", "deploy", "nowhere"] {
        let filter = Filter { words: Some(wanted.to_owned()), author: None };
        let began = Instant::now();
        let found = room.search(u64::MAX, 20, filter).unwrap().messages.len();
        println!("search {wanted:?}: {found} messages, {:.1} ms", began.elapsed().as_secs_f64() * 1e3);
    }
    let began = Instant::now();
    let filter = Filter { author: Some("ann".to_owned()), words: None };
    room.search(u64::MAX, 20, filter).unwrap();
    println!("by author: {:.1} ms", began.elapsed().as_secs_f64() * 1e3);
}
