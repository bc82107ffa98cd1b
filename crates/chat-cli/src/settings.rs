//! The settings of a server: the flags of `chat server`, which a configuration file may hold, too.
//!
//! The definitions of the flags are the table of settings. What the file says becomes flags, in front of those that were
//! typed. So whatever is a flag is a key of the file, with the same values, limits and errors.

mod file;
mod print;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches};

use crate::args::{Args, Command, ServerArgs};
pub(crate) use file::Refused;
pub(crate) use print::print;

/// The word that the settings come after.
const SERVER: &str = "server";

/// Flags that say what to do with the settings.
const NO_SETTINGS: [&str; 6] = ["config", "print-config", "check", "take-over", "help", "version"];

/// The settings that a server runs with, and where they are from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// As typed.
    typed: Vec<OsString>,
    file: Option<PathBuf>,
    /// What is not as by default, by key.
    values: BTreeMap<String, Vec<String>>,
}

/// Why there are no settings.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// What was typed, or the file and what was typed do not go together.
    Usage(Box<clap::Error>),
    /// The file.
    File(Refused),
}

/// Reads the command line, and the configuration file that it names.
///
/// # Errors
///
/// [`Unusable`].
pub(crate) fn read(typed: Vec<OsString>) -> Result<(Args, Settings), Unusable> {
    let usage = |error| Unusable::Usage(Box::new(error));
    let (file, added) = match named_file(&typed) {
        Some((path, given)) => {
            let added = file::arguments(&path, &given).map_err(Unusable::File)?;
            (Some(path), added)
        }
        None => (None, Vec::new()),
    };
    let mut all = typed.clone();
    if let Some(server) = typed.iter().position(|word| word == SERVER) {
        all.splice(server + 1..=server, added);
    }
    let matches = Args::command().try_get_matches_from(all).map_err(usage)?;
    let args = Args::from_arg_matches(&matches).map_err(usage)?;
    let values = matches.subcommand_matches(SERVER).map(changed).unwrap_or_default();
    Ok((args, Settings { typed, file, values }))
}

impl Settings {
    /// Reads the file again.
    ///
    /// # Errors
    ///
    /// Why it cannot be used now, in words.
    pub(crate) fn again(&self) -> Result<(ServerArgs, Self), String> {
        match read(self.typed.clone()) {
            Ok((Args { command: Command::Server(args), .. }, settings)) => Ok((*args, settings)),
            Ok(_) => Err("it is no server's".to_owned()),
            Err(Unusable::Usage(error)) => Err(file::in_one_line(&error)),
            Err(Unusable::File(refused)) => Err(refused.to_string()),
        }
    }

    /// Whether this one is given.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// The configuration file.
    pub(crate) fn file(&self) -> Option<&PathBuf> {
        self.file.as_ref()
    }

    /// The keys that have other values in `new`.
    pub(crate) fn difference(&self, new: &Self) -> Vec<String> {
        let keys = self.values.keys().chain(new.values.keys().filter(|key| !self.values.contains_key(*key)));
        let mut keys: Vec<String> =
            keys.filter(|key| self.values.get(*key) != new.values.get(*key)).cloned().collect();
        keys.sort_unstable();
        keys
    }
}

/// The configuration file that the command line names, and the settings that it gives itself.
fn named_file(typed: &[OsString]) -> Option<(PathBuf, Vec<String>)> {
    // A flag may need another one, which is in the file.
    let matches = Args::command().ignore_errors(true).try_get_matches_from(typed).ok()?;
    let server = matches.subcommand_matches(SERVER)?;
    let path = server.try_get_one::<PathBuf>("config").ok()??.clone();
    let given = arguments()
        .iter()
        .filter(|arg| server.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine))
        .map(key)
        .collect();
    Some((path, given))
}

/// The settings, in the order of the help.
fn arguments() -> Vec<Arg> {
    let mut chat = Args::command();
    chat.build();
    let server = chat.find_subcommand(SERVER).expect("the definitions have it");
    server.get_arguments().filter(|arg| !NO_SETTINGS.contains(&key(arg).as_str())).cloned().collect()
}

/// What a setting is called in the file.
fn key(arg: &Arg) -> String {
    let name = || arg.get_value_names()?.first().map(|name| name.to_lowercase());
    arg.get_long().map(str::to_owned).or_else(name).unwrap_or_else(|| arg.get_id().to_string())
}

/// Whether a setting is on or off, and has no value.
fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

/// The settings that are not as by default.
fn changed(server: &ArgMatches) -> BTreeMap<String, Vec<String>> {
    let is_given = |arg: &Arg| {
        server.value_source(arg.get_id().as_str()).is_some_and(|by| by != ValueSource::DefaultValue)
    };
    let values = |arg: &Arg| {
        let raw = server.get_raw(arg.get_id().as_str()).into_iter().flatten();
        raw.map(|value| value.to_string_lossy().into_owned()).collect()
    };
    arguments().iter().filter(|arg| is_given(arg)).map(|arg| (key(arg), values(arg))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn without_a_file_it_is_what_was_typed() {
        let (args, settings) = read(typed(&["chat", "-v", "server", "tcp", "--rate", "7"])).unwrap();
        assert!(args.verbose && settings.file().is_none());
        let keys: Vec<&str> = settings.values.keys().map(String::as_str).collect();
        assert_eq!(keys, ["rate", "transport", "verbose"]);
        assert!(matches!(read(typed(&["chat", "server", "--rate"])), Err(Unusable::Usage(_))));
    }

    #[test]
    fn every_flag_is_a_key_and_every_key_a_flag() {
        let mut chat = Args::command();
        chat.build();
        let server = chat.find_subcommand("server").unwrap();
        let flags: Vec<&str> = server.get_arguments().filter_map(Arg::get_long).collect();
        let keys: Vec<String> = arguments().iter().map(key).collect();
        for flag in flags.iter().filter(|flag| !NO_SETTINGS.contains(*flag)) {
            assert!(keys.iter().any(|key| key == flag), "{flag}");
            // Its name is known; whether `x` is a value of it is for the flag to say.
            let text = format!("{flag} = \"x\"");
            if let Err(refused) = file::read(&text, &[]) {
                assert!(refused.iter().all(|why| why.contains(&format!("'--{flag}"))), "{refused:?}");
            }
        }
        for key in keys.iter().filter(|key| *key != "transport") {
            assert!(flags.contains(&key.as_str()), "{key}");
        }
    }
}
