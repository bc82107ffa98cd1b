//! `chat history`: the file of a server's history, without the server.

use std::fs;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use chat_core::access::{BanList, MuteList};
use chat_core::journal::Filter;
use chat_proto::json::Time;
use chat_store::{Archive, Message, OpenError, ReadError, Selection, Store};
#[cfg(unix)]
use rustix::fs::Access;
use serde::Serialize;

use crate::args::{HistoryArgs, HistoryCommand, ImportArgs, KeepArgs, RedactArgs};
use crate::counted::counted;
use crate::failure::Failure;
use crate::terminal::{Clock, unix_ms};
use crate::{byte_order_mark, stdio};

pub(crate) fn run(args: &HistoryArgs) -> Result<ExitCode, Failure> {
    match (&args.command, &args.file) {
        (Some(HistoryCommand::Import(args)), _) => import(args),
        (Some(HistoryCommand::Redact(args)), _) => redact(args),
        (None, Some(file)) => print(file, args),
        (None, None) => unreachable!("clap asks for the file"),
    }
}

/// Opens the history of a server.
pub(crate) fn open(args: &KeepArgs) -> Result<Option<Store>, Failure> {
    let Some(path) = &args.history else { return Ok(None) };
    let store = Store::open(path, args.store()).map_err(|error| cannot_open(path, error.into()))?;
    #[cfg(unix)]
    crate::diagnostics::warn_of_readers("history", path); // whoever can read it can take over sessions
    Ok(Some(store))
}

/// The bans of the server are in its history, too, from now on.
pub(crate) fn keep_bans(store: &Store, bans: &BanList) -> Result<(), Failure> {
    store.keep_bans(bans).map_err(|error| cannot_open(store.path(), error.into()))
}

/// The mutes of the server are in its history from now on.
pub(crate) fn keep_mutes(store: &Store, mutes: &MuteList) -> Result<(), Failure> {
    store.keep_mutes(mutes).map_err(|error| cannot_open(store.path(), error.into()))
}

/// Whether this server can go on with its history once the one that has it ends.
#[cfg(unix)]
pub(crate) fn rehearse(path: &Path) -> Result<(), Failure> {
    // SQLite makes files beside it.
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let access = rustix::fs::access(directory.unwrap_or_else(|| Path::new(".")), Access::WRITE_OK);
    let checked = access.map_err(|error| OpenError::System(error.into())).and_then(|()| Store::check(path));
    checked.map_err(|error| cannot_open(path, error.into()))
}

/// Whether the history of a server can be read, if there is one: even while another server writes it.
pub(crate) fn check(args: &KeepArgs) -> Result<(), Failure> {
    match &args.history {
        Some(path) if path.exists() => match Archive::open(path) {
            Ok(_) | Err(OpenError::Empty) => Ok(()),
            Err(error) => Err(cannot_open(path, error.into())),
        },
        _ => Ok(()),
    }
}

fn print(path: &Path, args: &HistoryArgs) -> Result<ExitCode, Failure> {
    let HistoryArgs { room, since, author, search, json, .. } = args;
    let since = since
        .map_or(0, |since| unix_ms().saturating_sub(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)));
    let filter = Filter { author: author.clone(), words: search.clone() };
    let selection = Selection { room: room.clone(), since_unix_ms: since, filter };
    let archive = Archive::open(path).map_err(|error| cannot_open(path, error.into()))?;
    let has_rooms = archive.rooms().map_err(|error| cannot_open(path, error))?.len() > 1;
    let (clock, mut out, mut written) = (Clock::local(), BufWriter::new(stdio::stdout()?), Ok(()));
    let each = |message: Message| {
        let line = if *json { object(&message) } else { line(&message, &clock, has_rooms && room.is_none()) };
        written = writeln!(out, "{line}");
        written.is_ok()
    };
    archive.each(&selection, each).map_err(|error| cannot_open(path, error))?;
    match written.and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::new(format!("cannot write to stdout: {error}"), None)),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

