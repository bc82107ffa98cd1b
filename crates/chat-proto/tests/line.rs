//! `[author] text` reads back as it was written.
#![allow(clippy::unwrap_used)]

mod common;

use std::net::{SocketAddr, SocketAddrV6};

use chat_proto::{
    Author, AuthorError, LeaveReason, Line, LineError, PeerAddr, Text, TextError,
    limits::{LINE_PREFIX_BYTES_MAX, REASON_BYTES_MAX, TEXT_BYTES_MAX},
};
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_line_is_read_back_as_it_was_written(author in common::author(), text in common::text()) {
        let line = Line { author, text };
        let written = line.to_string();
        prop_assert!(written.len() <= LINE_PREFIX_BYTES_MAX + TEXT_BYTES_MAX);
        prop_assert!(!written.contains(['\r', '\n']));
        prop_assert_eq!(written.parse(), Ok(line));
    }

    #[test]
    fn an_author_is_read_back_as_it_was_written(author in common::author()) {
        prop_assert_eq!(author.to_string().parse(), Ok(author));
    }

    #[test]
    fn a_parsed_line_is_written_the_same(s in "\\[(\\*|bot|[1-9]\\.2\\.3\\.4:[1-9]|\\[::[1-9]\\]:[1-9])\\] [ -~]{0,20}") {
        prop_assert_eq!(s.parse::<Line>().unwrap().to_string(), s);
    }

    #[test]
    fn any_string_is_a_line_or_an_error(s in "\\PC{0,40}") {
        if let Ok(line) = s.parse::<Line>() {
            prop_assert_eq!(line.to_string().parse(), Ok(line));
        }
    }
}

#[test]
fn the_longest_prefix_is_as_long_as_its_limit() {
    let addr = SocketAddrV6::new([0xffff; 8].into(), u16::MAX, 0, u32::MAX);
    let author = Author::Peer(SocketAddr::from(addr).into());
    let line = Line { author, text: Text::default() };
    assert_eq!(line.to_string().len(), LINE_PREFIX_BYTES_MAX);
}

#[test]
fn the_prefix_ends_at_the_first_bracket_with_a_space() {
    let line: Line = "[[fe80::1%2]:7] [*] not a notice".parse().unwrap();
    assert_eq!(line.author.to_string(), "[fe80::1%2]:7");
    assert_eq!(line.text.as_str(), "[*] not a notice");

    let line: Line = "[*] ".parse().unwrap();
    assert_eq!((line.author, line.text), (Author::Room, Text::default()));
}

#[test]
fn an_invalid_line_is_refused_with_the_reason() {
    for (s, expected) in [
        ("", LineError::NoBrackets),
        ("hello", LineError::NoBrackets),
        ("[*]", LineError::NoBrackets),
        ("[*]x", LineError::NoBrackets),
        (" [*] x", LineError::NoBrackets),
        ("[] x", LineError::Author(AuthorError)),
        ("[1.2.3.4] x", LineError::Author(AuthorError)),
        ("[**] x", LineError::Author(AuthorError)),
        ("[*] a\nb", LineError::Text(TextError::NotClean { at: 1 })),
    ] {
        assert_eq!(s.parse::<Line>(), Err(expected), "{s:?}");
    }
}

#[test]
fn one_peer_has_one_address() {
    let canonical: PeerAddr = "192.0.2.1:5".parse().unwrap();
    let mapped: PeerAddr = "[::ffff:192.0.2.1]:5".parse().unwrap();
    assert_eq!(mapped, canonical);
    assert_eq!(mapped.to_string(), "192.0.2.1:5");
    assert!("[::ffff:127.0.0.1]:5".parse::<PeerAddr>().unwrap().is_loopback());
    assert!(!canonical.is_loopback());

    let ip = "fe80::1".parse().unwrap();
    let with_flow = PeerAddr::from(SocketAddr::from(SocketAddrV6::new(ip, 5, 9, 3)));
    let without = PeerAddr::from(SocketAddr::from(SocketAddrV6::new(ip, 5, 0, 3)));
    assert_eq!(with_flow, without);
    assert_eq!(with_flow.to_string(), "[fe80::1%3]:5");
    assert_eq!(SocketAddr::from(with_flow), without.as_socket_addr());
    assert_eq!((with_flow.port(), with_flow.ip().to_string().as_str()), (5, "fe80::1"));
}

#[test]
fn the_operators_reason_is_clean_and_short() {
    let reason = LeaveReason::kicked("no\tspam\x07").unwrap();
    assert_eq!(reason.to_string(), "kicked: no spam\u{2407}");
    assert_eq!(LeaveReason::kicked("").unwrap().to_string(), "kicked");
    assert!(LeaveReason::kicked(&"x".repeat(REASON_BYTES_MAX)).is_ok());
    assert_eq!(
        LeaveReason::kicked(&"x".repeat(REASON_BYTES_MAX + 1)),
        Err(TextError::TooLong { bytes: REASON_BYTES_MAX + 1, bytes_max: REASON_BYTES_MAX })
    );
}
