//! A plain peer's bytes give the same lines whatever pieces they arrive in.
#![allow(clippy::unwrap_used)]

use chat_proto::{
    LineEnding, LineTooLong, PlainSplitter,
    limits::{PLAIN_LINE_BYTES_MAX, TELNET_REPLY_BYTES_MAX},
};
use proptest::prelude::*;

const IAC: u8 = 0xff;
const SE: u8 = 0xf0;
const NOP: u8 = 0xf1;
const GA: u8 = 0xf9;
const SB: u8 = 0xfa;
const WILL: u8 = 0xfb;
const WONT: u8 = 0xfc;
const DO: u8 = 0xfd;
const DONT: u8 = 0xfe;

/// Everything that came out of a splitter.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    lines: Vec<Vec<u8>>,
    line_ending: Option<LineEnding>,
    replies: Vec<u8>,
    last: Option<Vec<u8>>,
}

fn run(pieces: &[&[u8]]) -> Outcome {
    let mut splitter = PlainSplitter::new();
    let mut outcome = Outcome::default();
    for &piece in pieces {
        let mut input = piece;
        while let Some(line) = splitter.next(&mut input).unwrap() {
            outcome.lines.push(line.to_vec());
        }
        assert!(input.is_empty());
        outcome.replies.extend(splitter.take_reply().unwrap_or_default());
    }
    outcome.line_ending = splitter.line_ending();
    outcome.last = splitter.finish();
    assert!(!splitter.is_unfinished());
    outcome
}

/// Runs the input in one piece, in two pieces split at every point, and byte by byte.
fn run_every_way(input: &[u8], compare: impl Fn(&Outcome, &Outcome)) -> Outcome {
    let whole = run(&[input]);
    for at in 0..=input.len() {
        compare(&run(&[&input[..at], &input[at..]]), &whole);
    }
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    compare(&run(&bytes), &whole);
    whole
}

fn assert_same(a: &Outcome, b: &Outcome) {
    assert_eq!(a, b);
}

/// Compares everything else, because the line ending of a peer that mixes line breaks depends on when they arrive.
fn assert_same_but_line_ending(a: &Outcome, b: &Outcome) {
    assert_eq!((&a.lines, &a.replies, &a.last), (&b.lines, &b.replies, &b.last));
}

#[track_caller]
fn check(input: &[u8], lines: &[&str], last: Option<&str>, line_ending: Option<LineEnding>) {
    let outcome = run_every_way(input, assert_same);
    assert_eq!(outcome.lines, lines.iter().map(|line| line.as_bytes()).collect::<Vec<_>>());
    assert_eq!(outcome.last.as_deref(), last.map(str::as_bytes));
    assert_eq!(outcome.line_ending, line_ending);
}

#[test]
fn line_breaks_of_every_kind_end_lines_at_any_split() {
    check(b"", &[], None, None);
    check(b"a", &[], Some("a"), None);
    check(b"\n", &[""], None, Some(LineEnding::Lf));
    check(b"a\n", &["a"], None, Some(LineEnding::Lf));
    check(b"a\nb\n", &["a", "b"], None, Some(LineEnding::Lf));
    check(b"a\n\n\nb\n", &["a", "", "", "b"], None, Some(LineEnding::Lf));
    check(b"\r", &[""], None, Some(LineEnding::CrLf));
    check(b"\r\n", &[""], None, Some(LineEnding::CrLf));
    check(b"a\r\nb\r\n", &["a", "b"], None, Some(LineEnding::CrLf));
    check(b"a\r\0b\r\0", &["a", "b"], None, Some(LineEnding::CrLf));
    check(b"a\rb\r", &["a", "b"], None, Some(LineEnding::CrLf));
    check(b"a\r\r\n\r\0\r", &["a", "", "", ""], None, Some(LineEnding::CrLf));
    check(b"a\r\0\0b\r", &["a", "b"], None, Some(LineEnding::CrLf));
    check(b"\n\0\0a\n\0\0b\n", &["", "\0\0a", "b"], None, Some(LineEnding::Lf));
    check(b"a\0\n\0\0", &["a\0"], None, Some(LineEnding::Lf));
    check("h\u{e9}llo \u{1f680}\r\n".as_bytes(), &["h\u{e9}llo \u{1f680}"], None, Some(LineEnding::CrLf));
}

#[test]
fn mixed_line_breaks_end_lines_at_any_split() {
    let outcome = run_every_way(b"a\n\rb\r\n\nc\r\0\nd", assert_same_but_line_ending);
    assert_eq!(outcome.lines, [b"a", &b""[..], b"b", b"", b"c", b""]);
    assert_eq!(outcome.last.as_deref(), Some(&b"d"[..]));
}

