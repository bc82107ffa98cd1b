//! The client in a pipe: one line in is one message, one message is one line out.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::sync::Arc;
use std::thread::Builder;

use chat_core::{Client, ClientEnd, ClientEvent, Ended};
use chat_proto::{Event, Text};
use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::json::{self, Reporter, Request};
use crate::args::ClientArgs;

/// A line of input longer than this is taken in several parts.
const INPUT_BYTES_MAX: u64 = 64 * 1024;

/// The longest object of `--json`. The rest of a longer line is read as another, and refused.
const JSON_BYTES_MAX: u64 = 1024 * 1024;

/// Lines are collected up to here before they are written.
const BATCH_BYTES: usize = 64 * 1024;

/// Refused lines of `--json` that may wait to be reported.
const REFUSED_MAX: usize = 16;

pub(super) fn run(client: &Arc<Client>, args: &ClientArgs) -> io::Result<ClientEnd> {
    let (refused, refused_out) = bounded(REFUSED_MAX);
    let (speaker, stay, json) = (Arc::clone(client), args.stay, args.json);
    // Not joined: it may wait for input that never comes.
    Builder::new().name("chat-stdin".to_owned()).spawn(move || {
        let spoken =
            if json { speak_json(&speaker, &refused) } else { speak(&speaker, io::stdin().is_terminal()) };
        let _ended = match spoken {
            Ok(()) if stay => Ok(()),
            Ok(()) => speaker.finish(),
            Err(error) => {
                tracing::error!(%error, "cannot read stdin");
                speaker.leave();
                Ok(())
            }
        };
    })?;
    listen(client, if json { Output::Json(Reporter::default()) } else { Output::Lines }, refused_out)
}

/// Says every line of stdin.
fn speak(client: &Client, is_terminal: bool) -> io::Result<()> {
    let mut stdin = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        let count = (&mut stdin).take(INPUT_BYTES_MAX - line.len() as u64).read_until(b'\n', &mut line)?;
        let is_whole = line.last() == Some(&b'\n');
        if count == 0 && line.is_empty() {
            return Ok(());
        }
        // Of a line that goes on, a character that is not whole yet is kept for the next part.
        let rest = if is_whole || count == 0 { Vec::new() } else { line.split_off(whole_characters(&line)) };
        if !(is_terminal && line.trim_ascii().is_empty()) && say(client, &line).is_err() {
            return Ok(()); // how it ended is reported elsewhere
        }
        line = rest;
    }
}

fn say(client: &Client, line: &[u8]) -> Result<(), Ended> {
    Text::split(line).try_for_each(|text| client.say(text))
}

/// How many of `bytes` are whole characters, or can never become one.
fn whole_characters(bytes: &[u8]) -> usize {
    let incomplete = (1..=3.min(bytes.len())).find(|&count| {
        let tail = &bytes[bytes.len() - count..];
        std::str::from_utf8(tail).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    });
    bytes.len() - incomplete.unwrap_or(0)
}

/// Does what every line of stdin asks for; one that is no request is reported, and skipped.
fn speak_json(client: &Client, refused: &Sender<(u64, String)>) -> io::Result<()> {
    let mut stdin = io::stdin().lock();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let count = (&mut stdin).take(JSON_BYTES_MAX).read_until(b'\n', &mut line)?;
        if count == 0 {
            break;
        }
        let result = match Request::parse(&line) {
            Ok(Request::Say { text }) => say(client, text.as_bytes()),
            Ok(Request::Who {}) => client.ask_who(),
            Err(_) if line.trim_ascii().is_empty() => Ok(()),
            Err(error) => refused.send((number, error)).map_err(|_| Ended),
        };
        if result.is_err() {
            break; // how it ended is reported elsewhere
        }
    }
    Ok(())
}

/// How what is heard is written.
enum Output {
    /// What the others say.
    Lines,
    Json(Reporter),
}

impl Output {
    fn add(&mut self, batch: &mut String, event: &ClientEvent) {
        if let Self::Json(reporter) = self {
            reporter.event(batch, event);
            return;
        }
        match event {
            ClientEvent::Entry { entry, own } => match &entry.event {
                Event::Said { author, text } if !own => batch.push_str(&format!("[{author}] {text}\n")),
                Event::Refused { why, .. } if *own => tell(&format!("Not said: {why}")),
                _ => {}
            },
            ClientEvent::Line(text) => batch.push_str(&format!("{text}\n")),
            ClientEvent::Missed(messages) => tell(&format!("You missed {messages} messages")),
            ClientEvent::Unsure(texts) => {
                tell(&format!("Not known whether the room has the last {} messages", texts.len()));
            }
            ClientEvent::Lost { error, retry_in } => {
                tell(&format!("Connection lost: {error}. Trying again in {:.1} s", retry_in.as_secs_f32()));
            }
            _ => {}
        }
    }
}

/// Tells the user something that is no message.
pub(super) fn tell(text: &str) {
    // If stderr is gone there is nobody to tell.
    let _nobody = writeln!(io::stderr(), "[*] {text}");
}

/// Prints what happens, until the client ends.
fn listen(
    client: &Client,
    mut output: Output,
    mut refused: Receiver<(u64, String)>,
) -> io::Result<ClientEnd> {
    let mut stdout = io::stdout().lock();
    let mut batch = String::new();
    loop {
        let mut next = None;
        select! {
            recv(client.events()) -> event => match event {
                Ok(event) => next = Some(event),
                Err(_) => return Ok(super::failed()),
            },
            recv(refused) -> line => match line {
                Ok((line, error)) => json::refused(&mut batch, line, &error),
                // The end of input.
                Err(_) => refused = crossbeam_channel::never(),
            },
        }
        while let Some(event) = next {
            output.add(&mut batch, &event);
            if let ClientEvent::Ended(end) = event {
                stdout.write_all(batch.as_bytes())?;
                stdout.flush()?;
                return Ok(end);
            }
            next = if batch.len() < BATCH_BYTES { client.events().try_recv().ok() } else { None };
        }
        stdout.write_all(batch.as_bytes())?;
        stdout.flush()?;
        batch.clear();
    }
}
