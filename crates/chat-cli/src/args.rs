//! The flags, and the help that teaches them.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;

use chat_core::RoomConfig;
use chat_proto::Network;
use chat_udp::{PlainPolicy, UdpConfig};
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::address::Address;

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
#[command(name = "chat", version, styles = STYLES, max_term_width = 100, after_help = "\
Examples:
  chat server tcp                          # in one terminal: a room on this machine
  chat client tcp                          # in others: join it and talk
  nc 127.0.0.1 5555                        # or without this program
  echo 'build done' | chat client tcp      # from a script
  chat help client                         # more about joining a room")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Tell on stderr what happens to connections
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Server(ServerArgs),
    Client(ClientArgs),
    #[cfg(unix)]
    Admin(AdminArgs),
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
}

impl fmt::Display for TransportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// From where plain datagrams are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlainUdp {
    /// From nowhere
    Off,
    /// From this machine, and networks of --udp-trust
    Loopback,
    /// From anywhere; a peer from elsewhere must first repeat a number that is sent to its address
    Ask,
    /// From anywhere, without a number: only where no forged addresses can come in
    Any,
}

impl From<PlainUdp> for PlainPolicy {
    fn from(plain: PlainUdp) -> Self {
        match plain {
            PlainUdp::Off => Self::Off,
            PlainUdp::Loopback => Self::Loopback,
            PlainUdp::Ask => Self::Ask,
            PlainUdp::Any => Self::Any,
        }
    }
}

/// How diagnostics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

/// Open a room.
///
/// Prints who comes and goes and what is said. Ctrl-C or SIGTERM closes the room: everyone gets what was
/// said, and a goodbye. On a terminal, what you type is said to everyone as `[*] text`; `/help` lists the
/// commands.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  chat server tcp
  chat server tcp udp                      # one room, one port number, both transports
  chat server tcp --bind 0.0.0.0:5555      # for the whole network
  chat server tcp --bind '[::]:5555'       # IPv6 and IPv4
  chat server tcp --log-file chat.log &    # in the background")]
pub(crate) struct ServerArgs {
    /// What members may come over
    #[arg(required = true, value_name = "TRANSPORT")]
    pub(crate) transports: Vec<TransportKind>,
    /// Address to listen on; port 0 takes any free one. May be given several times
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5555")]
    pub(crate) bind: Vec<Address>,
    /// I/O threads for TCP, shared out among the addresses [default: the machine's cores, at most 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) threads: Option<u16>,
    /// Members at once
    #[arg(long, value_name = "N", default_value_t = RoomConfig::default().members_max)]
    pub(crate) max_members: usize,
    /// Members at once from one IPv4 address or IPv6 /64 network; loopback is exempt
    #[arg(long, value_name = "N", default_value_t = RoomConfig::default().members_per_address_max)]
    pub(crate) max_per_ip: usize,
    /// Messages per second that a member may say after a burst of ten times as many; 0 lifts the limit; loopback is exempt
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) rate: u32,
    /// Messages of history for a member that asks for it
    #[arg(long, value_name = "N", default_value_t = RoomConfig::default().history_max)]
    pub(crate) history: u16,
    /// MiB of messages that a slow member may lag behind before he misses some
    #[arg(long, value_name = "MIB", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) log: u16,
    /// From where plain datagrams are taken (`nc -u`), whose source address could be forged
    #[arg(long, value_name = "WHERE", value_enum, default_value_t = PlainUdp::Ask)]
    pub(crate) udp_plain: PlainUdp,
    /// Network that lets no forged source address through: its plain datagrams need no number, such as
    /// 10.0.0.0/8. May be given several times
    #[arg(long, value_name = "NETWORK")]
    pub(crate) udp_trust: Vec<Network>,
    /// Tell plain members (netcat, telnet) who joins and leaves
    #[arg(long)]
    pub(crate) announce: bool,
    /// Where the control socket for `chat admin` is [default: chat-PORT.sock in `XDG_RUNTIME_DIR`, if there is one]
    #[cfg(unix)]
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Write the conversation to a file too, with date and time; SIGHUP opens it again
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
    /// Begin each line on stdout with date and time, where it is no terminal
    #[arg(long, conflicts_with = "no_timestamps")]
    pub(crate) timestamps: bool,
    /// How stderr tells what happens to the server; -v tells more
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    #[command(flatten)]
    pub(crate) look: LookArgs,
}

impl ServerArgs {
    pub(crate) fn udp(&self) -> UdpConfig {
        let config = UdpConfig::default().with_plain(self.udp_plain.into()).with_announce(self.announce);
        self.udp_trust.iter().fold(config, |config, &network| config.with_trusted(network))
    }

