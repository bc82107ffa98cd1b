//! The first bytes tell a framed peer from a plain one.
#![allow(clippy::unwrap_used)]

use chat_proto::{NotFramed, PREFACE, PrefaceDecoder, VERSION};

#[test]
fn the_preface_is_read_at_every_split() {
    let stream = [&PREFACE[..], b"rest"].concat();
    for at in 0..=PREFACE.len() {
        let mut decoder = PrefaceDecoder::new();
        let mut first = &stream[..at];
        if at < PREFACE.len() {
            assert_eq!(decoder.next(&mut first), Ok(None));
            assert_eq!(decoder.is_unfinished(), at > 0);
            let mut second = &stream[at..];
            assert_eq!(decoder.next(&mut second), Ok(Some(VERSION)));
            assert_eq!(second, b"rest");
        } else {
            assert_eq!(decoder.next(&mut first), Ok(Some(VERSION)));
        }
        assert!(!decoder.is_unfinished());
    }
}

#[test]
fn another_version_is_told_and_another_stream_is_refused() {
    let mut input: &[u8] = &[0xF5, b'c', b'h', b'a', b't', 9];
    assert_eq!(PrefaceDecoder::new().next(&mut input), Ok(Some(9)));

    for first in (0..=u8::MAX).filter(|&first| first != PREFACE[0]) {
        let mut input: &[u8] = &[first];
        assert_eq!(PrefaceDecoder::new().next(&mut input), Err(NotFramed { matched: 0 }));
        assert_eq!(input, [first]);
    }
    for matched in 1..PREFACE.len() - 1 {
        let mut stream = PREFACE;
        stream[matched] = b'!';
        let mut input = &stream[..];
        assert_eq!(PrefaceDecoder::new().next(&mut input), Err(NotFramed { matched }));
        assert_eq!(input, &stream[matched..]);
    }
}

#[test]
fn the_preface_begins_neither_text_nor_a_telnet_command() {
    assert!(std::str::from_utf8(&PREFACE[..1]).unwrap_err().error_len().is_some());
    assert_ne!(PREFACE[0], 0xff);
}
