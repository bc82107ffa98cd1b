mod past;

use std::io;
use std::sync::Arc;

use chat_proto::{DirectItem, Entry, Event, LeaveReason, Origin, Present, Session, Welcome};

use super::completion::ROOMS_MAX;
use super::*;
use crate::terminal::emulated::shown;

const NOW: Now = Now { elapsed: Duration::ZERO, unix_ms: 1_795_402_243_000 };

/// When the room began: 23 November 2026, 02:50 UTC.
const BEGAN: u64 = NOW.unix_ms;

fn peer(port: u16) -> Author {
    format!("127.0.0.1:{port}").parse().expect("an address")
}

fn text(text: &str) -> Text {
    Text::one_line(text).expect("short")
}

fn view_with(change: impl FnOnce(&mut Look), names: &[&str]) -> View {
    let mut look = Look {
        pen: Pen { colour: true },
        clock: Some(Clock::utc()),
        bell: Bell::Never,
        plain: false,
        server: "tcp 127.0.0.1:5555".to_owned(),
    };
    change(&mut look);
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    View::new(look, Mentions::new(&names))
}

fn view() -> View {
    view_with(|_| {}, &[])
}

fn id(port: u16) -> MemberId {
    MemberId::new(port.into())
}

/// Members have the numbers of their ports.
fn connected(you: Author) -> ClientEvent {
    let member = you.address().expect("an address").port();
    let session = Session { member: id(member), since: 0, key: 2 };
    let welcome = Welcome {
        version: 2,
        capabilities: 0,
        epoch: 1,
        session,
        resumed: false,
        taken: Some(0),
        address: text(&you.to_string()),
        you,
        room: None,
        name: None,
        topic: None,
        head: 0,
        began_unix_ms: BEGAN,
        members: 3,
    };
    welcome.into()
}

fn said_by(by: u16, what: &str) -> Event {
    Event::Said { from: Origin { member: id(by), number: 1 }, author: peer(by), text: text(what) }
}

fn entry_at(at_ms: u64, event: Event, own: bool) -> ClientEvent {
    ClientEvent::Entry { entry: Arc::new(Entry { seq: 1, at_ms, event }), own }
}

fn said(by: u16, what: &str) -> ClientEvent {
    entry_at(0, said_by(by, what), false)
}

/// What the terminal shows of the lines that are new, and that each is one row.
fn lines(view: &mut View) -> Vec<String> {
    view.take_lines().iter().map(|line| shown(line)).collect()
}

fn after(view: &mut View, events: &[ClientEvent]) -> Vec<String> {
    events.iter().for_each(|event| view.on_event(event, NOW));
    lines(view)
}

fn below(view: &View, now_ms: u64) -> Vec<String> {
    view.below(Duration::from_millis(now_ms), 100, 8).iter().map(|row| shown(row)).collect()
}

#[test]
fn a_message_has_its_time_and_its_author() {
    let mut view = view();
    let lines = after(&mut view, &[connected(peer(1)), said(2, "hello")]);
    assert_eq!(
        lines,
        ["-- You are 127.0.0.1:1. /help shows what you can type.", "02:50 [127.0.0.1:2] hello"]
    );
}

#[test]
fn without_time_stamps_the_rest_is_the_same() {
    let mut view = view_with(|look| look.clock = None, &[]);
    assert_eq!(after(&mut view, &[said(2, "hello")]), [" [127.0.0.1:2] hello"]);
}

#[test]
fn an_own_message_appears_when_it_is_confirmed_and_is_marked() {
    let mut view = view();
    after(&mut view, &[connected(peer(1))]);
    view.said(text("mine"), NOW);
    assert_eq!(lines(&mut view), [""; 0]);
    let own = entry_at(0, said_by(1, "mine"), true);
    assert_eq!(
        after(&mut view, &[said(2, "theirs"), own]),
        ["02:50 [127.0.0.1:2] theirs", "02:50›[127.0.0.1:1] mine"]
    );
    assert_eq!(view.pending(), 0);
}

