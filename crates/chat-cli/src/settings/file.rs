//! The configuration file: its keys become flags.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind as Wrong};
use clap::{Arg, CommandFactory};
use toml::{Spanned, Value};

use super::{NO_SETTINGS, SERVER, arguments as settings, is_switch, key};
use crate::args::Args;

/// The largest file that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A file that cannot be used.
#[derive(Debug)]
pub(crate) struct Refused {
    path: PathBuf,
    /// What is wrong with it.
    why: Vec<String>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot use the configuration {}: {}", self.path.display(), self.why.join("; "))
    }
}

impl std::error::Error for Refused {}

/// The flags for what the file says, except those for keys that are `given` already.
pub(super) fn arguments(path: &Path, given: &[String]) -> Result<Vec<OsString>, Refused> {
    let refused = |why: Vec<String>| Refused { path: path.to_path_buf(), why };
    let text = read_text(path).map_err(|error| refused(vec![error.to_string()]))?;
    read(&text, given).map_err(refused)
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

/// The flags for a configuration, or all that is wrong with it.
pub(super) fn read(text: &str, given: &[String]) -> Result<Vec<OsString>, Vec<String>> {
    let table: BTreeMap<String, Spanned<Value>> =
        toml::from_str(text).map_err(|error| vec![error.to_string().trim_end().to_owned()])?;
    let settings = settings();
    let (mut flags, mut wrong) = (Vec::new(), Vec::new());
    // In the order of the file.
    let mut table: Vec<_> = table.into_iter().collect();
    table.sort_by_key(|(_, value)| value.span().start);
    for (name, value) in table {
        let line = 1 + text[..value.span().start].matches('\n').count();
        let setting = settings.iter().find(|setting| key(setting) == name);
        let read = match setting {
            Some(setting) => words(setting, value.get_ref()).and_then(|words| check(setting, words)),
            None => Err(unknown(&name)),
        };
        match read {
            Ok(words) if !given.contains(&name) => flags.extend(words),
            Ok(_) => {}
            Err(why) => wrong.push(format!("line {line}: {why}")),
        }
    }
    if wrong.is_empty() { Ok(flags) } else { Err(wrong) }
}

/// The flags for a value.
fn words(setting: &Arg, value: &Value) -> Result<Vec<OsString>, String> {
    let name = key(setting);
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        _ => Err(format!("'--{name}' takes a string or a whole number")),
    };
    let values = match value {
        Value::Boolean(is_on) if is_switch(setting) => {
            return Ok(if *is_on { vec![format!("--{name}").into()] } else { Vec::new() });
        }
        _ if is_switch(setting) => return Err(format!("'--{name}' is true or false")),
        Value::Array(several) => several.iter().map(one).collect::<Result<_, _>>()?,
        value => vec![one(value)?],
    };
    let word = |value: String| match setting.get_long() {
        Some(long) => format!("--{long}={value}").into(),
        None => value.into(),
    };
    Ok(values.into_iter().map(word).collect())
}

/// Has the definition of the flag check its words. What is missing besides is in other lines.
fn check(setting: &Arg, words: Vec<OsString>) -> Result<Vec<OsString>, String> {
    let line = ["chat", SERVER].map(OsString::from).into_iter().chain(words.iter().cloned());
    match Args::command().try_get_matches_from(line) {
        Err(error) if !matches!(error.kind(), Wrong::MissingRequiredArgument) => {
            let why = in_one_line(&error);
            let name = key(setting);
            Err(if why.contains(&name) { why } else { format!("'--{name}': {why}") })
        }
        _ => Ok(words),
    }
}

fn unknown(name: &str) -> String {
    if NO_SETTINGS.contains(&name) {
        return format!("'{name}' is for the command line only");
    }
    // Whoever knows the flags knows which one is meant.
    let result = Args::command().try_get_matches_from(["chat", SERVER, "tcp", &format!("--{name}")]);
    let suggested = result.err().and_then(|error| match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(flag)) => Some(flag.trim_start_matches('-').to_owned()),
        _ => None,
    });
    match suggested {
        Some(flag) => format!("there is no setting '{name}'; did you mean '{flag}'?"),
        None => format!("there is no setting '{name}'; `chat server --print-config` lists them"),
    }
}

/// What is wrong, without the advice for a command line.
pub(super) fn in_one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(text: &str) -> Vec<String> {
        let flags = read(text, &[]).expect(text);
        flags.into_iter().map(|flag| flag.into_string().expect("text")).collect()
    }

    #[test]
    fn keys_become_flags() {
        let text = "transport = [\"tcp\", \"udp\"]\nrate = 7\nannounce = true\nlimit-loopback = false\n\
            room = [\"lobby\", \"dev\"]\ntls = [\"a.pem\", \"b.pem\"]\nslow = \"5s\"\n";
        let expected = [
            "tcp",
            "udp",
            "--rate=7",
            "--announce",
            "--room=lobby",
            "--room=dev",
            "--tls=a.pem",
            "--tls=b.pem",
            "--slow=5s",
        ];
        assert_eq!(flags(text), expected);
        assert!(flags("# nothing\n").is_empty());
    }

    #[test]
    fn what_was_typed_wins() {
        let flags = read("rate = 7\nannounce = true\n", &["rate".to_owned()]).expect("valid");
        assert_eq!(flags, ["--announce"]);
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_line() {
        let wrong = read("rat = 7\n\nrate = \"fast\"\nannounce = 1\nbind = [\"::1:5555\"]\nxyz = 1\n", &[]);
        let wrong = wrong.expect_err("five errors");
        assert_eq!(wrong.len(), 5, "{wrong:#?}");
        assert_eq!(wrong[0], "line 1: there is no setting 'rat'; did you mean 'rate'?");
        assert!(
            wrong[1].starts_with("line 3: invalid value 'fast' for '--rate <N>': expected"),
            "{}",
            wrong[1]
        );
        assert_eq!(wrong[2], "line 4: '--announce' is true or false");
        assert!(wrong[3].contains("line 5") && wrong[3].contains("[::1]:5555"), "{}", wrong[3]);
        assert!(wrong[4].contains("--print-config"), "{}", wrong[4]);
        let wrong = read("rate = 1.5\ncheck = true\n", &[]).expect_err("two errors");
        assert_eq!(wrong[0], "line 1: '--rate' takes a string or a whole number");
        assert_eq!(wrong[1], "line 2: 'check' is for the command line only");
        assert!(read("rate = ", &[]).expect_err("no TOML")[0].contains("line 1"));
    }

    #[test]
    fn a_flag_that_needs_another_one_may_stand_in_any_order() {
        assert_eq!(flags("keep = \"30d\"\nhistory = \"chat.db\"\n"), ["--keep=30d", "--history=chat.db"]);
    }
}
