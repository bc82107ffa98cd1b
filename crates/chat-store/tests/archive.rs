//! The file without a server: what is brought into it, and what is read of it.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use chat_core::journal::Filter;
use chat_store::{Archive, Message, ReadError, Selection};
use rusqlite::Connection;

use support::{all, directory, open, room, texts};

#[test]
fn an_author_without_a_name_or_an_address_is_not_taken_for_the_room() {
    let directory = directory();
    let path = directory.path().join("chat.db");
    assert_eq!(Archive::import(&path, "", 1_000_000, ["[ann] hello"]).unwrap(), 1);
    Connection::open(&path).unwrap().execute("UPDATE messages SET author = 'uid:1000'", []).unwrap();
    let store = open(&path);
    let room = room(&store);
    assert_eq!(texts(&room.history(u64::MAX, 10).unwrap()), ["[uid:1000] hello"]);
}

#[test]
fn a_plain_log_is_brought_in_and_found() {
    let directory = directory();
    let path = directory.path().join("chat.db");
    let lines = ["[ann] good morning", "[192.0.2.1:5] hello", "[uid:1000] hi", "a line of nobody", ""];
    assert_eq!(Archive::import(&path, "", 1_000_000, lines).unwrap(), 4);
    let store = open(&path);
    let room = room(&store);
    let page = room.history(u64::MAX, 10).unwrap();
    assert_eq!(
        texts(&page),
        ["[ann] good morning", "[192.0.2.1:5] hello", "[uid:1000] hi", "[*] a line of nobody"]
    );
    let selection = Selection {
        room: Some(String::new()),
        filter: Filter { words: Some("MORNING".to_owned()), author: None },
        ..Selection::default()
    };
    assert_eq!(all(&path, &selection), [" 1 [ann] good morning"]);
    let nowhere = Selection { room: Some("nowhere".to_owned()), ..Selection::default() };
    let result = Archive::open(&path).unwrap().each(&nowhere, |_| true);
    assert!(matches!(result, Err(ReadError::NoRoom { .. })), "{result:?}");
}

#[test]
fn the_times_of_a_log_are_brought_in_and_none_is_before_the_one_before_it_or_in_the_future() {
    let directory = directory();
    let path = directory.path().join("chat.db");
    let now = 1_795_687_439_000;
    let lines = [
        "2026-11-26T03:32:26+01:00 [ann] hello",
        "2026-11-26T02:32:25Z [bob] a second before",
        "2026-11-26T02:32:27Z [ann] 2026-11-26T02:32:28Z [is] no time",
        "2026-99-99T99:99:99Z [ann] is none either",
        "2096-11-26T02:32:27Z [ann] soon",
    ];
    assert_eq!(Archive::import(&path, "", now, lines).unwrap(), 5);
    let mut said = Vec::new();
    let each = |message: Message| {
        said.push((message.unix_ms, format!("[{}] {}", message.author, message.text)));
        true
    };
    Archive::open(&path).unwrap().each(&Selection::default(), each).unwrap();
    let first = 1_795_660_346_000;
    let expected = [
        (first, "[ann] hello"),
        (first, "[bob] a second before"),
        (first + 1_000, "[ann] 2026-11-26T02:32:28Z [is] no time"),
        (now, "[*] 2026-99-99T99:99:99Z [ann] is none either"),
        (now, "[ann] soon"),
    ];
    assert_eq!(said, expected.map(|(at, line)| (at, line.to_owned())));
}

#[test]
fn the_view_is_for_people() {
    let directory = directory();
    let path = directory.path().join("chat.db");
    Archive::import(&path, "lobby", 1_795_687_439_000, ["[ann] hello"]).unwrap();
    let connection = Connection::open(&path).unwrap();
    let row = connection.query_row("SELECT * FROM history", [], |row| {
        Ok(format!(
            "{}|{}|{}|{}|{}",
            row.get::<_, String>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, String>(2)?,
            row.get::<_, String>(3)?,
            row.get::<_, String>(4)?
        ))
    });
    assert_eq!(row.unwrap(), "lobby|1|2026-11-26 10:03:59|ann|hello");
}