#[test]
fn a_message_that_takes_long_is_shown_below_the_input() {
    let mut view = view();
    after(&mut view, &[connected(peer(1))]);
    view.said(text("mine"), NOW);
    assert_eq!(below(&view, 100).len(), 1, "only the status yet");
    assert_eq!(view.deadline(Duration::ZERO), Some(Duration::from_millis(700)));
    let rows = below(&view, 700);
    assert_eq!(rows[0], "  … mine");
    assert!(rows[1].contains("1 unconfirmed"), "{rows:?}");
}

#[test]
fn joins_and_leaves_are_shown_and_counted() {
    let mut view = view();
    after(&mut view, &[connected(peer(1))]);
    let left = |reason| Event::Left { member: id(2), author: peer(2), reason, members: 1 };
    let lines = after(
        &mut view,
        &[
            entry_at(0, Event::Joined { member: id(1), author: peer(1), members: 3 }, false),
            entry_at(0, Event::Joined { member: id(2), author: peer(2), members: 4 }, false),
            entry_at(0, left(LeaveReason::Quit), false),
            entry_at(0, left(LeaveReason::Lost), false),
            entry_at(0, Event::PresenceSummary { joined: 12, left: 3, members: 240 }, false),
            entry_at(0, Event::PresenceSummary { joined: 0, left: 2, members: 238 }, false),
        ],
    );
    let expected = [
        "02:50 [*] 127.0.0.1:2 joined, 4 present",
        "02:50 [*] 127.0.0.1:2 left, 1 present",
        "02:50 [*] 127.0.0.1:2 left (connection lost), 1 present",
        "02:50 [*] 12 joined, 3 left, 240 present",
        "02:50 [*] 2 left, 238 present",
    ];
    assert_eq!(lines, expected, "one's own arrival is not shown");
    assert!(below(&view, 0)[0].contains("238 present"));
}

#[test]
fn who_is_here_is_told_in_one_line() {
    let mut view = view();
    let present = |authors, more| ClientEvent::Present(Present { members: 70, authors, more });
    let lines = after(&mut view, &[connected(peer(1)), present(vec![peer(1), peer(2)], true)]);
    assert_eq!(lines[1], "-- 70 present: 127.0.0.1:1 (you), 127.0.0.1:2, and others");
}

#[test]
fn a_mention_is_marked_and_may_ring_once_for_many() {
    let mut view = view_with(|look| look.bell = Bell::Mentions, &["ann"]);
    let events = [connected(peer(1)), said(2, "hi Ann!"), said(2, "127.0.0.1:1 too"), said(2, "annex")];
    events.iter().for_each(|event| view.on_event(event, NOW));
    let raw = view.take_lines();
    assert_eq!(raw.concat().matches('\x07').count(), 1);
    let lines: Vec<String> = raw.iter().map(|line| shown(line)).collect();
    assert_eq!(
        lines[1..],
        ["02:50![127.0.0.1:2] hi Ann!", "02:50![127.0.0.1:2] 127.0.0.1:1 too", "02:50 [127.0.0.1:2] annex"]
    );
}

#[test]
fn a_lost_connection_is_told_once_and_counted_down() {
    let mut view = view();
    let lost = || ClientEvent::Lost { error: io::Error::other("gone"), retry_in: Duration::from_secs(2) };
    let lines = after(&mut view, &[connected(peer(1)), lost(), lost(), connected(peer(1))]);
    assert_eq!(lines[1..], ["-- Connection lost: gone. Trying again.", "-- Connected again."]);
    let lines = after(&mut view, &[lost(), connected(peer(9))]);
    assert_eq!(lines[1], "-- Connected again. You are 127.0.0.1:9 now.");
    after(&mut view, &[lost()]);
    assert!(below(&view, 0)[0].contains("reconnecting in 2 s"));
    assert_eq!(view.deadline(Duration::from_millis(300)), Some(Duration::from_secs(1)));
}

#[test]
fn what_is_said_without_a_connection_waits_in_sight() {
    let mut view = view();
    let lost = ClientEvent::Lost { error: io::Error::other("gone"), retry_in: Duration::from_secs(2) };
    after(&mut view, &[connected(peer(1)), lost]);
    (0..9).for_each(|n| view.said(text(&format!("message {n}")), NOW));
    let rows = below(&view, 0);
    assert_eq!(rows[..2], ["  … message 0", "  … message 1"]);
    assert!(rows.len() <= 5 && rows[rows.len() - 1].contains("9 unconfirmed"), "{rows:?}");
}

