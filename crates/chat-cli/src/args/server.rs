//! `chat server`.

use std::num::NonZeroU32;
#[cfg(unix)]
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chat_core::access::{BanList, OperatorPassword};
use chat_core::journal::Journals;
use chat_core::limits::ROOMS_MAX;
use chat_core::{Name, NamePolicy, Room, RoomConfig, RoomError, Rooms, RoomsConfig};
use chat_proto::{Network, Text};
use chat_tcp::chat_stream::Web;
use chat_udp::{PlainPolicy, UdpConfig};
use clap::{Parser, ValueEnum};

use super::number::number;
use super::{ClusterArgs, KeepArgs, LookArgs, TransportKind};
use crate::address::{Address, Target};

/// Open a room, or several.
///
/// Prints who comes and goes and what is said; with several rooms, each line begins with the name of its room. Ctrl-C or SIGTERM closes the room: everyone gets what was
/// said, and a goodbye. On a terminal, what you type is said to everyone as `[*] text`; `/help` lists the
/// commands.
#[derive(Clone, Debug, Parser)]
#[command(after_help = "\
Examples:
  chat server tcp
  chat server tcp udp                      # one room, one port, both transports
  chat server tcp --bind 0.0.0.0:5555      # for the whole network
  chat server tcp --bind '[::]:5555'       # IPv6 and IPv4
  chat server tcp --room lobby --room dev --open-rooms 100
  chat server tcp --tls self-signed        # netcat and TLS on one port
  chat server tcp unix --bind localhost:5555 --bind ./chat.sock
  chat server tcp --web                    # browsers: http://127.0.0.1:5555
  chat server tcp --history chat.db --keep 30d   # goes on after a restart
  chat server tcp --nats nats://n1,nats://n2 --cluster-secret-file secret
  chat server tcp --log-file chat.log &    # in the background
  chat server --config chat.toml           # flags of this help are its keys
  chat server tcp --rate 10 --print-config > chat.toml

