//! SIGHUP and `/reload`: files are read again, and what can change while members are there does.

use std::sync::{Mutex, PoisonError};

use chat_core::access::BanList;
use chat_core::{Name, Rooms};
use crossbeam_channel::Sender;

use super::tls::Encryption;
use super::{bans, contradictions, password};
#[cfg(unix)]
use super::{no_log_file, printer, supervisor};
use crate::args::ServerArgs;
use crate::settings::Settings;

/// The settings that can change while members are there. Every other one needs a restart.
const LIVE: [&str; 9] = [
    "history-max",
    "max-members",
    "max-per-ip",
    "operator-password-file",
    "rate",
    "room",
    "slow",
    "tls",
    "topic",
];

/// Applies what has changed to a running server.
pub(super) struct Reloader {
    pub(super) rooms: Rooms,
    pub(super) encryption: Option<Encryption>,
    /// Take a token when a file is to be opened or read again: the log file, the bans.
    pub(super) files: Vec<Sender<()>>,
    /// What a service manager is told.
    pub(super) listening: String,
    /// Those of the start, which hold for what cannot change.
    pub(super) started: Settings,
    /// Those that were read last and could all be applied.
    pub(super) settings: Mutex<(ServerArgs, Settings)>,
}

impl Reloader {
    /// Reads everything again. Returns what became of it, or what was wrong; then what could not be read stays as it was.
    pub(super) fn reload(&self) -> Result<String, String> {
        #[cfg(unix)]
        supervisor::reloading();
        let result = self.read_again();
        #[cfg(unix)]
        supervisor::ready(&self.listening);
        result
    }

    fn read_again(&self) -> Result<String, String> {
        for file in &self.files {
            let _there_already = file.try_send(());
        }
        // Replaced as a whole.
        let mut current = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        let (old_args, old) = &*current;
        let (args, new) = match old.file() {
            Some(_) => old.again().map_err(|why| format!("The configuration stays as it was: {why}"))?,
            None => (old_args.clone(), old.clone()),
        };
        super::has_transport(&args)
            .and_then(|()| contradictions::check(&args, &new))
            .map_err(|failure| format!("The configuration stays as it was: {}", failure.causes()))?;
        let is_live = |key: &String| LIVE.contains(&key.as_str());
        let live: Vec<String> = old.difference(&new).into_iter().filter(is_live).collect();
        let mut fixed = self.started.difference(&new);
        fixed.retain(|key| !is_live(key));
        let mut wrong = files_that_stay(&args);
        match args.operator_password_file.as_deref().map(password::read).transpose() {
            Ok(password) => self.rooms.reconfigure(&args.room(password, BanList::new())),
            Err(failure) => {
                wrong.push(format!("limits and password stay as they were: {}", failure.causes()));
            }
        }
        match &self.encryption {
            Some(encryption) if args.tls.is_some() => {
                let failed = encryption.reload(&args).err();
                wrong.extend(
                    failed.map(|error| format!("the TLS certificate stays as it was: {}", error.causes())),
                );
            }
            None if args.tls.is_none() => {}
            // Connections that are there know nothing of it.
            _ => fixed.push("tls".to_owned()),
        }
        if live.iter().any(|key| key == "slow") {
            self.rooms.all().iter().for_each(|room| room.set_slow(args.slow));
        }
        if live.iter().any(|key| key == "topic") {
            let topic = args.topic.as_ref().map_or("", |topic| topic.as_str());
            wrong.extend(set_topic(&self.rooms, topic).err());
        }
        if live.iter().any(|key| key == "room") && !self.set_rooms(&old_args.rooms, &args.rooms, &mut wrong) {
            fixed.push("room".to_owned());
        }
        let live: Vec<String> = live.into_iter().filter(|key| !fixed.contains(key)).collect();
        let told = told(&live, &fixed);
        if !wrong.is_empty() {
            // The settings before stay the current ones, so that the next time all that differs is tried again.
            return Err(format!("{told} But {}", wrong.join("; ")));
        }
        *current = (args, new);
        Ok(told)
    }

    /// Adds rooms. False if some should go, which takes a restart: there may be members in them.
    fn set_rooms(&self, old: &[Name], new: &[Name], wrong: &mut Vec<String>) -> bool {
        for name in new.iter().filter(|name| !old.contains(name)) {
            wrong.extend(self.rooms.add(name).err().map(|error| format!("{name}: {error}")));
        }
        old.iter().all(|name| new.contains(name)) && old.first() == new.first()
    }
}

/// What is wrong with the files that other threads read or open again.
fn files_that_stay(args: &ServerArgs) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(failure) = args.bans.as_deref().and_then(|path| bans::check(path).err()) {
        wrong.push(format!("the bans stay as they were: {}", failure.causes()));
    }
    #[cfg(unix)]
    if let Some(path) = &args.log_file
        && let Err(error) = printer::check_file(path)
    {
        wrong.push(format!("the log file stays as it was: {}", no_log_file(error, path).causes()));
    }
    wrong
}

/// Sets the topic of the first room.
pub(super) fn set_topic(rooms: &Rooms, topic: &str) -> Result<(), String> {
    let room = rooms.first();
    let configuration = room.join("configuration").map_err(|error| error.to_string())?;
    room.set_topic(configuration.id(), topic).map_err(|error| format!("the topic: {error}"))
}

fn told(live: &[String], fixed: &[String]) -> String {
    let mut told = match live {
        [] => "Read again.".to_owned(),
        keys => format!("Read again. Changed: {}.", keys.join(", ")),
    };
    if !fixed.is_empty() {
        told.push_str(&format!(" Needs a restart: {}.", fixed.join(", ")));
    }
    told
}
