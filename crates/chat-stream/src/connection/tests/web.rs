//! Browsers: the page, and WebSocket sessions in any pieces.

use super::*;
use crate::limits::{JOIN_TIMEOUT, UNFINISHED_TIMEOUT};
use crate::web::Web;

const HELLO: &str = r#"{"type":"hello"}"#;

/// A request to open a WebSocket, from a page of this origin.
fn request(origin: &str) -> Vec<u8> {
    format!(
        "GET /ws HTTP/1.1\r\nHost: 192.0.2.9:5555\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: {origin}\r\n\r\n"
    )
    .into_bytes()
}

fn ours() -> Vec<u8> {
    request("http://192.0.2.9:5555")
}

/// A frame of a client, which is masked.
fn message(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0xA5, 1, 0, 0xFF];
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let masked = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    [&[first, 0x80 | 126], &length[..], &mask].concat().into_iter().chain(masked).collect()
}

fn object(object: &str) -> Vec<u8> {
    message(0x81, object.as_bytes())
}

/// The frames behind the answer to the request: their first bytes and payloads.
fn messages(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    if bytes.starts_with(b"HTTP/1.1 101 ") {
        let end = bytes.windows(4).position(|end| end == b"\r\n\r\n").expect("the answer is whole");
        bytes = &bytes[end + 4..];
    }
    let mut messages = Vec::new();
    while let [first, length, rest @ ..] = bytes {
        let (length, rest) = match length {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            length => (usize::from(*length), rest),
        };
        messages.push((*first, rest[..length].to_vec()));
        bytes = &rest[length..];
    }
    messages
}

/// The objects among the messages.
fn objects(bytes: &[u8]) -> Vec<String> {
    let texts = messages(bytes).into_iter().filter(|(first, _)| *first == 0x81);
    texts.map(|(_, text)| String::from_utf8(text).expect("text")).collect()
}

impl Stage {
    /// A peer of a server that serves browsers.
    fn browser(&mut self) -> Guest {
        let mut guest = self.join();
        guest.connection = Connection::new(guest.address.parse().unwrap(), Some(Web::new()), self.now);
        self.with_context(|cx| guest.connection.opened(Speaks::Any, OPENING_GRACE, cx));
        guest
    }

    /// A browser that has read its welcome, which is returned.
    fn web_member(&mut self, hello: &str) -> (Guest, String) {
        let mut guest = self.browser();
        self.hear(&mut guest, &[ours(), object(hello)].concat());
        let objects = objects(&self.read_bytes(&mut guest));
        (guest, objects.first().expect("it is welcome").clone())
    }
}