#[test]
fn what_was_missed_is_told_and_summed_up() {
    let mut view = view();
    let lines = after(&mut view, &[connected(peer(1)), ClientEvent::Missed(1), ClientEvent::Missed(40)]);
    assert_eq!(lines[1..], ["-- You missed 1 message.", "-- You missed 40 messages."]);
    assert!(below(&view, 0)[0].contains("41 missed"));
}

#[test]
fn what_may_or_may_not_have_arrived_is_told() {
    let mut view = view();
    after(&mut view, &[connected(peer(1))]);
    view.said(text("mine"), NOW);
    let lines = after(&mut view, &[ClientEvent::Unsure(vec![text("mine")])]);
    assert_eq!(lines, ["-- Not known whether the room has it (Up brings it back): mine"]);
    assert_eq!(view.pending(), 0);
}

#[test]
fn a_new_day_has_a_line() {
    let mut view = view();
    let at = |at_ms| {
        entry_at(
            at_ms,
            Event::Said { from: Origin::default(), author: Author::Room, text: text("tick") },
            false,
        )
    };
    let day = 24 * 3600 * 1000;
    let lines = after(&mut view, &[connected(peer(1)), at(0), at(1), at(day)]);
    assert_eq!(
        lines[1..],
        ["02:50 [*] tick", "02:50 [*] tick", "-- Tuesday, 24 November 2026", "02:50 [*] tick"]
    );
}

#[test]
fn a_server_that_lies_about_the_time_does_no_harm() {
    let mut view = view();
    let lines = after(
        &mut view,
        &[entry_at(u64::MAX, Event::Joined { member: id(2), author: peer(2), members: 1 }, false)],
    );
    assert_eq!(lines, ["--:-- [*] 127.0.0.1:2 joined, 1 present"]);
}

#[test]
fn hostile_text_changes_nothing_but_its_own_line() {
    let hostile = [
        "\x1b[2J\x1b[H\x1b]0;title\x07gone",
        "one\n[1.2.3.4:5] forged",
        "one\r[1.2.3.4:5] forged",
        "\u{202e}gnp.exe \u{2066}x\u{200b}",
        "\u{9b}2J\u{85}\u{2028}x",
        "[1.2.3.4:5] forged",
    ];
    for what in hostile {
        let mut view = view();
        after(&mut view, &[connected(peer(1))]);
        let event = said(2, what);
        view.on_event(&event, NOW);
        let raw = view.take_lines();
        assert_eq!(raw.len(), 1);
        let shown = shown(&raw[0]);
        assert!(shown.starts_with("02:50 [127.0.0.1:2] "), "{shown}");
        // Of our own sequences nothing but colours is there, and of others nothing.
        let rest: String = raw[0]
            .split("\x1b[")
            .map(|part| part.trim_start_matches(['0', '1', '2', '3', '5', '8', ';']))
            .collect();
        assert!(!rest.chars().any(char::is_control), "{rest:?}");
    }
}

#[test]
fn of_a_plain_server_lines_are_shown_as_what_they_are() {
    let mut view = view_with(|look| look.plain = true, &[]);
    let events = ["[127.0.0.1:2] hello", "[*] ann joined", "<user4> raw", ""];
    let events: Vec<ClientEvent> = events.iter().map(|line| ClientEvent::Line(text(line))).collect();
    let lines = after(&mut view, &events);
    assert_eq!(lines, ["02:50 [127.0.0.1:2] hello", "02:50 [*] ann joined", "02:50 <user4> raw", "02:50 "]);
}

#[test]
fn to_a_plain_server_own_lines_are_shown_at_once() {
    let mut view = view_with(|look| look.plain = true, &[]);
    view.said(text("mine"), NOW);
    assert_eq!(lines(&mut view), ["02:50›[you] mine"]);
    assert_eq!(view.pending(), 0);
}

