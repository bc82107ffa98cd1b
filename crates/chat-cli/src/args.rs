//! The flags, and the help that teaches them.

#[cfg(unix)]
mod admin;
mod cluster;
mod doctor;
mod history;
mod number;
mod server;

use std::fmt;

use chat_proto::Name;
use chat_tls::Fingerprint;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

#[cfg(unix)]
pub(crate) use self::admin::AdminArgs;
pub(crate) use self::cluster::ClusterArgs;
pub(crate) use self::doctor::DoctorArgs;
pub(crate) use self::history::{HistoryArgs, HistoryCommand, ImportArgs, KeepArgs, RedactArgs};
#[cfg(unix)]
pub(crate) use self::server::DEFAULT_ADDRESS;
pub(crate) use self::server::{LogFormat, NamesArg, PlainUdp, ServerArgs};
use crate::address::{Addresses, Target};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// A chat room in one command.
///
/// Start a room with `chat server tcp`, join it with `chat client tcp`, `nc 127.0.0.1 5555` or `telnet
/// 127.0.0.1 5555`. What anyone says, everyone else sees as `[ip:port] text`.
#[derive(Debug, Parser)]
#[command(name = "chat", version, styles = STYLES, max_term_width = 80, after_help = "\
Examples:
  chat server tcp                          # in one terminal: open a room
  chat client tcp                          # in others: join it and talk
  nc 127.0.0.1 5555                        # or without this program
  echo 'build done' | chat client tcp      # from a script
  chat help client                         # more about joining a room")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Tell on stderr what happens to connections
    #[arg(short, long, global = true, display_order = 998)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Server(Box<ServerArgs>),
    Client(ClientArgs),
    #[cfg(unix)]
    Admin(AdminArgs),
    History(HistoryArgs),
    Doctor(DoctorArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Carries the room over a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum TransportKind {
    /// A connection per member
    Tcp,
    /// Datagrams
    Udp,
    /// A socket file of this machine; the system tells who is at its other end
    #[cfg(unix)]
    Unix,
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            #[cfg(unix)]
            Self::Unix => "unix",
        })
    }
}

/// Join a room.
///
/// On a terminal, type lines to say them; `/help` lists commands and keys. Lines stay in the terminal's own
/// scrollback. A lost connection is taken up again where it broke.
///
/// In a pipe it is a filter: one line in is one message (or a command, if it begins with `/`), one message is one line out. At the end of input it
/// waits until the server has taken every line, then ends with exit code 0.
#[derive(Debug, Parser)]
#[command(
    after_help = "\
Examples:
  chat client tcp
  chat client tcp chat.example.org:5555 --name ann --room dev --bell mentions
  uptime | chat client tcp                 # say one line and leave
  chat client tcp --stay < /dev/null       # only listen
  chat client tcp chat.example.org --tls
  chat client tcp old.example.org:23 --plain

Exit codes: 0 everything was said; 1 refused, lost, ended by the server, or
something was not said or not confirmed (stderr says which); 2 wrong usage;
128 + N ended by signal N.",
    after_long_help = "\
Examples:
  chat client tcp
  chat client tcp chat.example.org:5555 --name ann --room dev --bell mentions
  uptime | chat client tcp                 # say one line and leave
  chat client tcp --stay < /dev/null       # only listen
  chat client tcp chat.example.org --tls
  chat client tcp old.example.org:23 --plain
  chat client tcp --json --stay < /dev/null |
    jq -r 'select(.type == \"message\") | .text'

