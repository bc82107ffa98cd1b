//! Stdin of the client in a pipe: every line is said or is a command, or is a request of `--json`.

use std::io::{self, BufRead, BufReader, Read};

use chat_core::client::Ended;
use chat_core::{Client, CommandError};
use chat_proto::Text;
use chat_proto::json::Request;
use crossbeam_channel::Sender;

use super::json;
use crate::client::pipe;
use crate::{byte_order_mark, stdio};

/// A line of input longer than this is taken in several parts.
const INPUT_BYTES_MAX: u64 = 64 * 1024;

/// The longest object of `--json`. The rest of a longer line is read as another, and refused.
const JSON_BYTES_MAX: u64 = 1024 * 1024;

/// Requests to be answered on stdout, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// So many messages are to be confirmed.
    Messages(usize),
    /// The request for the members that are present.
    Present,
    /// The request for old messages.
    History,
    /// A line of input was not a request.
    Refused { line: u64, error: String },
}

/// Says every line of stdin. Returns how many of them were commands that are too long, and so were refused.
///
/// # Errors
///
/// If stdin cannot be read.
pub(crate) fn lines(client: &Client, is_terminal: bool) -> io::Result<usize> {
    let mut stdin = BufReader::new(stdio::stdin()?);
    let mut line = Vec::new();
    let mut is_first = true;
    let mut refused = 0;
    // What the part of a line is that was read before it.
    let mut before = Part::None;
    loop {
        let count = (&mut stdin).take(INPUT_BYTES_MAX - line.len() as u64).read_until(b'\n', &mut line)?;
        if std::mem::take(&mut is_first) {
            strip_byte_order_mark(&mut line)?;
        }
        let is_whole = line.last() == Some(&b'\n');
        if count == 0 && line.is_empty() {
            return Ok(refused);
        }
        // Of a line that goes on, a character that is not whole yet is kept for the next part.
        let rest = if is_whole || count == 0 { Vec::new() } else { line.split_off(whole_characters(&line)) };
        let text = String::from_utf8_lossy(&line);
        let result = match before {
            Part::Refused => Ok(()),
            Part::Said => client.say(&text).map_err(CommandError::from),
            Part::None if is_terminal && text.trim().is_empty() => Ok(()),
            Part::None => client.command(&text),
        };
        let part = match result {
            Ok(()) if before == Part::Refused => Part::Refused,
            Ok(()) => Part::Said,
            Err(error @ CommandError::TooLong) => {
                pipe::tell(&format!("Not sent: {error}"));
                refused += 1;
                Part::Refused
            }
            Err(_) => return Ok(refused), // how it ended is reported elsewhere
        };
        before = if is_whole { Part::None } else { part };
        line = rest;
    }
}

/// Does what every line of stdin asks for. What is to be answered goes to `expected` first.
///
/// # Errors
///
/// If stdin cannot be read.
pub(crate) fn requests(client: &Client, is_plain: bool, expected: &Sender<Expected>) -> io::Result<()> {
    let mut stdin = BufReader::new(stdio::stdin()?);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let count = (&mut stdin).take(JSON_BYTES_MAX).read_until(b'\n', &mut line)?;
        if count == 0 {
            break;
        }
        if number == 1 {
            strip_byte_order_mark(&mut line)?;
        }
        let expect = |what| expected.send(what).map_err(|_| Ended);
        let refuse = |error: String| expect(Expected::Refused { line: number, error });
        let result = match json::parse(&line) {
            Ok(Request::Say { text, .. }) => match Text::split(text.as_bytes()).count() {
                0 => refuse("there is nothing to say: the text is empty".to_owned()),
                count => expect(Expected::Messages(count)).and_then(|()| client.say(&text)),
            },
            Ok(Request::Command { text, .. }) => match command(&text) {
                Ok(line) => expect(Expected::Messages(1))
                    .and_then(|()| client.command(line.as_str()).map_err(|_one_text: CommandError| Ended)),
                Err(error) => refuse(error),
            },
            Ok(Request::Who {}) if is_plain => {
                refuse("a plain server is not asked who is present".to_owned())
            }
            Ok(Request::Who {}) => expect(Expected::Present).and_then(|()| client.ask_who()),
            Ok(Request::History { .. }) if is_plain => {
                refuse("a plain server is not asked for old messages".to_owned())
            }
            Ok(request @ Request::History { .. }) => match request.to_look_back() {
                Ok(question) => expect(Expected::History).and_then(|()| client.history(question)),
                Err(error) => refuse(error),
            },
            Err(_) if line.trim_ascii().is_empty() => Ok(()),
            Err(error) => refuse(error),
            Ok(_) => refuse("the client does that itself".to_owned()),
        };
        if result.is_err() {
            break; // how it ended is reported elsewhere
        }
    }
    Ok(())
}

/// What became of the part of a long line that was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// A line begins.
    None,
    Said,
    /// It was a command that is too long, and the rest of its line is refused with it.
    Refused,
}

/// A command of `--json`; what is wrong with it if it is not one.
fn command(text: &str) -> Result<Text, String> {
    if !text.starts_with('/') {
        return Err("a command begins with a slash".to_owned());
    }
    Text::one_line(text).map_err(|_| CommandError::TooLong.to_string())
}

/// Takes the byte order mark off the first line.
fn strip_byte_order_mark(line: &mut Vec<u8>) -> io::Result<()> {
    let mark = line.len() - byte_order_mark::strip_bytes(line)?.len();
    line.drain(..mark);
    Ok(())
}

/// How many of `bytes` are whole characters, or can never become one.
fn whole_characters(bytes: &[u8]) -> usize {
    let incomplete = (1..=3.min(bytes.len())).find(|&count| {
        let tail = &bytes[bytes.len() - count..];
        std::str::from_utf8(tail).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    });
    bytes.len() - incomplete.unwrap_or(0)
}
