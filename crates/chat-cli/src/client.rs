//! `chat client`: a filter between stdin, stdout and a room.

use std::io::{self, BufRead, ErrorKind, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;

use chat_core::{Client, ClientConfig, ClientEnd, ClientEvent, Ended};
use chat_proto::{Event, Text};
use chat_tcp::ConnectError;

use crate::args::{ClientArgs, TransportKind};
use crate::failure::Failure;

/// A line of input longer than this is taken in several parts.
const INPUT_BYTES_MAX: u64 = 64 * 1024;

/// Lines are collected up to here before they are written.
const BATCH_BYTES: usize = 64 * 1024;

/// What a shell reports of a program that SIGINT has ended.
const INTERRUPTED: u8 = 130;

pub(crate) fn run(args: &ClientArgs) -> Result<ExitCode, Failure> {
    let config = ClientConfig { plain: args.plain, ..ClientConfig::default() };
    let client = match args.transport {
        TransportKind::Tcp => chat_tcp::connect(args.address.clone(), config),
    };
    let client = Arc::new(client.map_err(|error| no_connection(error, args))?);
    let interrupted = leave_on_signal(&client)?;
    let is_terminal = io::stdin().is_terminal();
    if is_terminal {
        eprintln!("[*] Connected to {}. Type a line to say it; Ctrl-D leaves.", args.address);
    }
    let (speaker, stay) = (Arc::clone(&client), args.stay);
    // Not joined: it may wait for input that never comes.
    Builder::new().name("chat-stdin".to_owned()).spawn(move || {
        let _ended = match speak(&speaker, is_terminal) {
            Ok(()) if stay => Ok(()),
            Ok(()) => speaker.finish(),
            Err(error) => {
                tracing::error!(%error, "cannot read stdin");
                speaker.leave()
            }
        };
    })?;
    match listen(&client) {
        Ok(ClientEnd::Left) if interrupted.load(Ordering::Relaxed) && !is_terminal => Ok(ExitCode::from(INTERRUPTED)),
        Ok(ClientEnd::Left) => Ok(ExitCode::SUCCESS),
        Ok(end @ ClientEnd::NotFramed { .. }) => {
            let hint = format!("if it is a plain text server: chat client tcp {} --plain", args.address);
            Err(Failure::new(end, Some(hint)))
        }
        Ok(end) => Err(Failure::new(end, None)),
        // Whoever reads our output has enough of it.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::new(format!("cannot write to stdout: {error}"), None)),
    }
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

/// Prints what the others say, until the client ends.
fn listen(client: &Client) -> io::Result<ClientEnd> {
    let mut stdout = io::stdout().lock();
    let mut batch = String::new();
    loop {
        let mut next = client.events().recv().ok();
        while let Some(event) = next {
            match event {
                ClientEvent::Entry { entry, own: false } => {
                    if let Event::Said { author, text } = &entry.event {
                        batch.push_str(&format!("[{author}] {text}\n"));
                    }
                }
                ClientEvent::Line(text) => batch.push_str(&format!("{text}\n")),
                ClientEvent::Missed(messages) => eprintln!("[*] You missed {messages} messages"),
                ClientEvent::Ended(end) => {
                    stdout.write_all(batch.as_bytes())?;
                    stdout.flush()?;
                    return Ok(end);
                }
                _ => {}
            }
            next = if batch.len() < BATCH_BYTES { client.events().try_recv().ok() } else { None };
        }
        stdout.write_all(batch.as_bytes())?;
        stdout.flush()?;
        batch.clear();
    }
}

/// The first signal leaves in order, the second one at once.
fn leave_on_signal(client: &Arc<Client>) -> Result<Arc<AtomicBool>, ctrlc::Error> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let (client, flag) = (Arc::clone(client), Arc::clone(&interrupted));
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
        let _ended = client.leave();
    })?;
    Ok(interrupted)
}

fn no_connection(error: ConnectError, args: &ClientArgs) -> Failure {
    let address = &args.address;
    let hint = match &error {
        ConnectError::Connect { source, .. } => match source.kind() {
            ErrorKind::ConnectionRefused => format!(
                "nothing listens there. Start a room with: chat server tcp --bind {address}"
            ),
            ErrorKind::TimedOut => format!("nothing answers there; check that {address} is right and no firewall is between"),
            _ => format!("check that {address} is right and can be reached from here"),
        },
        ConnectError::Resolve(_) => format!("check the spelling of {address}"),
        _ => return Failure::from(error),
    };
    Failure::new(error, Some(hint))
}