    pub(crate) fn room(&self) -> RoomConfig {
        RoomConfig::default()
            .with_log_bytes_max(usize::from(self.log) * 1024 * 1024)
            .with_members_max(self.max_members)
            .with_members_per_address_max(self.max_per_ip)
            .with_rate(
                NonZeroU32::new(self.rate)
                    .map(|per_second| chat_core::Rate { burst: per_second.saturating_mul(TEN), per_second }),
            )
            .with_history_max(self.history)
    }
}

const TEN: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Join a room.
///
/// On a terminal, type lines to say them; `/help` lists commands and keys. Lines stay in the terminal's own
/// scrollback. A lost connection is taken up again where it broke.
///
/// In a pipe it is a filter: one line in is one message, one message is one line out. At the end of input it
/// waits until the server has taken every line, then ends with exit code 0.
#[derive(Debug, Parser)]
#[command(
    after_help = "\
Examples:
  chat client tcp
  chat client tcp chat.example.org:5555 --mention ann --bell mentions
  uptime | chat client tcp                 # say one line and leave
  chat client tcp --stay < /dev/null       # only listen
  chat client tcp old.example.org:23 --plain

Exit codes: 0 everything was said; 1 refused, lost, ended by the server, or something was not said or
not confirmed (stderr tells); 2 wrong usage; 128 + N ended by signal N.",
    after_long_help = "\
Examples:
  chat client tcp
  chat client tcp chat.example.org:5555 --mention ann --bell mentions
  uptime | chat client tcp                 # say one line and leave
  chat client tcp --stay < /dev/null       # only listen
  chat client tcp old.example.org:23 --plain
  chat client tcp --json --stay < /dev/null |
    jq -r 'select(.type == \"message\") | .text'

Objects of --json, one per line. In:
  {\"type\":\"say\",\"text\":\"hello\"}          several lines become several messages
  {\"type\":\"who\"}                          answered with `present`
Out (more types and fields may come, none will change):
  connected  you, members
  message    seq, time, author, text, own   own: the confirmation of what you said
  joined     seq, time, peer, members
  left       seq, time, peer, reason, members
  presence_summary   seq, time, joined, left, members   in large rooms, instead of the two before
  not_said   seq, time, why                     the host has refused a message of yours
  present    members, peers, more           more: there are others, not listed
  missed     messages                       you were too slow for that many
  lost       error, retry_in_ms             with --reconnect
  unsure     texts                          not known whether the room has them
  line       text                           with --plain, instead of `message`
  refused    line, error                    that line of input was no request
  ended      reason                         the last one
`seq` grows by one with each message; `time` is RFC 3339 in UTC; authors and peers are ip:port, the
room itself is `*`.

Exit codes: 0 everything was said; 1 refused, lost, ended by the server, or something was not said or
not confirmed (stderr tells); 2 wrong usage; 128 + N ended by signal N."
)]
pub(crate) struct ClientArgs {
    /// What the server is reached over
    #[arg(value_name = "TRANSPORT")]
    pub(crate) transport: TransportKind,
    /// Where the server is
    #[arg(value_name = "HOST:PORT", default_value = "127.0.0.1:5555")]
    pub(crate) address: Address,
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
    /// Messages of the past to begin with, if the server gives so many [default: 100 on a terminal, else 0]
    #[arg(long, value_name = "N")]
    pub(crate) history: Option<u16>,
    /// Highlight this word, such as your name; your address always is. May be given several times
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

/// Look after a running server.
///
/// Has a server on this machine do a command of its console, such as `who`, `kick` or `say`; `help` lists
/// them. Without a command it is the console itself, or does each line of a pipe. Ctrl-D leaves; the server goes on.
#[cfg(unix)]
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  chat admin                               # the console of your only server
  chat admin who
  chat admin kick 192.0.2.7:50312 no spam please
  chat admin say 'The server restarts at five'
  chat admin --socket /run/chat/control stats

Exit codes: 0 done; 1 refused, or no server (the reason is on stderr); 2 wrong usage.")]
pub(crate) struct AdminArgs {
    /// The server's control socket [default: that of your only server]
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// A command of the console, with or without its slash
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
    #[command(flatten)]
    pub(crate) look: LookArgs,
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

/// Print the manual page.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  chat man | man -l -
  chat man client > /usr/local/share/man/man1/chat-client.1")]
pub(crate) struct ManArgs {
    /// The command that the page is about, such as client [default: chat itself]
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Option<String>,
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
