//! The flags.

use std::num::NonZeroU32;

use chat_core::RoomConfig;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand, ValueEnum};

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
#[command(name = "chat", version, styles = STYLES, max_term_width = 100)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Tell on stderr what happens to connections
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Open a room
    Server(ServerArgs),
    /// Join a room
    Client(ClientArgs),
}

/// Carries the room over a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TransportKind {
    /// A connection per member
    Tcp,
}

/// Open a room.
///
/// Prints who comes and goes and what is said. Ctrl-C or SIGTERM closes the room: everyone gets what was
/// said, and a goodbye.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  chat server tcp\n  chat server tcp --bind 0.0.0.0:5555    # for the whole network\n  chat server tcp --bind '[::]:5555'     # IPv6 and IPv4")]
pub(crate) struct ServerArgs {
    /// What members may come over
    #[arg(required = true, value_name = "TRANSPORT")]
    pub(crate) transports: Vec<TransportKind>,
    /// Address to listen on; port 0 takes any free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:5555")]
    pub(crate) bind: Address,
    /// I/O threads [default: the machine's cores, at most 4]
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
    /// Tell plain members (netcat, telnet) who joins and leaves
    #[arg(long)]
    pub(crate) announce: bool,
}

impl ServerArgs {
    pub(crate) fn room(&self) -> RoomConfig {
        RoomConfig {
            log_bytes_max: usize::from(self.log) * 1024 * 1024,
            members_max: self.max_members,
            members_per_address_max: self.max_per_ip,
            rate: NonZeroU32::new(self.rate).map(|per_second| {
                chat_core::Rate { burst: per_second.saturating_mul(TEN), per_second }
            }),
            history_max: self.history,
            ..RoomConfig::default()
        }
    }
}

const TEN: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Join a room.
///
/// In a pipe it is a filter: one line in is one message, one message is one line out. At the end of input it
/// waits until the server has taken every line, then ends with exit code 0.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  chat client tcp\n  chat client tcp chat.example.org:5555\n  uptime | chat client tcp               # say one line and leave\n  chat client tcp --stay < /dev/null     # only listen")]
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
}