#[test]
fn telnet_commands_are_stripped_and_refused_at_any_split() {
    for (input, lines, replies) in [
        // Options: an option that the peer proposes is refused. A refusal is not answered.
        (&[IAC, DO, 1, b'a', b'\n'][..], &[&b"a"[..]][..], &[IAC, WONT, 1][..]),
        (&[b'a', IAC, WILL, 31, b'b', b'\n'], &[b"ab"], &[IAC, DONT, 31]),
        (&[b'a', IAC, WONT, 3, IAC, DONT, 3, b'\n'], &[b"a"], &[]),
        (&[IAC, DO, IAC, b'a', b'\n'], &[b"a"], &[IAC, WONT, IAC]),
        (&[IAC, DO, b'\n', b'a', b'\n'], &[b"a"], &[IAC, WONT, b'\n']),
        // Commands of two bytes.
        (&[b'a', IAC, NOP, IAC, SE, IAC, GA, b'b', b'\n'], &[b"ab"], &[]),
        // Subnegotiations, with line breaks and escapes inside.
        (&[b'a', IAC, SB, 24, 0, b'\n', b'\r', IAC, IAC, SE, IAC, SE, b'b', b'\n'], &[b"ab"], &[]),
        (&[IAC, SB, IAC, DO, 1, IAC, SE, b'\n'], &[b""], &[]),
        // An escaped or a stray IAC.
        (&[b'a', IAC, IAC, b'b', b'\n'], &[b"a\xffb"], &[]),
        (&[IAC, IAC, IAC, IAC, b'\n'], &[b"\xff\xff"], &[]),
        (&[IAC, b'a', b'\n'], &[b"\xffa"], &[]),
        (&[b'a', IAC, b'\n'], &[b"a\xff"], &[]),
        (&[IAC, 0xef, b'\n'], &[b"\xff\xef"], &[]),
        // Commands between the two bytes of a line break.
        (&[b'a', b'\r', IAC, NOP, b'\n', b'b', b'\r', b'\n'], &[b"a", b"b"], &[]),
        (&[b'a', b'\r', IAC, DO, 1, 0, b'b', b'\r'], &[b"a", b"b"], &[IAC, WONT, 1]),
        (&[b'a', b'\r', IAC, IAC, b'\r'], &[b"a", b"\xff"], &[]),
        // After a CR, data ends the wait for its LF.
        (&[b'\r', IAC, IAC, b'\n'], &[b"", b"\xff"], &[]),
        (&[b'\r', IAC, b'\r', b'\n', b'\r', b'\n'], &[b"", b"\xff", b""], &[]),
    ] {
        let outcome = run_every_way(input, assert_same_but_line_ending);
        assert_eq!(outcome.lines, lines, "{input:x?}");
        assert_eq!(outcome.replies, replies, "{input:x?}");
        assert_eq!(outcome.last, None, "{input:x?}");
    }
}

#[test]
fn the_rest_at_the_end_of_input_is_a_line() {
    for (input, last) in [
        (&[b'a'][..], Some(&b"a"[..])),
        (&[b'a', IAC], Some(b"a\xff")),
        (&[IAC], Some(b"\xff")),
        (&[b'a', IAC, DO], Some(b"a")),
        (&[b'a', IAC, SB, b'x'], Some(b"a")),
        (&[IAC, SB, b'x', IAC], None),
        (b"a\n", None),
        (b"a\r", None),
    ] {
        let outcome = run_every_way(input, assert_same);
        assert_eq!(outcome.last.as_deref(), last, "{input:x?}");
    }
}

#[test]
fn every_telnet_option_is_refused_once() {
    for option in 0..=u8::MAX {
        let outcome = run_every_way(&[IAC, DO, option, IAC, WILL, option], assert_same);
        assert_eq!(outcome.replies, [IAC, WONT, option, IAC, DONT, option]);
        assert_eq!((outcome.lines.len(), outcome.last), (0, None));
    }
}

#[test]
fn refusals_beyond_the_limit_are_dropped() {
    let mut splitter = PlainSplitter::new();
    let salvo: Vec<u8> = (0..1000)
        .flat_map(|number: u16| [IAC, if number < 256 { DO } else { WILL }, number.to_le_bytes()[0]])
        .collect();
    assert_eq!(splitter.next(&mut salvo.as_slice()), Ok(None));
    let reply = splitter.take_reply().unwrap();
    assert_eq!(reply.len(), TELNET_REPLY_BYTES_MAX);
    let all = (0..512)
        .flat_map(|number: u16| [IAC, if number < 256 { WONT } else { DONT }, number.to_le_bytes()[0]]);
    assert_eq!(reply, all.collect::<Vec<_>>(), "every option in both directions");
    assert_eq!(splitter.take_reply(), None);

    assert_eq!(splitter.next(&mut &salvo[..3]), Ok(None));
    assert_eq!(splitter.take_reply(), Some(vec![IAC, WONT, 0]));
}

#[test]
fn two_splitters_that_answer_each_other_fall_silent() {
    let mut ends = [PlainSplitter::new(), PlainSplitter::new()];
    let mut wire = vec![IAC, DO, 1, IAC, WILL, 3];
    let mut turns = 0;
    while !wire.is_empty() {
        let end = &mut ends[turns % 2];
        assert_eq!(end.next(&mut wire.as_slice()), Ok(None));
        wire = end.take_reply().unwrap_or_default();
        turns += 1;
    }
    assert_eq!(turns, 2);
}