#[test]
fn the_last_speaker_is_completed_first() {
    let mut view = view();
    after(&mut view, &[said(5001, "a"), said(5002, "b"), said(6003, "c"), said(5001, "d")]);
    assert_eq!(view.completions("50"), ["127.0.0.1:5001 ", "127.0.0.1:5002 "]);
    assert_eq!(view.completions("127"), ["127.0.0.1:5001 ", "127.0.0.1:6003 ", "127.0.0.1:5002 "]);
    assert_eq!(view.completions("@60"), ["127.0.0.1:6003 "]);
    assert_eq!(view.completions("9"), [""; 0]);
}

#[test]
fn history_of_another_day_begins_with_its_date() {
    let mut view = view();
    let say = |at_ms, what| entry_at(at_ms, said_by(2, what), false);
    view.on_event(&connected(peer(1)), NOW);
    view.take_lines();
    let tomorrow = Now { unix_ms: NOW.unix_ms + 86_400_000, ..NOW };
    // Joins a day later: what is of the day before says so, and so does what follows.
    let mut late = view_with(|_| {}, &[]);
    late.on_event(&connected(peer(1)), tomorrow);
    late.take_lines();
    late.on_event(&say(0, "yesterday"), tomorrow);
    late.on_event(&say(1, "too"), tomorrow);
    late.on_event(&say(86_400_000, "today"), tomorrow);
    assert_eq!(
        lines(&mut late),
        [
            "-- Monday, 23 November 2026",
            "02:50 [127.0.0.1:2] yesterday",
            "02:50 [127.0.0.1:2] too",
            "-- Tuesday, 24 November 2026",
            "02:50 [127.0.0.1:2] today",
        ]
    );
    assert_eq!(
        after(&mut view, &[say(0, "today")]),
        ["02:50 [127.0.0.1:2] today"],
        "which goes without saying"
    );
}

#[test]
fn what_the_operator_says_stands_out_and_may_mention() {
    let mut view = view_with(
        |look| {
            look.bell = Bell::Mentions;
            look.pen = Pen { colour: false };
        },
        &["ann"],
    );
    let room = |what| Event::Said { from: Origin::default(), author: Author::Room, text: text(what) };
    let announce = |what| entry_at(0, room(what), false);
    view.on_event(&connected(peer(1)), NOW);
    view.on_event(&entry_at(0, Event::Joined { member: id(2), author: peer(2), members: 2 }, false), NOW);
    view.on_event(&announce("maintenance at noon"), NOW);
    view.on_event(&announce("ann, please stop"), NOW);
    let lines = view.take_lines();
    assert!(lines[1].contains("\x1b[2m[*] 127.0.0.1:2 joined"), "{lines:?}");
    assert!(lines[2].contains("\x1b[1m[*]\x1b[0m \x1b[1mmaintenance at noon\x1b[0m"), "{lines:?}");
    assert!(lines[3].contains('!') && lines[3].contains("\x1b[1;7mann\x1b[0m"), "{lines:?}");
    assert!(lines[3].ends_with('\x07'), "a mention rings");
}

#[test]
fn rooms_that_were_seen_or_listed_complete() {
    let mut view = view();
    let ClientEvent::Connected { welcome, .. } = connected(peer(1)) else { unreachable!("it is one") };
    view.on_event(&Welcome { room: Some(text("lobby")), ..welcome }.into(), NOW);
    let listed = [
        "dev, 2 members: the code, 3 members of it",
        "Games, 1 member",
        "This room, 3 members",
        "hello, world",
    ];
    for line in listed {
        view.on_event(&ClientEvent::Direct(DirectItem::Notice { text: text(line) }), NOW);
    }
    assert_eq!(view.rooms(""), ["Games ", "dev ", "lobby "]);
    assert_eq!(view.rooms("g"), ["Games "]);
    for number in 0..2 * ROOMS_MAX {
        let line = format!("room-{number}, 0 members");
        view.on_event(&ClientEvent::Direct(DirectItem::Notice { text: text(&line) }), NOW);
    }
    assert_eq!(view.rooms("").len(), ROOMS_MAX);
}