Exit codes: 0 the room was closed in order; 1 it cannot be opened, or this
machine does not have what the flags name (an address, a file, a user); 2 wrong
usage: flags that are wrong everywhere.")]
pub(crate) struct ServerArgs {
    /// What members may come over
    #[arg(required_unless_present_any = ["config", "print_config"], value_name = "TRANSPORT")]
    pub(crate) transports: Vec<TransportKind>,
    /// Read settings from this file (TOML), whose keys are the flags of this help without their dashes, and `transport`; flags win.
    /// SIGHUP and `/reload` read it again
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print all settings as such a file, and end
    #[arg(long)]
    pub(crate) print_config: bool,
    /// Tell what is wrong with the settings and the files that they name, and end: with 1 if anything is
    #[arg(long)]
    pub(crate) check: bool,
    /// Address to listen on; port 0 takes any free one. For `unix` a file, with a `/` in it. May be given several times
    #[arg(long, help_heading = "Addresses", value_name = "HOST:PORT", default_value = DEFAULT_ADDRESS)]
    pub(crate) bind: Vec<Target>,
    /// Who may use that file: its permissions as chmod takes them
    #[cfg(unix)]
    #[arg(long, help_heading = "Addresses", value_name = "MODE", default_value = "600", value_parser = mode)]
    pub(crate) mode: u32,
    /// Network of proxies that tell whose connections they forward, with the PROXY protocol (haproxy, nginx). Every
    /// connection from there must begin with it. Loopback is exempt from nothing then. May be given several times
    #[arg(long, help_heading = "Addresses", value_name = "NETWORK")]
    pub(crate) proxy_from: Vec<Network>,
    /// I/O threads for TCP, shared out among the addresses [default: the machine's cores, at most 4]
    #[arg(long, help_heading = "Addresses", value_name = "N", allow_negative_numbers = true, value_parser = number(1_u16..=64, "a number of threads"))]
    pub(crate) threads: Option<u16>,
    /// From where plain datagrams are taken (`nc -u`), whose source address could be forged
    #[arg(long, help_heading = "Addresses", value_name = "WHERE", value_enum, default_value_t = PlainUdp::Ask)]
    pub(crate) udp_plain: PlainUdp,
    /// Network that lets no forged source address through: its plain datagrams need no number, such as
    /// 10.0.0.0/8. May be given several times
    #[arg(long, help_heading = "Addresses", value_name = "NETWORK")]
    pub(crate) udp_trust: Vec<Network>,
    /// Offer TLS on the same TCP port, with a certificate and its key; `self-signed` makes them, new at each start, and
    /// prints the fingerprint. SIGHUP reads the files again
    #[arg(long, help_heading = "TLS and browsers", value_names = ["CERT.PEM", "KEY.PEM"], num_args = 1..=2)]
    pub(crate) tls: Option<Vec<PathBuf>>,
    /// Close TCP connections that do not speak TLS
    #[arg(long, help_heading = "TLS and browsers", requires = "tls")]
    pub(crate) tls_only: bool,
    /// Serve browsers on the same TCP port, too: open the server's address in one
    #[arg(long, help_heading = "TLS and browsers")]
    pub(crate) web: bool,
    /// Origin whose pages may open a WebSocket, too, such as `https://chat.example.org`; its host is a name of this server.
    /// May be given several times
    #[arg(long, help_heading = "TLS and browsers", value_name = "ORIGIN", requires = "web", value_parser = origin)]
    pub(crate) web_origin: Vec<String>,
    /// A room; members begin in the first one, and change with `/join`. May be given several times [default: one room
    /// without a name]
    #[arg(long = "room", help_heading = "Rooms", value_name = "NAME")]
    pub(crate) rooms: Vec<Name>,
    /// The topic of the first room, if it has none
    #[arg(long, help_heading = "Rooms", value_name = "TEXT")]
    pub(crate) topic: Option<Text>,
    /// Further rooms at once that members may open by joining them; a room vanishes with its last member
    #[arg(long, help_heading = "Rooms", value_name = "N", allow_negative_numbers = true, default_value_t = 0,
        value_parser = number(0_usize..=ROOMS_MAX, "a number of rooms"))]
    pub(crate) open_rooms: usize,
    /// Rooms among them that one IPv4 address or IPv6 /64 network may have opened; loopback is exempt
    #[arg(long, help_heading = "Rooms", value_name = "N", allow_negative_numbers = true,
        default_value_t = RoomsConfig::default().open_per_address_max(), requires = "open_rooms",
        value_parser = number(1_usize..=ROOMS_MAX, "a number of rooms"))]
    pub(crate) open_rooms_per_ip: usize,
    /// Whether members have names
    #[arg(long, help_heading = "Rooms", value_name = "WHETHER", value_enum, default_value_t = NamesArg::Optional)]
    pub(crate) names: NamesArg,
    /// Show the addresses of members that have names to operators only
    #[arg(long, help_heading = "Rooms")]
    pub(crate) hide_addresses: bool,
    /// Tell plain members (netcat, telnet) who joins and leaves
    #[arg(long, help_heading = "Rooms")]
    pub(crate) announce: bool,
    /// Members at once
    #[arg(long, help_heading = "Limits", value_name = "N", allow_negative_numbers = true,
        default_value_t = RoomConfig::default().members_max(),
        value_parser = number(1_usize..=1_000_000, "a number of members"))]
    pub(crate) max_members: usize,
    /// Members at once from one IPv4 address or IPv6 /64 network; loopback is exempt
    #[arg(long, help_heading = "Limits", value_name = "N", allow_negative_numbers = true,
        default_value_t = RoomConfig::default().members_per_address_max(),
        value_parser = number(1_usize..=1_000_000, "a number of members"))]
    pub(crate) max_per_ip: usize,
    /// Messages per second that a member may say after a burst of ten times as many; 0 lifts the limit; loopback is exempt
    #[arg(long, help_heading = "Limits", value_name = "N", allow_negative_numbers = true, default_value_t = 50,
        value_parser = number(0_u32..=1_000_000, "messages per second"))]
    pub(crate) rate: u32,
    /// Have --max-per-ip, --open-rooms-per-ip and --rate hold for loopback, too
    #[arg(long, help_heading = "Limits")]
    pub(crate) limit_loopback: bool,
    /// Slow mode: each member may speak once in this time, such as 5s or 2m; operators are exempt
    #[arg(long, help_heading = "Limits", value_name = "TIME", value_parser = pause)]
    pub(crate) slow: Option<Duration>,
    /// MiB of messages that a slow member may lag behind before it misses some
    #[arg(long, help_heading = "Limits", value_name = "MIB", allow_negative_numbers = true, default_value_t = 4,
        value_parser = number(1_u16..=1024, "MiB of messages that are kept in memory (--log-file names a file)"))]
    pub(crate) log: u16,
    /// A member that types `/oper` and the first line of this file becomes an operator
    #[arg(long, help_heading = "Moderation", value_name = "FILE")]
    pub(crate) operator_password_file: Option<PathBuf>,
    /// Keep the bans in this file (TOML) instead of the history; SIGHUP reads it again
    #[arg(long, help_heading = "Moderation", value_name = "FILE")]
    pub(crate) bans: Option<PathBuf>,
    #[command(flatten, next_help_heading = "History")]
    pub(crate) keep: KeepArgs,
    /// Messages of history for a member that asks for it [default: 20; with --history or --nats as many as it asks for]
    #[arg(long, help_heading = "History", value_name = "N", allow_negative_numbers = true,
        value_parser = number(0_u16..=u16::MAX, "a number of messages"))]
    pub(crate) history_max: Option<u16>,
    #[command(flatten, next_help_heading = "Several servers")]
    pub(crate) cluster: Box<ClusterArgs>,
    /// Where the control socket for `chat admin` is [default: chat-PORT.sock in `XDG_RUNTIME_DIR`, if there is one]
    #[cfg(unix)]
    #[arg(long, help_heading = "Service", value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Serve /metrics (Prometheus) and /healthz over HTTP at this address, without a password; a port alone is one of
    /// loopback
    #[arg(long, help_heading = "Service", value_name = "HOST:PORT", value_parser = loopback)]
    pub(crate) admin: Option<Address>,
    /// Take over the addresses of the running server that has this control socket, which then ends. With --history nothing is lost, and
    /// members go on where they were
    #[cfg(unix)]
    #[arg(long, help_heading = "Service")]
    pub(crate) take_over: bool,
    /// Become this user once all addresses are open, if started as root
    #[cfg(unix)]
    #[arg(long, help_heading = "Service", value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Write the conversation to a file too, with date and time; SIGHUP opens it again
    #[arg(long, help_heading = "Output", value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
    /// How stderr tells what happens to the server; -v tells more
    #[arg(long, help_heading = "Output", value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Begin each line on stdout with date and time, where it is not a terminal
    #[arg(long, help_heading = "Output", conflicts_with = "no_timestamps")]
    pub(crate) timestamps: bool,
    #[command(flatten, next_help_heading = "Output")]
    pub(crate) look: LookArgs,
}

