//! `chat history`, and the flags of the server that are about the same file.

use std::path::PathBuf;
use std::time::Duration;

use chat_store::{StoreConfig, Sync};
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::number::number;

/// Print what was said, from the history of a server.
///
/// Reads the file of `chat server --history FILE`, even while the server runs.
#[derive(Debug, Parser)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  chat history chat.db
  chat history chat.db --since 2d --search deploy
  chat history chat.db --author ann --json
  chat history import chat.db old.log      # lines such as [ann] hello
  chat history redact chat.db --author ann

`sqlite3 chat.db 'SELECT * FROM history'` shows the same."
)]
pub(crate) struct HistoryArgs {
    /// The file
    #[arg(value_name = "FILE", required = true)]
    pub(crate) file: Option<PathBuf>,
    /// Only of this room; '' is the one without a name
    #[arg(long, value_name = "ROOM")]
    pub(crate) room: Option<String>,
    /// Only what was said in this time, such as 90m, 12h or 2d
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<Duration>,
    /// Only what this author said
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// Only what has all of these words in it
    #[arg(long, value_name = "WORDS")]
    pub(crate) search: Option<String>,
    /// Write one JSON object per message: type, room, seq, time, author, text
    #[arg(long)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Option<HistoryCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HistoryCommand {
    Import(ImportArgs),
    Redact(RedactArgs),
}

/// Add the lines of a log to a history, while no server has it.
///
/// Each line is `[author] text`, as a server prints it; any other line counts as the room's. A line that begins with a time
/// keeps it, but is never earlier than the newest message in the file. A line without a time gets the present time.
#[derive(Debug, Parser)]
pub(crate) struct ImportArgs {
    /// The history; it is made if there is none
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The log
    #[arg(value_name = "LOG")]
    pub(crate) log: PathBuf,
    /// The room they are said in [default: the one without a name]
    #[arg(long, value_name = "ROOM", default_value = "", hide_default_value = true)]
    pub(crate) room: String,
}

/// Replace messages by `(removed)`, while no server has the history.
///
/// Nothing of the old texts stays in the file. The messages keep their numbers.
#[derive(Debug, Parser)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["author", "seq"]))]
pub(crate) struct RedactArgs {
    /// The history
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Only in this room; '' is the one without a name
    #[arg(long, value_name = "ROOM")]
    pub(crate) room: Option<String>,
    /// What this author said
    #[arg(long, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// The message of this number (`seq` of --json). May be given several times
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = number(1_u64..=u64::MAX / 2, "the number of a message"))]
    pub(crate) seq: Vec<u64>,
}

/// How a server keeps its history.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeepArgs {
    /// Keep what is said in this file, and go on where it ends; `chat history` reads it. With --nats it is a copy of what the
    /// servers share
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
    /// Delete older messages from it, such as 30d or 12h
    #[arg(long, value_name = "TIME", value_parser = time, requires = "history")]
    pub(crate) keep: Option<Duration>,
    /// Keep only this many messages of each room in it
    #[arg(long, value_name = "N", allow_negative_numbers = true, requires = "history",
        value_parser = number(1_u64..=u64::MAX / 2, "a number of messages"))]
    pub(crate) keep_messages: Option<u64>,
    /// What a confirmed message survives
    #[arg(long, value_name = "HOW", value_enum, default_value_t = SyncArg::Os, requires = "history")]
    pub(crate) history_sync: SyncArg,
}

impl KeepArgs {
    pub(crate) fn store(&self) -> StoreConfig {
        let sync = match self.history_sync {
            SyncArg::Os => Sync::Os,
            SyncArg::Disk => Sync::Disk,
        };
        StoreConfig::default().with_sync(sync).with_keep(self.keep).with_keep_messages(self.keep_messages)
    }
}

/// What a confirmed message survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SyncArg {
    /// The end of the server, however it ends
    Os,
    /// Loss of power, too; slower
    Disk,
}

/// Reads a time such as `30d` or `1h30m`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    const DAY_S: u64 = 24 * 60 * 60;
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u64>().ok()?.checked_mul(DAY_S));
    let time = days.map(Duration::from_secs).or_else(|| {
        let time = text.parse::<jiff::SignedDuration>().ok()?;
        Duration::try_from(time).ok()
    });
    time.filter(|time| time.as_secs() >= 1)
        .ok_or_else(|| "expected a time such as 30d, 12h or 90m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_write_them() {
        assert_eq!(time("2d"), Ok(Duration::from_secs(172_800)));
        assert_eq!(time("90m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(time("1h30m"), Ok(Duration::from_secs(5_400)));
        for wrong in ["", "0d", "-1h", "2 weeks ago", "99999999999999999999d"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
