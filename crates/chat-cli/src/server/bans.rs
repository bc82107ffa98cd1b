//! The file of bans: read at the start and on SIGHUP, written after each ban and each lift.
//!
//! Whoever runs the server may edit it meanwhile. So each time the file and the list are brought together: what was
//! edited since the file was read last is taken over, then the list is written if it says something else. A file that cannot be
//! understood is never overwritten.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

use chat_core::access::{Ban, BanList, Banned};
use chat_core::{Room, Rooms, Waker};
use chat_proto::Text;
use crossbeam_channel::{Sender, bounded};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use toml::value::Datetime;

use crate::failure::{Failure, causes};
use crate::terminal::unix_ms;

/// The largest file that is read. There is room for the largest list, and for comments.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Begins a file that is written.
const HEADER: &str = "# The bans of a chat server. It reads this file at its start and after SIGHUP, and writes it after /ban and /unban.\n";

/// The file of a server's bans. A clone is the same file.
#[derive(Clone)]
pub(crate) struct BanFile {
    state: Arc<Mutex<State>>,
    changed: Sender<()>,
}

/// By whom they keep out, as the file says it.
type Bans = BTreeMap<String, Ban>;

struct State {
    path: PathBuf,
    room: Room,
    /// What the file said when it was read or written last.
    known: Bans,
}

impl BanFile {
    /// Reads the file at `path`, if there is one, into `list`, which is that of `rooms`, and keeps the two together from now on.
    /// Operators among the members are told of a change that cannot be stored.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or understood, or the system has no thread to give.
    pub(super) fn open(path: &Path, rooms: &Rooms, list: &BanList) -> Result<Self, Failure> {
        // What is put in the file's place must not take that of a link to it.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let mut state = State { path, room: rooms.first(), known: Bans::new() };
        state.read().and_then(|()| state.is_writable()).map_err(BanFileError::into_failure)?;
        let state = Arc::new(Mutex::new(state));
        let (changed, changes) = bounded(1);
        let wake = changed.clone();
        list.add_waker(Waker::new(move || {
            let _there_already = wake.try_send(());
        }));
        let (writer, rooms) = (Arc::clone(&state), rooms.clone());
        Builder::new().name("chat-bans".to_owned()).spawn(move || {
            for () in &changes {
                if let Err(why) = bring_together(&writer) {
                    tracing::warn!("{why}");
                    tell_operators(&rooms, &why);
                }
            }
        })?;
        Ok(Self { state, changed })
    }

    /// Takes a token when the file may have changed.
    pub(super) fn changed(&self) -> Sender<()> {
        self.changed.clone()
    }

    /// Writes what is not written yet.
    ///
    /// # Errors
    ///
    /// In words for people, if the bans in force are not all in the file after that.
    pub(crate) fn finish(&self) -> Result<(), String> {
        bring_together(&self.state)
    }
}

/// Whether the file at `path` can be used, if there is one.
pub(super) fn check(path: &Path) -> Result<(), Failure> {
    let room = Room::new(chat_core::RoomConfig::default());
    let mut state = State { path: path.to_path_buf(), room, known: Bans::new() };
    state.read().and_then(|()| state.is_writable()).map_err(BanFileError::into_failure)
}

fn bring_together(state: &Mutex<State>) -> Result<(), String> {
    // What is known is replaced as a whole.
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let written = state.read().and_then(|()| state.write());
    written.map_err(|error| {
        let why = causes(&error);
        format!("The bans hold now, but their file does not say the same, so a restart would undo the last changes: {why}")
    })
}

/// Tells the operators that have come over a transport. Those at a console read it in the answer to their command.
fn tell_operators(rooms: &Rooms, why: &str) {
    for room in rooms.all() {
        let (_, members) = room.presence(usize::MAX);
        for operator in members.iter().filter(|member| member.is_operator && member.address.is_some()) {
            let _left = room.tell(operator.member, why);
        }
    }
}