/// What is listened on if nothing else is asked for.
pub(crate) const DEFAULT_ADDRESS: &str = "127.0.0.1:5555";

impl ServerArgs {
    /// The addresses to listen on.
    pub(crate) fn addresses(&self) -> Vec<Address> {
        let addresses: Vec<Address> = self.bind.iter().filter_map(Target::address).cloned().collect();
        match addresses.is_empty() {
            true => DEFAULT_ADDRESS.parse().into_iter().collect(),
            false => addresses,
        }
    }

    /// The files to listen at.
    #[cfg(unix)]
    pub(crate) fn files(&self) -> Vec<&Path> {
        self.bind.iter().filter_map(Target::file).collect()
    }

    /// What browsers are served, if they are.
    pub(crate) fn web(&self) -> Option<Web> {
        let hosts = self.bind.iter().filter_map(Target::address).map(|address| address.host().to_owned());
        let origins = self.web_origin.iter().filter_map(|origin| {
            let (_, authority) = origin.trim_end_matches('/').split_once("://")?;
            Some(authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_owned())
        });
        let web = hosts.chain(origins).fold(Web::new(), Web::with_name);
        let web = self.web_origin.iter().fold(web, Web::with_origin);
        self.web.then_some(web)
    }

    pub(crate) fn udp(&self) -> UdpConfig {
        let config = UdpConfig::default().with_plain(self.udp_plain.into()).with_announce(self.announce);
        self.udp_trust.iter().fold(config, |config, &network| config.with_trusted(network))
    }

