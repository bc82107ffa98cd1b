//! `FromStr` of all protocol types that have it.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use chat_proto::limits::{
    AUTHOR_BYTES_MAX, LINE_PREFIX_BYTES_MAX, NAME_BYTES_MAX, REASON_BYTES_MAX, TEXT_BYTES_MAX,
};
use chat_proto::{Author, LeaveReason, Line, Name, PeerAddr, Text};

/// Parses the bytes as each of the types. Bytes that are not UTF-8 are replaced first.
pub fn strings(bytes: &[u8]) {
    let string = String::from_utf8_lossy(bytes);
    let s = string.as_ref();

    if let Some(text) = read_back::<Text>(s) {
        assert_eq!(text.as_str(), s, "reading a text does not change it");
        assert_eq!(Text::one_line(s).as_ref(), Ok(&text), "nor does cleaning it");
        assert!(s.len() <= TEXT_BYTES_MAX);
    }
    if let Ok(text) = Text::one_line(s) {
        assert_eq!(text.as_str().parse().as_ref(), Ok(&text), "what was cleaned is clean");
        assert!(!text.as_str().contains(char::is_control));
    }
    let (name, address) = (read_back::<Name>(s), read_back::<PeerAddr>(s));
    assert!(name.as_ref().is_none_or(|name| name.as_str().len() <= NAME_BYTES_MAX));
    if let Some(address) = address {
        assert_eq!(PeerAddr::from(address.as_socket_addr()), address, "an address is canonical");
    }
    let author = read_back::<Author>(s);
    let expected = name.map(Author::Named).or(address.map(Author::Peer));
    let expected = expected.or((s == "*").then_some(Author::Room));
    let is_tagged = matches!(author, Some(Author::Tagged { .. })) && s.contains('/');
    assert!(author == expected || (is_tagged && expected.is_none()), "nobody passes for somebody else");
    let shown = Author::from_shown(s);
    assert_eq!(Author::from_shown(&shown.to_string()), shown, "what is shown is read as what it is");
    assert!(shown.to_string().len() <= AUTHOR_BYTES_MAX);
    if let Some(line) = read_back::<Line>(s) {
        assert!(line.to_string().len() <= LINE_PREFIX_BYTES_MAX + TEXT_BYTES_MAX);
        assert!(s.ends_with(line.text.as_str()));
    }
    if let Ok(LeaveReason::Kicked { why }) = LeaveReason::kicked(s) {
        assert!(why.as_str().len() <= REASON_BYTES_MAX);
    }
}

/// Parses `s`. If that succeeds, checks that the value can be written and parsed again without a change.
fn read_back<T: FromStr + Display + Debug + PartialEq>(s: &str) -> Option<T> {
    let value = s.parse::<T>().ok()?;
    let again = value.to_string().parse::<T>().ok();
    assert_eq!(again.as_ref(), Some(&value), "{s:?}");
    Some(value)
}