impl State {
    /// Takes over what was edited since the file was read last.
    fn read(&mut self) -> Result<(), BanFileError> {
        let Some(text) = read(&self.path).map_err(|source| self.error(source))? else { return Ok(()) };
        let not_bans = |source| BanFileError::NotBans { path: self.path.clone(), source: Box::new(source) };
        let mut there = parse(&text).map_err(not_bans)?;
        let now = unix_ms();
        there.retain(|_, ban| ban.until_unix_ms.is_none_or(|until| until > now));
        for (who, ban) in &self.known {
            if !there.contains_key(who) {
                self.room.unban(&ban.who);
            }
        }
        for (who, ban) in &there {
            if self.known.get(who) != Some(ban) {
                self.room.ban(ban).map_err(|_| BanFileError::TooMany { path: self.path.clone() })?;
            }
        }
        self.known = there;
        Ok(())
    }

    /// Whether a new file can be put in the place of this one.
    fn is_writable(&self) -> Result<(), BanFileError> {
        let temporary = beside(&self.path);
        File::create(&temporary)
            .and_then(|_| fs::remove_file(&temporary))
            .map_err(|source| BanFileError::NotWritable { path: self.path.clone(), source })
    }

    /// Writes the list, if the file says something else.
    fn write(&mut self) -> Result<(), BanFileError> {
        let bans: Bans = self.room.bans().into_iter().map(|ban| (ban.who.to_string(), ban)).collect();
        if bans != self.known {
            replace(&self.path, &render(&bans))
                .map_err(|source| BanFileError::NotWritable { path: self.path.clone(), source })?;
            self.known = bans;
        }
        Ok(())
    }

    fn error(&self, source: io::Error) -> BanFileError {
        BanFileError::System { path: self.path.clone(), source }
    }
}

/// The text of the file, if there is one.
fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "it is larger than 64 MiB"));
    }
    Ok(Some(text))
}

/// Where the new file is until it is whole.
fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    beside.into()
}

/// Puts a new file in the place of the one at `path`, whole or not at all.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let temporary = beside(path);
    let mut file = File::create(&temporary)?;
    if let Ok(before) = fs::metadata(path) {
        file.set_permissions(before.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    ban: Vec<Row>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(deserialize_with = "who", serialize_with = "shown")]
    who: Banned,
    #[serde(default)]
    why: Text,
    #[serde(default, deserialize_with = "until", skip_serializing_if = "Option::is_none")]
    until: Option<Datetime>,
}

fn who<'de, D: Deserializer<'de>>(from: D) -> Result<Banned, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

fn until<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Datetime>, D::Error> {
    let until = Datetime::deserialize(from)?;
    match timestamp(until) {
        Some(_) => Ok(Some(until)),
        None => {
            Err(D::Error::custom("expected a date and time with its offset, such as 2026-12-01T12:00:00Z"))
        }
    }
}

fn shown<S: serde::Serializer>(value: &impl ToString, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&value.to_string())
}

fn timestamp(time: Datetime) -> Option<Timestamp> {
    time.to_string().parse().ok()
}

fn parse(text: &str) -> Result<Bans, toml::de::Error> {
    let table: Table = toml::from_str(text)?;
    let bans = table.ban.into_iter().map(|Row { who, why, until }| {
        let until = until.and_then(timestamp).map(|until| u64::try_from(until.as_millisecond()).unwrap_or(0));
        (who.to_string(), Ban { who, why, until_unix_ms: until })
    });
    Ok(bans.collect())
}

fn render(bans: &Bans) -> String {
    let until = |ban: &Ban| {
        let ms = i64::try_from(ban.until_unix_ms?).ok()?;
        Timestamp::from_millisecond(ms).ok()?.to_string().parse().ok()
    };
    let row = |ban: &Ban| Row { who: ban.who.clone(), why: ban.why.clone(), until: until(ban) };
    let table = Table { ban: bans.values().map(row).collect() };
    let text = toml::to_string(&table).expect("invariant: strings and times have a TOML form");
    format!("{HEADER}\n{text}")
}

#[derive(Debug, thiserror::Error)]
enum BanFileError {
    #[error("cannot use the file of bans {}", path.display())]
    System { path: PathBuf, source: io::Error },
    #[error("cannot write the file of bans {}", path.display())]
    NotWritable { path: PathBuf, source: io::Error },
    #[error("cannot understand the file of bans {}", path.display())]
    NotBans { path: PathBuf, source: Box<toml::de::Error> },
    #[error("the file of bans {} has more than {} of them", path.display(), chat_core::limits::BANS_MAX)]
    TooMany { path: PathBuf },
}