#[test]
fn the_longest_line_passes_and_a_longer_one_does_not_at_any_split() {
    let longest = [vec![b'x'; PLAIN_LINE_BYTES_MAX], b"\n".to_vec()].concat();
    let longer = [b"x", longest.as_slice()].concat();
    for at in [0, 1, 1000, PLAIN_LINE_BYTES_MAX - 1, PLAIN_LINE_BYTES_MAX, PLAIN_LINE_BYTES_MAX + 1] {
        let outcome = run(&[b"a\n", &longest[..at], &longest[at..], b"b\n"]);
        assert_eq!(outcome.lines.iter().map(Vec::len).collect::<Vec<_>>(), [1, PLAIN_LINE_BYTES_MAX, 1]);

        let mut splitter = PlainSplitter::new();
        let results =
            [splitter.next(&mut &longer[..at]).map(drop), splitter.next(&mut &longer[at..]).map(drop)];
        assert!(results.contains(&Err(LineTooLong)), "split at {at}");
    }
}

#[test]
fn an_endless_subnegotiation_is_an_endless_line() {
    let mut splitter = PlainSplitter::new();
    assert_eq!(splitter.next(&mut &[b'a', IAC, SB][..]), Ok(None));
    let mut bytes = 1;
    let error = loop {
        match splitter.next(&mut &[b'x'; 100][..]) {
            Ok(line) => assert_eq!(line, None),
            Err(error) => break error,
        }
        bytes += 100;
    };
    assert_eq!(error, LineTooLong);
    assert!(bytes <= PLAIN_LINE_BYTES_MAX && bytes + 100 > PLAIN_LINE_BYTES_MAX);

    // Many short subnegotiations are not a line: a terminal reports each change of its size.
    let mut splitter = PlainSplitter::new();
    for _ in 0..PLAIN_LINE_BYTES_MAX {
        assert_eq!(splitter.next(&mut &[IAC, SB, 31, 0, 80, 0, 24, IAC, SE][..]), Ok(None));
    }
}

#[test]
fn a_splitter_is_small() {
    assert!(size_of::<PlainSplitter>() <= 56, "{}", size_of::<PlainSplitter>());
}

/// Data without line breaks, in which each FF is escaped, and telnet commands.
fn telnet_part() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[ -~\u{80}-\u{10ffff}]{0,12}".prop_map(String::into_bytes),
        1 => Just(vec![IAC, IAC]),
        1 => (prop::sample::select(vec![WILL, WONT, DO, DONT]), any::<u8>())
            .prop_map(|(verb, option)| vec![IAC, verb, option]),
        1 => (SE..SB).prop_map(|command| vec![IAC, command]),
        1 => prop::collection::vec(0..IAC, 0..6)
            .prop_map(|inside| [&[IAC, SB][..], &inside, &[IAC, SE]].concat()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_give_the_same_lines_at_any_split(
        input in prop::collection::vec(
            prop_oneof![
                // Without the editing keys, because they have an effect only if they arrive alone.
                any::<u8>().prop_filter("an editing key", |byte| !matches!(byte, 0x08 | 0x15 | 0x17 | 0x7f)),
                prop::sample::select(vec![b'\n', b'\r', b'\0', b'a', IAC, SB, SE, DO, WILL, DONT]),
            ],
            0..48,
        )
    ) {
        // The input causes so few refusals that none is dropped.
        let outcome = run_every_way(&input, assert_same_but_line_ending);
        for line in outcome.lines {
            prop_assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
        }
    }

    #[test]
    fn a_peer_of_one_line_ending_gives_the_same_outcome_at_any_split(
        lines in prop::collection::vec(prop::collection::vec(telnet_part(), 0..4), 1..5),
        (line_break, line_ending) in prop::sample::select(vec![
            (&b"\n"[..], LineEnding::Lf),
            (b"\r\n", LineEnding::CrLf),
            (b"\r\0", LineEnding::CrLf),
        ]),
    ) {
        let input: Vec<u8> =
            lines.iter().flat_map(|parts| [parts.concat(), line_break.to_vec()].concat()).collect();
        let outcome = run_every_way(&input, assert_same);
        prop_assert_eq!(outcome.lines.len(), lines.len());
        let negotiated = lines.iter().flatten().any(|part| matches!(part[..], [IAC, SB..=DONT, ..]));
        let line_ending = if negotiated { LineEnding::CrLf } else { line_ending };
        prop_assert_eq!(outcome.line_ending, Some(line_ending));
        prop_assert_eq!(outcome.last, None);
    }

    #[test]
    fn plain_lines_come_out_as_they_went_in(
        lines in prop::collection::vec("[ -~\u{80}-\u{10ffff}]{0,40}", 0..10),
        cut in any::<prop::sample::Index>(),
    ) {
        let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let at = cut.index(input.len() + 1);
        let outcome = run(&[&input.as_bytes()[..at], &input.as_bytes()[at..]]);
        prop_assert_eq!(outcome.lines, lines.iter().map(String::as_bytes).collect::<Vec<_>>());
    }
}
