//! What is taken out of a file, and whose it is.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chat_core::{Rooms, RoomsConfig};
use chat_store::{Archive, ReadError, Selection};
use rusqlite::Connection;

use support::{directory, hear, open, room};

fn all(path: &Path, selection: &Selection) -> Vec<String> {
    let mut lines = Vec::new();
    let each = |message: chat_store::Message| {
        lines.push(format!("{} {} [{}] {}", message.room, message.seq, message.author, message.text));
        true
    };
    Archive::open(path).unwrap().each(selection, each).unwrap();
    lines
}

#[test]
fn a_message_that_is_redacted_leaves_no_trace_in_the_file() {
    let directory = directory();
    let path = directory.path().join("chat.db");
    let store = open(&path);
    let before = room(&store);
    let ann = before.join("ann").unwrap();
    for text in ["hello", "my secret is xyzzy42", "bye"] {
        ann.say(text).unwrap();
    }
    hear(&ann, "[ann] bye");
    store.flush();
    drop((ann, before, store));
    assert_eq!(Archive::open(&path).unwrap().redact(Some(""), None, &[2]).unwrap(), 1);
    assert_eq!(all(&path, &Selection::default()), [" 1 [ann] hello", " 2 [ann] (removed)", " 3 [ann] bye"]);
    for file in fs::read_dir(path.parent().unwrap()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(7).any(|window| window == b"xyzzy42"));
    }
    assert_eq!(Archive::open(&path).unwrap().redact(None, Some("Ann"), &[]).unwrap(), 3);
    assert_eq!(all(&path, &Selection::default())[0], " 1 [*] (removed)");
}

#[test]
fn an_author_is_redacted_in_any_case_of_letters_of_any_script_and_in_the_sessions_too() {
    let directory = directory();
    let path = directory.path().join("chat.db");
    Archive::import(&path, "", 1_000_000, ["[Jürgen] one", "[JÜRGEN] two", "[jurgen] three"]).unwrap();
    let sql = "INSERT INTO sessions(room, member, name) VALUES (1, 5, 'Jürgen'), (1, 6, 'jurgen')";
    Connection::open(&path).unwrap().execute(sql, []).unwrap();
    assert_eq!(
        Archive::open(&path).unwrap().redact(None, Some("jürgen"), &[3]).unwrap(),
        0,
        "it is of another one"
    );
    assert_eq!(Archive::open(&path).unwrap().redact(None, Some("jürgen"), &[]).unwrap(), 2);
    assert_eq!(
        all(&path, &Selection::default()),
        [" 1 [*] (removed)", " 2 [*] (removed)", " 3 [jurgen] three"]
    );
    for file in fs::read_dir(path.parent().unwrap()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows("ürgen".len()).any(|window| window == "ürgen".as_bytes()));
    }
}

#[test]
fn while_another_program_reads_it_nobody_is_told_that_no_trace_is_left() {
    let directory = directory();
    let path = directory.path().join("chat.db");
    drop(open(&path)); // a log beside the file from now on
    Archive::import(&path, "", 1_000_000, ["[ann] hello"]).unwrap();
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM messages;").unwrap();
    let error = Archive::open(&path).unwrap().redact(None, Some("ann"), &[]).unwrap_err();
    assert!(matches!(error, ReadError::Unclean { replaced: 1 }), "{error:?}");
    drop(reader);
    assert_eq!(Archive::open(&path).unwrap().redact(None, Some("ann"), &[]).unwrap(), 0);
}

#[expect(clippy::disallowed_methods, reason = "how long the test waits is real time")]
#[test]
fn rooms_that_are_gone_with_nothing_to_keep_and_sessions_that_are_never_read_are_deleted() {
    let directory = directory();
    let path = directory.path().join("chat.db");
    let count = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        Connection::open(&path).unwrap().query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let store = open(&path);
    let rooms = Rooms::restore(RoomsConfig::default().with_open_max(10), Arc::new(store.clone())).unwrap();
    for number in 0..5 {
        let room = rooms.open(&format!("r{number}").parse().unwrap()).unwrap();
        let member = room.join("ann").unwrap();
        if number == 0 {
            member.say("kept").unwrap();
            hear(&member, "[ann] kept");
        }
    }
    store.flush();
    assert_eq!(rooms.list().len(), 1, "they are gone");
    let begun = std::time::Instant::now();
    while count("rooms") > 2 {
        assert!(begun.elapsed() < Duration::from_secs(30), "{} rooms", count("rooms"));
        std::thread::yield_now();
    }
    drop((rooms, store));
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10050)
               INSERT OR IGNORE INTO sessions(room, member) SELECT id, i FROM n, rooms WHERE rooms.name = 'r0'";
    Connection::open(&path).unwrap().execute(sql, []).unwrap();
    let rooms = Rooms::restore(RoomsConfig::default().with_open_max(10), Arc::new(open(&path))).unwrap();
    drop(rooms.open(&"r0".parse().unwrap()).unwrap());
    assert_eq!(
        count("sessions JOIN rooms ON rooms.id = room AND rooms.name = 'r0'"),
        10_001,
        "with one that tells that there were others"
    );
}

#[cfg(unix)]
#[test]
fn the_lock_is_for_the_owner_of_the_history_alone() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    let directory = directory();
    let path = directory.path().join("chat.db");
    let lock = path.with_extension("db-lock");
    fs::write(&lock, "").unwrap();
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).unwrap(); // as it once was
    drop(open(&path));
    let owner = |path: &Path| (fs::metadata(path).unwrap().uid(), fs::metadata(path).unwrap().mode() & 0o777);
    assert_eq!(owner(&lock), owner(&path));
    // Root works on the history of another user.
    if std::os::unix::fs::chown(&path, Some(12_345), Some(12_345)).is_ok() {
        fs::remove_file(&lock).unwrap();
        Archive::import(&path, "", 1_000_000, ["[ann] hello"]).unwrap();
        assert_eq!(owner(&lock), (12_345, 0o600));
    }
}