Objects of --json, one per line. In:
  {\"type\":\"say\",\"text\":\"hello\"}          several lines: several messages
  {\"type\":\"command\",\"text\":\"/nick ann\"}   answered with notices, then `done`
  {\"type\":\"who\"}                          answered with `present`
  {\"type\":\"history\"}                      answered with `history`: the newest
      messages, at most 50. May have before (a seq: only older ones), messages
      (how many), author, words
Out (more types and fields may come, none will change):
  connected     you, members, room, topic   room: if the server has several
  message       seq, time, member, author, text, own   own: what you said
  joined        seq, time, peer, members
  left          seq, time, peer, reason, members
  presence_summary   seq, time, joined, left, members   for both, in large rooms
  renamed       seq, time, member, from, to
  topic         seq, time, author, text
  not_said      text, why                   a message of yours was refused
  private       member, author, text        for you alone
  notice        text                        from the room, for you alone
  undelivered   to, why                     your private message did not arrive
  done                                      a command of yours is dealt with
  sent          to, text                    your private message is on its way
  ignoring      member, is_ignored          hide what it says
  present       members, peers, more        more: there are others, not listed
  history       messages, more, why         of each: seq, time, member, author,
                                            text
  missed        messages                    you were too slow for that many
  lost          error, retry_in_ms          with --reconnect
  unsure        texts                       unknown whether the room has them
  line          text                        with --plain, instead of `message`
  refused       line, error                 that line of input was no request
  ended         reason                      the last one
`seq` grows by one with each message; `time` is RFC 3339 in UTC; `member` tells
who it is, whatever is shown; authors and peers are names or ip:port, the room
itself is `*`.

Exit codes: 0 everything was said; 1 refused, lost, ended by the server, or
something was not said or not confirmed (stderr says which); 2 wrong usage;
128 + N ended by signal N."
)]
pub(crate) struct ClientArgs {
    /// What the server is reached over
    #[arg(value_name = "TRANSPORT")]
    pub(crate) transport: TransportKind,
    /// Where the server is. Several servers that share their rooms are tried in turn: a:5555,b:5555. For `unix` a file, with a `/`
    /// in it
    #[arg(value_name = "HOST:PORT", default_value = "127.0.0.1:5555")]
    pub(crate) address: Target<Addresses>,
    /// Speak TLS, with a server whose certificate the system vouches for, or that is known from before
    #[arg(long)]
    pub(crate) tls: bool,
    /// Speak TLS with the server that has the certificate with this fingerprint, as the server prints it
    #[arg(long, value_name = "SHA256", conflicts_with = "tls_first_use")]
    pub(crate) tls_fingerprint: Option<Fingerprint>,
    /// Speak TLS, and trust a server that nobody vouches for when it is seen for the first time; it is known then
    #[arg(long)]
    pub(crate) tls_first_use: bool,
    /// Send and expect plain text lines, for a server that is not ours
    #[arg(long)]
    pub(crate) plain: bool,
    /// Go on listening after the end of input
    #[arg(long)]
    pub(crate) stay: bool,
    /// Read and write one JSON object per line, on a terminal too (`--help` lists them)
    #[arg(long)]
    pub(crate) json: bool,
    /// Connect again when the connection is lost, and go on where it broke; also wait for a server that is not
    /// there yet. On a terminal the first is the default
    #[arg(long)]
    pub(crate) reconnect: bool,
    /// The name to be shown by, if the room has it to give [default: that of `chat/client.toml` in the directory for
    /// configurations]
    #[arg(long, value_name = "NAME", conflicts_with = "plain")]
    pub(crate) name: Option<Name>,
    /// The room to join [default: that of `chat/client.toml`, or the server's first one]
    #[arg(long, value_name = "ROOM", conflicts_with = "plain")]
    pub(crate) room: Option<Name>,
    /// Messages of the past to begin with, if the server gives this many [default: 100 on a terminal, else 0]
    #[arg(long, value_name = "N", conflicts_with = "plain", allow_negative_numbers = true, value_parser = number::number(0_u16..=u16::MAX, "a number of messages"))]
    pub(crate) history: Option<u16>,
    /// Highlight this word; how you are shown always is. May be given several times
    #[arg(long, value_name = "WORD")]
    pub(crate) mention: Vec<String>,
    /// When the terminal's bell rings
    #[arg(long, value_name = "WHEN", default_value = "never")]
    pub(crate) bell: Bell,
    #[command(flatten)]
    pub(crate) look: LookArgs,
}

/// When the terminal's bell rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bell {
    /// Never
    Never,
    /// When somebody mentions your address or a word of --mention
    Mentions,
    /// At everything that others say
    All,
}

/// How things look on a terminal.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct LookArgs {
    /// Whether a terminal gets colours; `auto` heeds the variable `NO_COLOR`
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
    /// Leave out the time stamps that a terminal gets
    #[arg(long)]
    pub(crate) no_timestamps: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// Unless the variable `NO_COLOR` is set
    Auto,
    /// Even if it is set
    Always,
    /// Only bold and faint
    Never,
}

impl LookArgs {
    /// Whether a terminal gets colours.
    pub(crate) fn colour(self) -> bool {
        match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }
}

/// Print completions for a shell.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  source <(chat completions bash)          # for this shell
  chat completions bash > ~/.local/share/bash-completion/completions/chat
  chat completions zsh > \"${fpath[1]}/_chat\"
  chat completions fish > ~/.config/fish/completions/chat.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// What there is a manual page about.
const COMMANDS: [&str; if cfg!(unix) { 7 } else { 6 }] = [
    "server",
    "client",
    #[cfg(unix)]
    "admin",
    "history",
    "doctor",
    "completions",
    "man",
];

/// Print the manual page.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  chat man | man -l -
  chat man client > /usr/local/share/man/man1/chat-client.1
  chat man history import | man -l -")]
pub(crate) struct ManArgs {
    /// The command that the page is about [default: chat itself]
    #[arg(value_name = "COMMAND", value_parser = COMMANDS)]
    pub(crate) command: Option<String>,

    /// The command of that command, such as `import` of history
    #[arg(value_name = "SUBCOMMAND")]
    pub(crate) subcommand: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_may_have_its_manual_page() {
        let command = Args::command();
        assert!(command.get_subcommands().map(clap::Command::get_name).eq(COMMANDS));
    }

    #[test]
    fn the_help_fits_into_80_columns() {
        let mut chat = Args::command();
        chat.build();
        for mut command in chat.get_subcommands().cloned().chain([chat.clone()]) {
            let help = format!("{}{}", command.render_help(), command.render_long_help());
            // A line that is too long is wrapped, and looks as if the next one began a paragraph.
            let ours = [command.get_after_help(), command.get_after_long_help()].into_iter().flatten();
            let all = ours.map(ToString::to_string).chain([help]).collect::<Vec<_>>().join("\n");
            let wide: Vec<&str> = all.lines().filter(|line| line.chars().count() > 80).collect();
            assert!(wide.is_empty(), "{wide:#?}");
        }
    }

    #[test]
    fn the_examples_of_the_help_are_accepted() {
        for mut command in [Args::command()].into_iter().chain(Args::command().get_subcommands().cloned()) {
            let help = command.render_long_help().to_string();
            let lines = help.lines().filter_map(|line| {
                line.split(['#', '<', '>', '&', '|'])
                    .find(|part| part.trim().starts_with("chat ") && line.starts_with("  "))
            });
            for line in lines {
                let words: Vec<&str> = line.split_whitespace().map(|word| word.trim_matches('\'')).collect();
                let result = Args::try_parse_from(&words);
                let is_help = result.as_ref().is_err_and(|error| error.exit_code() == 0);
                assert!(result.is_ok() || is_help, "{line}: {result:?}");
            }
        }
    }
}
