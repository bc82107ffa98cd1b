//! How a plain peer ends what he says is learnt from his first words.

use chat_proto::{LineEnding, PlainSplitter};

#[test]
fn a_peer_who_pauses_within_his_first_words_is_a_chunk_peer_for_good() {
    let mut splitter = PlainSplitter::new();
    assert_eq!(splitter.quiet(), None);
    assert_eq!(splitter.line_ending(), None);

    let mut input: &[u8] = b"one\ntw";
    assert_eq!(splitter.next(&mut input), Ok(Some(&b"one"[..])));
    assert_eq!(splitter.next(&mut input), Ok(None));
    assert_eq!(splitter.line_ending(), None, "his words have not ended");
    assert!(splitter.is_unfinished());
    assert_eq!(splitter.next(&mut &b"o"[..]), Ok(None));
    assert_eq!(splitter.quiet(), Some(b"two".to_vec()));
    assert_eq!(splitter.line_ending(), Some(LineEnding::Chunk));
    assert!(!splitter.is_unfinished());
    assert_eq!(splitter.quiet(), None);

    let mut input: &[u8] = b"three\n";
    assert_eq!(splitter.next(&mut input), Ok(Some(&b"three"[..])));
    assert_eq!(splitter.quiet(), None, "a line that was returned is not unfinished");
    assert_eq!(splitter.next(&mut input), Ok(None));
    assert_eq!(splitter.line_ending(), Some(LineEnding::Chunk));

    assert_eq!(splitter.next(&mut &b"four"[..]), Ok(None));
    assert_eq!(splitter.quiet(), Some(b"four".to_vec()));
}

#[test]
fn a_line_peer_may_pause_within_a_line() {
    for (first, line_ending) in
        [(&b"one\n"[..], LineEnding::Lf), (b"one\r\n", LineEnding::CrLf), (b"one\r", LineEnding::CrLf)]
    {
        let mut splitter = PlainSplitter::new();
        let mut input = first;
        assert_eq!(splitter.next(&mut input), Ok(Some(&b"one"[..])));
        assert_eq!(splitter.next(&mut input), Ok(None));
        assert_eq!(splitter.line_ending(), Some(line_ending));

        assert_eq!(splitter.next(&mut &b"tw"[..]), Ok(None));
        assert_eq!(splitter.quiet(), None);
        let mut input: &[u8] = b"o\n";
        assert_eq!(splitter.next(&mut input), Ok(Some(&b"two"[..])));
        assert!(!splitter.is_unfinished(), "it was returned");
        assert_eq!(splitter.next(&mut input), Ok(None));
        assert_eq!(splitter.line_ending(), Some(line_ending), "for good");
    }
}

#[test]
fn a_telnet_command_alone_decides_no_habit() {
    let mut splitter = PlainSplitter::new();
    assert_eq!(splitter.next(&mut &b"\xff\xfb\x1f\xff"[..]), Ok(None));
    assert!(splitter.is_unfinished());
    assert_eq!(splitter.quiet(), None);
    assert_eq!(splitter.line_ending(), None);
}