fn line(message: &Message, clock: &Clock, shows_room: bool) -> String {
    let time = clock.rfc_3339(message.unix_ms).unwrap_or_default();
    let room = if shows_room { format!("{} ", shown(&message.room)) } else { String::new() };
    format!("{time} {room}[{}] {}", message.author, message.text)
}

/// A room's name as it is typed after --room.
fn shown(room: &str) -> &str {
    if room.is_empty() { "''" } else { room }
}

/// As `--json` of a client has a message.
fn object(message: &Message) -> String {
    #[derive(Serialize)]
    #[serde(tag = "type", rename = "message")]
    struct Object<'a> {
        #[serde(skip_serializing_if = "str::is_empty")]
        room: &'a str,
        seq: u64,
        time: Time,
        author: &'a str,
        text: &'a str,
    }
    let Message { room, seq, unix_ms, author, text } = message;
    let object = Object { room, seq: *seq, time: Time(*unix_ms), author, text: text.as_str() };
    serde_json::to_string(&object).expect("a struct of strings and numbers is an object")
}

fn import(args: &ImportArgs) -> Result<ExitCode, Failure> {
    let log = fs::read(&args.log).map_err(|error| cannot_read(&args.log, error))?;
    let log = byte_order_mark::strip_bytes(&log).map_err(|error| cannot_read(&args.log, error))?;
    let log = String::from_utf8_lossy(log);
    if log.starts_with("{\"") {
        let hint = "print it without --json, and bring that in";
        let why = format!("{} has JSON, and no lines such as [ann] good morning", args.log.display());
        return Err(Failure::new(why, Some(hint.to_owned())));
    }
    if args.room.is_empty() && args.file.exists() {
        let rooms = Archive::open(&args.file).map_err(ReadError::from).and_then(|archive| archive.rooms());
        let rooms = rooms.map_err(|error| cannot_open(&args.file, error))?;
        // A server with these rooms would never show a room without a name.
        if !rooms.is_empty() && !rooms.iter().any(String::is_empty) {
            return Err(which_room("the rooms have names: choose one with --room", &rooms));
        }
    }
    let added = Archive::import(&args.file, &args.room, unix_ms(), log.lines());
    let added = added.map_err(|error| cannot_open(&args.file, error))?;
    say(&format!("{} added", counted(added, "message")))
}

fn redact(args: &RedactArgs) -> Result<ExitCode, Failure> {
    let RedactArgs { file, room, author, seq } = args;
    let archive = Archive::open(file).map_err(|error| cannot_open(file, error.into()))?;
    let rooms = archive.rooms().map_err(|error| cannot_open(file, error))?;
    if !seq.is_empty() && room.is_none() && rooms.len() > 1 {
        return Err(which_room("each room numbers its messages: name one with --room", &rooms));
    }
    let replaced = archive.redact(room.as_deref(), author.as_deref(), seq);
    let replaced = replaced.map_err(|error| cannot_open(file, error))?;
    say(&format!("{} replaced", counted(replaced, "message")))
}

fn which_room(why: &'static str, rooms: &[String]) -> Failure {
    Failure::new(
        why,
        Some(format!(
            "the rooms are {}",
            rooms.iter().map(|room| shown(room)).collect::<Vec<_>>().join(", ")
        )),
    )
}

fn say(line: &str) -> Result<ExitCode, Failure> {
    stdio::print(&format!("{line}\n"))?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, thiserror::Error)]
#[error("cannot use the history {path}")]
struct CannotUse {
    path: String,
    source: ReadError,
}

fn cannot_open(path: &Path, error: ReadError) -> Failure {
    let hint = match &error {
        ReadError::Open(OpenError::InUse) => Some("`chat history FILE` reads it meanwhile"),
        ReadError::NoRoom { .. } => Some("without --room all rooms are shown"),
        _ => None,
    };
    let path = path.display().to_string();
    Failure::new(CannotUse { path, source: error }, hint.map(str::to_owned))
}

fn cannot_read(path: &Path, error: io::Error) -> Failure {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot read {path}")]
    struct CannotRead {
        path: String,
        source: io::Error,
    }
    Failure::new(CannotRead { path: path.display().to_string(), source: error }, None)
}
