//! The plain splitter with telnet commands and line endings, and the texts that the lines become.

use chat_proto::limits::{PLAIN_LINE_BYTES_MAX, TELNET_REPLY_BYTES_MAX, TEXT_BYTES_MAX};
use chat_proto::{Author, Line, LineEnding, LineTooLong, PlainSplitter, Text};

use crate::choices::{Choices, pieces};
use crate::memory_limit;

/// The splitter holds one unfinished line. While its buffer grows, it also holds the smaller buffer for a moment.
const HELD_BYTES_MAX: usize = PLAIN_LINE_BYTES_MAX + 64 * 1024;

/// Checks the splitter. The bytes are two lengths of pieces, how often the input is repeated, whether the peer pauses
/// after each piece, and then the input.
pub fn plain(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let lengths = [1 + usize::from(choices.byte()), 1 + usize::from(choices.byte())];
    let (times, pauses) = (1 + usize::from(choices.byte()), choices.yes());
    // Most inputs are not repeated, because most faults do not need long lines.
    let input = choices.rest().repeat(if times > 200 { times } else { 1 });

    let whole = simple(&input);
    memory_limit::at_most(HELD_BYTES_MAX, || drop(read(pieces(&input, lengths), pauses, drop)));
    let mut lines = Vec::new();
    let end = read(pieces(&input, lengths), pauses, |line| lines.push(line));
    let is_edited =
        lengths.contains(&1) && input.iter().any(|byte| matches!(byte, 0x08 | 0x15 | 0x17 | 0x7F));
    match end {
        Ok(Peer { refusals, undelimited }) => {
            let mut expected = whole.refusals.chunks(3);
            assert!(refusals.chunks(3).all(|refusal| expected.any(|other| other == refusal)), "in order");
            assert!(
                refusals.len() >= whole.refusals.len().min(TELNET_REPLY_BYTES_MAX),
                "few are not dropped"
            );
            if is_edited {
                // Editing keys that arrive in a piece of their own edit the line. `chat-proto` tests what they do.
            } else if undelimited {
                // Pauses decide where a message ends. Still nothing is lost, except NULs before a message.
                let words = |lines: &[Vec<u8>]| {
                    lines.concat().into_iter().filter(|byte| *byte != 0).collect::<Vec<_>>()
                };
                assert_eq!(words(&lines), words(&whole.lines));
            } else {
                assert_eq!(lines, whole.lines, "the same lines in any pieces");
            }
        }
        Err(LineTooLong) if pauses => {}
        Err(LineTooLong) => {
            assert!(whole.lines.starts_with(&lines), "the lines before it");
            assert!(input.len() > PLAIN_LINE_BYTES_MAX);
        }
    }
    lines.iter().for_each(|line| texts(line));
}

struct Peer {
    refusals: Vec<u8>,
    /// A pause has ended at least one message.
    undelimited: bool,
}

/// Reads the pieces, and passes each line to `each`, including the last one.
fn read<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    pauses: bool,
    mut each: impl FnMut(Vec<u8>),
) -> Result<Peer, LineTooLong> {
    let mut splitter = PlainSplitter::new();
    let (mut refusals, mut undelimited) = (Vec::new(), false);
    for mut piece in pieces {
        while let Some(line) = splitter.next(&mut piece)? {
            each(line.to_vec());
        }
        assert!(piece.is_empty(), "`None` means used up");
        let ends = splitter.ends_when_quiet();
        if pauses && let Some(message) = splitter.quiet() {
            assert!(ends && !message.is_empty());
            assert_eq!(splitter.line_ending(), Some(LineEnding::Undelimited), "others' pauses end nothing");
            undelimited = true;
            each(message);
        }
        let reply = splitter.take_reply().unwrap_or_default();
        assert!(reply.len() <= TELNET_REPLY_BYTES_MAX);
        refusals.extend(reply);
    }
    splitter.finish().into_iter().for_each(each);
    assert!(!splitter.is_unfinished());
    Ok(Peer { refusals, undelimited })
}

/// The result of a slow and simple parser. It first removes the telnet commands of the whole input and then splits
/// it into lines.
struct Simple {
    lines: Vec<Vec<u8>>,
    refusals: Vec<u8>,
}

fn simple(input: &[u8]) -> Simple {
    const IAC: u8 = 255;
    const SE: u8 = 240;
    let (mut rest, mut data, mut refusals) = (input, Vec::new(), Vec::new());
    loop {
        rest = match rest {
            [IAC, IAC, rest @ ..] => {
                data.push(IAC);
                rest
            }
            [IAC, 250, rest @ ..] => subnegotiation(rest, [IAC, SE]),
            [IAC, 251..=254] => &[],
            [IAC, verb @ 251..=254, option, rest @ ..] => {
                match verb {
                    251 => refusals.extend([IAC, 254, *option]),
                    253 => refusals.extend([IAC, 252, *option]),
                    _ => {}
                }
                rest
            }
            [IAC, 240..=249, rest @ ..] => rest,
            [byte, rest @ ..] => {
                data.push(*byte);
                rest
            }
            [] => break,
        }
    }
    Simple { lines: lines(&data), refusals }
}

/// The rest of the input after a subnegotiation. Within a subnegotiation, IAC and the byte after it belong together.
fn subnegotiation(mut rest: &[u8], end: [u8; 2]) -> &[u8] {
    while let [first, after @ ..] = rest {
        match after {
            [second, after @ ..] if *first == end[0] => {
                if *second == end[1] {
                    return after;
                }
                rest = after;
            }
            _ => rest = after,
        }
    }
    rest
}

fn lines(mut data: &[u8]) -> Vec<Vec<u8>> {
    let (mut lines, mut line) = (Vec::<Vec<u8>>::new(), Vec::new());
    loop {
        data = match data {
            [0, rest @ ..] if line.is_empty() && lines.iter().any(|line| !line.is_empty()) => rest,
            [b'\r', b'\n' | b'\0', rest @ ..] | [b'\r' | b'\n', rest @ ..] => {
                lines.push(std::mem::take(&mut line));
                rest
            }
            [byte, rest @ ..] => {
                line.push(*byte);
                rest
            }
            [] => break,
        }
    }
    lines.extend(Some(line).filter(|line| !line.is_empty()));
    lines
}

/// Checks the texts of a line. Each text is shown as one line, and this line is parsed back to the same text.
fn texts(line: &[u8]) {
    // A cleaned line can be three times as long as the line. Its buffer doubles when it grows, and the smaller buffer
    // still exists for a moment.
    memory_limit::at_most(6 * line.len() + 4 * TEXT_BYTES_MAX, || Text::split(line).for_each(drop));
    for text in Text::split(line) {
        assert!(text.as_str().len() <= TEXT_BYTES_MAX);
        assert_eq!(text.as_str().parse().as_ref(), Ok(&text), "cleaning twice changes nothing");
        let line = Line { author: Author::Room, text };
        let shown = line.to_string();
        assert!(!shown.contains(char::is_control));
        assert_eq!(shown.parse(), Ok(line));
    }
}