    /// The rooms that are asked for.
    pub(crate) fn rooms(
        &self,
        password: Option<OperatorPassword>,
        bans: BanList,
        journals: Option<Arc<dyn Journals>>,
    ) -> Result<Rooms, RoomError> {
        let config = self.room(password, bans);
        if self.rooms.is_empty() && self.open_rooms == 0 {
            return Ok(match journals {
                Some(journals) => Room::restore(config, &*journals)?.into(),
                None => Room::new(config).into(),
            });
        }
        let rooms = RoomsConfig::default()
            .with_room_config(config)
            .with_open_max(self.open_rooms)
            .with_open_per_address_max(self.open_rooms_per_ip);
        let rooms = self.rooms.iter().cloned().fold(rooms, RoomsConfig::with_room);
        match journals {
            Some(journals) => Rooms::restore(rooms, journals),
            None => Rooms::new(rooms),
        }
    }

    /// The configuration of each room.
    pub(crate) fn room(&self, password: Option<OperatorPassword>, bans: BanList) -> RoomConfig {
        let is_kept = self.keep.history.is_some() || !self.cluster.nats.is_empty();
        let history_max = self.history_max.or(is_kept.then_some(u16::MAX));
        let config = RoomConfig::default()
            .with_operator_password(password)
            .with_bans(bans)
            .with_names(self.names.into())
            .with_hidden_addresses(self.hide_addresses)
            .with_slow(self.slow)
            .with_log_bytes_max(usize::from(self.log) * 1024 * 1024)
            .with_members_max(self.max_members)
            .with_members_per_address_max(self.max_per_ip)
            .with_rate(
                NonZeroU32::new(self.rate)
                    .map(|per_second| chat_core::Rate { burst: per_second.saturating_mul(TEN), per_second }),
            )
            .with_limit_loopback(self.limit_loopback || !self.proxy_from.is_empty());
        match history_max {
            Some(messages) => config.with_history_max(messages),
            None => config,
        }
    }
}

const TEN: NonZeroU32 = NonZeroU32::new(10).unwrap();

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

/// Reads the origin of a page (RFC 6454, section 6.2).
fn origin(text: &str) -> Result<String, String> {
    let authority = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_authority = |authority: &str| {
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        !authority.is_empty() && !authority.contains(['/', '?', '#', '@', ' ', '*'])
    };
    match authority.filter(|authority| is_authority(authority)) {
        Some(_) => Ok(text.to_owned()),
        None => Err("expected an origin such as https://chat.example.org".to_owned()),
    }
}

/// Reads an address that is one of loopback unless it says another host.
fn loopback(text: &str) -> Result<Address, String> {
    if text.chars().all(|c| c.is_ascii_digit()) {
        let port = text.parse::<u16>().map_err(|_| format!("'{text}' is no port (0 to 65535)"))?;
        return format!("127.0.0.1:{port}").parse();
    }
    let address: Address = text.parse()?;
    // The usual port is that of the chat.
    match text.ends_with(&format!(":{}", address.port)) {
        true => Ok(address),
        false => Err("expected HOST:PORT, or a port alone, such as 9100".to_owned()),
    }
}

/// Reads permissions.
#[cfg(unix)]
fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|&mode| mode <= 0o777);
    mode.ok_or_else(|| "expected permissions such as 600, 660 or 666".to_owned())
}

/// Reads the pause of slow mode.
fn pause(text: &str) -> Result<Duration, String> {
    let pause = text.parse::<jiff::SignedDuration>().ok().and_then(|pause| Duration::try_from(pause).ok());
    pause
        .filter(|pause| pause.as_secs() >= 1)
        .ok_or_else(|| "expected a time such as 5s, 2m or 1h".to_owned())
}

/// Whether members have names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NamesArg {
    /// Everyone is shown as its address
    Off,
    /// A member may take a name
    Optional,
    /// A member says nothing before it has a name
    Required,
}

impl From<NamesArg> for NamePolicy {
    fn from(names: NamesArg) -> Self {
        match names {
            NamesArg::Off => Self::Off,
            NamesArg::Optional => Self::Optional,
            NamesArg::Required => Self::Required,
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