impl BanFileError {
    fn into_failure(self) -> Failure {
        let hint = match &self {
            Self::NotBans { .. } => Some("correct it, or name another file; it was not changed"),
            Self::NotWritable { source, .. } if source.kind() == ErrorKind::NotFound => {
                Some("its directory does not exist")
            }
            Self::NotWritable { .. } => Some(
                "a new file takes the place of the old one at each change: this user must be able to write to its directory",
            ),
            _ => None,
        };
        Failure::new(self, hint.map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let text = "[[ban]]\nwho = \"192.0.2.0/24\"\nwhy = \"spam \\\"x\\\"\"\nuntil = 2126-12-01T12:00:00.250Z\n\n[[ban]]\nwho = \"ann\"\n";
        let bans = parse(text).expect("bans");
        assert_eq!(bans["192.0.2.0/24"].until_unix_ms, Some(4_951_800_000_250));
        assert_eq!(bans["192.0.2.0/24"].why.as_str(), "spam \"x\"");
        assert_eq!(bans["ann"].until_unix_ms, None);
        assert_eq!(parse(&render(&bans)).expect("bans"), bans);
        assert_eq!(parse("").expect("none"), Bans::new());
    }

    #[test]
    fn what_is_no_ban_is_told_with_its_line() {
        for wrong in [
            "[[ban]]\nwho = \"300.1.1.1\"\n",
            "[[ban]]\nwho = 7\n",
            "[[ban]]\nwhy = \"spam\"\n",
            "[[ban]]\nwho = \"ann\"\nuntil = 2026-12-01\n",
            "[[ban]]\nwho = \"ann\"\nuntil = 2026-12-01T12:00:00\n",
            "[[ban]]\nwho = \"ann\"\nfor = \"2h\"\n",
            "[[ban]\n",
            "bans = 1\n",
        ] {
            let error = parse(wrong).expect_err(wrong).to_string();
            assert!(error.contains("line "), "{error}");
        }
    }

    #[test]
    fn edits_are_taken_over_and_a_damaged_file_stays() {
        let directory = std::env::temp_dir().join(format!("chat-bans-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory for the test");
        let path = directory.join("bans.toml");
        let room = Room::new(chat_core::RoomConfig::default());
        let mut state = State { path: path.clone(), room: room.clone(), known: Bans::new() };
        let ban =
            |who: &str| Ban { who: who.parse().expect("whom"), why: Text::default(), until_unix_ms: None };
        let banned = || room.bans().iter().map(|ban| ban.who.to_string()).collect::<Vec<_>>();
        state.read().and_then(|()| state.write()).expect("no file is no bans");
        state.is_writable().expect("its directory is there");
        assert!(fs::read_dir(&directory).expect("it is there").next().is_none(), "it leaves nothing");
        let nowhere = State { path: directory.join("no/bans.toml"), room: room.clone(), known: Bans::new() };
        assert!(matches!(nowhere.is_writable(), Err(BanFileError::NotWritable { .. })));
        room.ban(&ban("ann")).expect("there is room");
        state.read().and_then(|()| state.write()).expect("it can be written");
        // Somebody edits the file, and at the same time another ban comes.
        fs::write(&path, "[[ban]]\nwho = \"bob\"\n").expect("it can be written");
        room.ban(&ban("10.0.0.1")).expect("there is room");
        state.read().and_then(|()| state.write()).expect("it can be written");
        assert_eq!(banned(), ["10.0.0.1", "bob"]);
        assert_eq!(parse(&fs::read_to_string(&path).expect("text")).expect("bans").len(), 2);
        fs::write(&path, "[[ban]\n").expect("it can be written");
        room.ban(&ban("eve")).expect("there is room");
        assert!(matches!(state.read().and_then(|()| state.write()), Err(BanFileError::NotBans { .. })));
        assert_eq!(fs::read_to_string(&path).expect("text"), "[[ban]\n");
        fs::remove_dir_all(&directory).expect("it is there");
    }
}