#[test]
fn a_session_in_objects_is_the_same_in_whatever_pieces_it_comes() {
    let whole = [
        ours(),
        object(HELLO),
        object(r#"{"type":"say","text":"/one","number":1}"#),
        message(0x89, b"there?"),
        message(0x01, br#"{"type":"say","te"#),
        message(0x80, br#"xt":"t\u0077o"}"#),
        object(r#"{"type":"command","text":"/nick ann"}"#),
        object(r#"{"type":"who"}"#),
    ]
    .concat();
    let run = |pieces: &[&[u8]]| {
        let mut stage = Stage::new();
        let mut guest = stage.browser();
        pieces.iter().for_each(|piece| stage.hear(&mut guest, piece));
        let mut got = messages(&stage.read_bytes(&mut guest));
        got.extend(messages(&stage.read_bytes(&mut guest)));
        got.sort(); // items for this member alone may come before entries, or after them
        (stage.texts(), got)
    };
    let (heard, got) = run(&[&whole]);
    assert_eq!(heard, ["/one", "two"]);
    let is_there = |part: &str| got.iter().any(|(_, text)| String::from_utf8_lossy(text).contains(part));
    for part in [
        r#"{"type":"connected","you":"192.0.2.1:1","members":2,"#,
        r#""text":"/one","number":1}"#,
        r#""author":"192.0.2.1:1","text":"two","number":2}"#,
        r#"{"type":"done","number":3,"direct":"#,
        r#""from":"192.0.2.1:1","to":"ann"}"#,
        r#"{"type":"present","members":2,"#,
    ] {
        assert!(is_there(part), "{part}");
    }
    assert!(got.contains(&(0x8A, b"there?".to_vec())), "the ping is answered");
    for at in 1..whole.len() {
        assert_eq!(run(&[&whole[..at], &whole[at..]]), (heard.clone(), got.clone()), "split at {at}");
    }
    assert_eq!(run(&whole.chunks(1).collect::<Vec<_>>()), (heard, got));
}

#[test]
fn a_session_in_frames_is_carried_by_binary_messages() {
    let mut stage = Stage::new();
    let mut guest = stage.browser();
    let (first, second) = (say_frame("one"), say_frame("two"));
    let said = [first, second].concat();
    let (a, b) = said.split_at(7); // a frame need not end with its message
    let bytes = [ours(), message(0x82, &opening(None)), message(0x82, a), message(0x82, b)].concat();
    stage.hear(&mut guest, &bytes);
    assert_eq!(stage.texts(), ["one", "two"]);
    let got = messages(&stage.read_bytes(&mut guest));
    assert!(got.iter().all(|(first, _)| *first == 0x82));
    let got: Vec<u8> = got.into_iter().flat_map(|(_, bytes)| bytes).collect();
    assert_eq!(lines(&frames(&got)), ["[192.0.2.1:1] one", "[192.0.2.1:1] two"]);
    stage.hear(&mut guest, &object(HELLO));
    assert_eq!(stage.heard(), guest.left(&LeaveReason::Protocol), "it speaks frames, and no objects");
}

#[test]
fn a_session_goes_on_over_another_websocket_and_nothing_is_said_twice() {
    let mut stage = Stage::new();
    let (mut guest, welcome) = stage.web_member(HELLO);
    stage.hear(&mut guest, &object(r#"{"type":"say","text":"one","number":1}"#));
    stage.serve(&mut guest);
    let (_, session) = welcome.split_once(r#""session":{"#).expect("it has a session");
    let session = session.trim_end_matches("}}");
    let hello = format!(r#"{{"type":"hello","resume":{{{session},"have":1,"direct":0}}}}"#);
    stage.say("two");
    let (mut again, welcome) = stage.web_member(&hello);
    assert!(welcome.contains(r#""resumed":true"#) && welcome.contains(r#""taken":1"#), "{welcome}");
    stage.hear(
        &mut again,
        &[
            object(r#"{"type":"say","text":"one","number":1}"#),
            object(r#"{"type":"say","text":"three","number":2}"#),
        ]
        .concat(),
    );
    let got = objects(&stage.read_bytes(&mut again));
    let got: Vec<&str> =
        got.iter().filter_map(|object| object.split(r#""text":""#).nth(1)).map(|text| &text[..5]).collect();
    assert_eq!(got, ["three"], "{got:?}");
    let texts: Vec<String> = stage.heard().into_iter().filter(|line| line.starts_with('[')).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    stage.serve(&mut guest);
    let last = messages(&guest.wire.taken).pop();
    assert_eq!(
        last,
        Some((0x88, 4009_u16.to_be_bytes().to_vec())),
        "the old connection is told that it was replaced"
    );
}

#[test]
fn a_page_of_another_origin_gets_403_and_nothing_reaches_the_room() {
    for origin in ["http://evil.example", "null", "http://192.0.2.9:5556"] {
        let mut stage = Stage::new();
        let mut guest = stage.browser();
        stage.hear(
            &mut guest,
            &[request(origin), object(HELLO), object(r#"{"type":"say","text":"hi"}"#)].concat(),
        );
        let got = stage.read_bytes(&mut guest);
        assert!(got.starts_with(b"HTTP/1.1 403 "), "{}", String::from_utf8_lossy(&got));
        assert!(guest.is_shut);
        assert_eq!(stage.heard(), [] as [&str; 0]);
    }
}

#[test]
fn the_page_is_served_and_its_peer_is_not_a_member() {
    let mut stage = Stage::new();
    let mut guest = stage.browser();
    stage.hear(&mut guest, b"GET / HTTP/1.1\r\nHost: localhost:5555\r\n\r\n");
    guest.wire.bite = 1_000;
    let got = stage.read(&mut guest);
    assert!(
        got.starts_with("HTTP/1.1 200 OK\r\n")
            && got.contains("\r\nContent-Security-Policy: default-src 'none';")
    );
    assert!(got.trim_end().ends_with("</html>"));
    assert!(guest.is_shut);
    assert_eq!(stage.heard(), [] as [&str; 0]);
}

#[test]
fn a_browser_that_reads_the_page_slowly_has_10_s() {
    let mut stage = Stage::new();
    let mut guest = stage.browser();
    stage.hear(&mut guest, b"GET / HTTP/1.1\r\nHost: localhost:5555\r\n\r\n");
    for step in 1..=20 {
        assert!(!guest.connection.is_done(), "{step}");
        guest.wire.free = 100;
        stage.serve(&mut guest);
        stage.pass(&mut guest, SECOND / 2);
    }
    assert!(guest.connection.is_done());
}

#[test]
fn a_browser_that_was_silent_at_first_is_served_all_the_same() {
    let mut stage = Stage::new();
    let mut guest = stage.browser();
    stage.pass(&mut guest, SECOND);
    assert!(guest.connection.member().is_some(), "it is taken for a listener");
    stage.hear(&mut guest, &[ours(), object(HELLO), object(r#"{"type":"say","text":"hi"}"#)].concat());
    assert!(objects(&stage.read_bytes(&mut guest))[0].starts_with(r#"{"type":"connected""#));
    assert_eq!(stage.heard().last().map(String::as_str), Some("[192.0.2.1:1] hi"));
}

#[test]
fn a_connection_that_a_browser_keeps_in_reserve_is_not_a_listener() {
    let mut stage = Stage::new();
    let web = Web::new();
    let connection = |now| Connection::new("192.0.2.1:1".parse().unwrap(), Some(web.clone()), now);
    let (mut spare, mut browser) = (stage.browser(), stage.browser());
    for guest in [&mut spare, &mut browser] {
        guest.connection = connection(stage.now);
        stage.with_context(|cx| guest.connection.opened(Speaks::Any, OPENING_GRACE, cx));
    }
    stage.hear(&mut browser, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stage.pass(&mut spare, SECOND);
    assert!(spare.connection.member().is_none() && !spare.connection.is_done());
    stage.pass(&mut spare, JOIN_TIMEOUT);
    assert!(spare.connection.is_done() && stage.read(&mut spare).is_empty());
    let mut listener = stage.browser();
    listener.connection = connection(stage.now);
    stage.with_context(|cx| listener.connection.opened(Speaks::Any, OPENING_GRACE, cx));
    stage.pass(&mut listener, SECOND);
    assert!(listener.connection.member().is_some(), "the request was long ago");
}

#[test]
fn old_messages_are_asked_for_in_objects() {
    let mut stage = Stage::new();
    ["one", "two", "three"].iter().for_each(|text| stage.say(text));
    let (mut guest, _) = stage.web_member(HELLO);
    stage.hear(&mut guest, &object(r#"{"type":"history","before":3,"messages":1,"question":7}"#));
    let got = objects(&stage.read_bytes(&mut guest));
    assert_eq!(got.len(), 2, "{got:?}");
    assert!(got[0].starts_with(r#"{"type":"old_message","seq":2,"time":"1970"#), "{}", got[0]);
    assert!(got[0].ends_with(r#""text":"two","question":7,"direct":1}"#), "{}", got[0]);
    assert_eq!(got[1], r#"{"type":"old_end","more":true,"question":7,"direct":2}"#);
}

#[test]
fn plain_members_of_such_a_server_begin_with_whatever_they_like() {
    for (pieces, expected) in [
        (&["Good morning\n"][..], "Good morning"),
        (&["G", "ET", " ", "lunch\n"], "GET lunch"),
        (&["GET"], "GET"),
        (&["GET\r\n"], "GET"),
    ] {
        let mut stage = Stage::new();
        let mut guest = stage.browser();
        pieces.iter().for_each(|piece| stage.hear(&mut guest, piece.as_bytes()));
        stage.pass(&mut guest, SECOND);
        assert_eq!(stage.texts(), [expected]);
    }
    let mut stage = Stage::new();
    let mut guest = stage.browser();
    stage.hear(&mut guest, b"GET");
    stage.hear_end(&mut guest);
    assert_eq!(stage.texts(), ["GET"]);
}

#[test]
fn a_request_that_does_not_end_is_closed_without_a_byte() {
    let mut stage = Stage::new();
    let mut guest = stage.browser();
    stage.hear(&mut guest, b"GET / HTTP/1.1\r\nHost: localhost\r\n");
    stage.pass(&mut guest, JOIN_TIMEOUT);
    assert!(guest.connection.is_done() && stage.read(&mut guest).is_empty());
    let mut guest = stage.browser();
    stage.hear(&mut guest, b"GET / HTTP/1.1\r\nHost: localhost\r\n");
    stage.hear_end(&mut guest);
    assert!(guest.connection.is_done() && stage.read(&mut guest).is_empty());
    assert_eq!(stage.heard(), [] as [&str; 0]);
}

#[test]
fn each_way_to_end_has_its_code_and_its_reason() {
    let close = |code: u16| message(0x88, &code.to_be_bytes());
    for (bytes, code, reason) in [
        (object(r#"{"type":"bye"}"#), 1000_u16, LeaveReason::Quit),
        (close(1000), 1000, LeaveReason::Quit),
        (close(1001), 1001, LeaveReason::Lost),
        (object(r#"{"type":"shout"}"#), 1002, LeaveReason::Protocol),
        (object(HELLO), 1002, LeaveReason::Protocol),
        (object(&format!(r#"{{"type":"say","text":"{}"}}"#, "x".repeat(961))), 1002, LeaveReason::Protocol),
        (object(r#"{"type":"command","text":"nick ann"}"#), 1002, LeaveReason::Protocol),
        (message(0x82, b"frames"), 1002, LeaveReason::Protocol),
        (message(0x81, &[0xFF]), 1002, LeaveReason::Protocol),
        (message(0x81, &[b' '; 9_000]), 1009, LeaveReason::LineTooLong),
    ] {
        let mut stage = Stage::new();
        let (mut guest, _) = stage.web_member(HELLO);
        stage.hear(&mut guest, &bytes);
        let got = messages(&stage.read_bytes(&mut guest));
        assert_eq!(got.last(), Some(&(0x88, code.to_be_bytes().to_vec())), "{reason}");
        assert_eq!(stage.heard(), guest.left(&reason));
        assert!(guest.is_shut);
    }
    let mut stage = Stage::new();
    let (mut guest, _) = stage.web_member(HELLO);
    stage.hear(&mut guest, &message(0x88, b""));
    assert_eq!(stage.read_bytes(&mut guest), [0x88, 0], "a close without a code is answered without one");
    let (mut guest, _) = stage.web_member(HELLO);
    stage.hear(&mut guest, &object(r#"{"type":"say","text":"hi"}"#)[..9]);
    stage.pass(&mut guest, UNFINISHED_TIMEOUT);
    assert!(stage.heard().contains(&guest.left(&LeaveReason::Unfinished)[0]), "a message that does not end");
    let mut guest = stage.browser();
    stage.hear(&mut guest, &ours());
    stage.pass(&mut guest, JOIN_TIMEOUT);
    assert!(objects(&stage.read_bytes(&mut guest)).iter().all(|object| object.contains("ended")), "no hello");
    assert!(guest.is_shut && guest.connection.member().is_none());
}

#[test]
fn a_member_that_lags_is_told_how_many_messages_it_missed() {
    let mut stage = Stage::small();
    let (mut guest, _) = stage.web_member(HELLO);
    guest.wire.free = 0;
    let said = 2_000;
    for _ in 0..said {
        stage.say(&"x".repeat(100));
        stage.serve(&mut guest);
    }
    guest.wire.free = usize::MAX;
    let got = objects(&stage.read_bytes(&mut guest));
    let missed = got.iter().filter_map(|object| object.strip_prefix(r#"{"type":"missed","messages":"#));
    let missed: Vec<usize> = missed.map(|rest| rest.split(',').next().unwrap().parse().unwrap()).collect();
    assert!(!missed.is_empty());
    let read = got.iter().filter(|object| object.starts_with(r#"{"type":"message""#)).count();
    assert_eq!(missed.iter().sum::<usize>() + read, said);
}

#[test]
fn in_whatever_pieces_the_socket_takes_them_messages_stay_whole() {
    let run = |bite| {
        let mut stage = Stage::new();
        let (mut guest, _) = stage.web_member(HELLO);
        guest.wire.bite = bite;
        (0..20).for_each(|number| stage.say(&format!("{number}{}", "x".repeat(number * 20))));
        stage.hear(&mut guest, &message(0x89, b"ping"));
        guest.wire.free = 50;
        while guest.wire.taken.len() < 6_000 {
            stage.serve(&mut guest);
            guest.wire.free = 50;
        }
        guest.wire.free = usize::MAX;
        let mut got = messages(&stage.read_bytes(&mut guest));
        got.sort();
        got
    };
    let whole = run(usize::MAX);
    assert_eq!(whole.len(), 21);
    for bite in 1..130 {
        assert_eq!(run(bite), whole, "{bite} bytes at once");
    }
}

#[test]
fn an_idle_member_holds_nothing_besides_its_state() {
    let mut stage = Stage::new();
    let (mut guest, _) = stage.web_member(HELLO);
    stage.hear(&mut guest, &object(r#"{"type":"say","text":"hi"}"#));
    stage.serve(&mut guest);
    assert!(guest.connection.outgoing.holds_nothing());
    assert_eq!(guest.connection.unfinished_len(), 0);
    assert!(size_of::<crate::web::WebSocket>() <= 160, "{}", size_of::<crate::web::WebSocket>());
}
