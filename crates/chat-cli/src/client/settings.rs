//! What the user wants each time: the file `client.toml`, which the program reads and never writes.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use chat_core::Name;
use serde::Deserialize;

use crate::failure::Failure;

/// The settings of the file. Flags go before them.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Settings {
    /// The name to ask for.
    pub(super) name: Option<Name>,
    /// The room to join.
    pub(super) room: Option<Name>,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot use {}: {why}", path.display())]
struct CannotUse {
    path: PathBuf,
    why: String,
}

impl Settings {
    /// Reads `chat/client.toml` in the directory for configurations (`XDG_CONFIG_HOME`, or `.config` at home). No file means
    /// no settings.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or understood.
    pub(super) fn read() -> Result<Self, Failure> {
        let of = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let directory = of("XDG_CONFIG_HOME").or_else(|| of("HOME").map(|home| home.join(".config")));
        directory.map_or_else(
            || Ok(Self::default()),
            |directory| Self::read_file(&directory.join("chat/client.toml")),
        )
    }

    fn read_file(path: &Path) -> Result<Self, Failure> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Self::default());
            }
            Err(error) => return Err(cannot_use(path, error.to_string())),
        };
        toml::from_str(&text).map_err(|error| cannot_use(path, error.message().to_owned()))
    }
}

fn cannot_use(path: &Path, why: String) -> Failure {
    let hint = "it may say: name = \"ann\" and room = \"dev\"";
    Failure::new(CannotUse { path: path.to_path_buf(), why }, Some(hint.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_what_the_user_wants_each_time() {
        let settings: Settings = toml::from_str("# mine\nname = \"ann\"\nroom = \"dev\"\n").unwrap();
        assert_eq!(settings.name.map(|name| name.to_string()).as_deref(), Some("ann"));
        assert_eq!(settings.room.map(|room| room.to_string()).as_deref(), Some("dev"));
        assert_eq!(toml::from_str::<Settings>("").unwrap(), Settings::default());
        for (bad, why) in [("nam = \"ann\"", "unknown field `nam`"), ("name = \"a b\"", "a name has letters")]
        {
            let error = toml::from_str::<Settings>(bad).unwrap_err();
            assert!(error.message().contains(why), "{error}");
        }
    }
}
