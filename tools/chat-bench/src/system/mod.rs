//! The systems under test: what they are called, how they are started, what they speak.

mod foreign;
mod process;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) use self::process::{Server, end_what_runs};
use crate::failure::Result;
use crate::servers::limit::Sends;
use crate::wire::{Medium, Wire};

/// A chat server, or something that could be used as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    Limit(Sends),
    Tcp(Tcp),
    LimitUdp(Sends),
    Udp(Udp),
    TokioBroadcast,
    Redis,
    Nats,
    Ngircd,
    Mosquitto,
}

/// Ours over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tcp {
    pub(crate) framed: bool,
    pub(crate) threads: u16,
    /// Another build, to be compared with this one.
    pub(crate) is_other: bool,
}

impl Tcp {
    pub(crate) const fn plain(threads: u16) -> Self {
        Self { framed: false, threads, is_other: false }
    }

    pub(crate) const fn framed(threads: u16) -> Self {
        Self { framed: true, threads, is_other: false }
    }
}

/// Ours over UDP, which has one I/O thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Udp {
    pub(crate) framed: bool,
    /// Another build, to be compared with this one.
    pub(crate) is_other: bool,
}

impl Udp {
    pub(crate) const PLAIN: Self = Self { framed: false, is_other: false };
    pub(crate) const FRAMED: Self = Self { framed: true, is_other: false };
}

impl System {
    /// The one that everything over TCP is compared with.
    pub(crate) const LIMIT: Self = Self::Limit(Sends::ReadBatch);
    /// And everything over UDP.
    pub(crate) const LIMIT_UDP: Self = Self::LimitUdp(Sends::ReadBatch);

    /// In the order of tables.
    pub(crate) fn all(programs: &Programs) -> Vec<Self> {
        let ours = [Tcp::plain(1), Tcp::plain(2), Tcp::framed(1), Tcp::framed(2)];
        let has_other = programs.other.is_some();
        let others = ours.map(|tcp| Tcp { is_other: true, ..tcp }).into_iter().filter(|_| has_other);
        let ours_udp = [Udp::PLAIN, Udp::FRAMED];
        let others_udp = ours_udp.map(|udp| Udp { is_other: true, ..udp }).into_iter().filter(|_| has_other);
        [Self::LIMIT, Self::Limit(Sends::Message)]
            .into_iter()
            .chain(ours.into_iter().chain(others).map(Self::Tcp))
            .chain([Self::TokioBroadcast, Self::Redis, Self::Nats, Self::Ngircd, Self::Mosquitto])
            .chain([Self::LIMIT_UDP, Self::LimitUdp(Sends::Message)])
            .chain(ours_udp.into_iter().chain(others_udp).map(Self::Udp))
            .collect()
    }

    /// As it stands in tables.
    pub(crate) fn label(self) -> String {
        match self {
            Self::Limit(Sends::ReadBatch) => "limit: a send per read batch".to_owned(),
            Self::Limit(Sends::Message) => "limit: a send per message".to_owned(),
            Self::Tcp(Tcp { framed, threads, is_other }) => format!(
                "{} tcp {}, {threads} thread{}",
                if is_other { "other chat" } else { "chat" },
                if framed { "framed" } else { "plain" },
                if threads == 1 { "" } else { "s" }
            ),
            Self::LimitUdp(Sends::ReadBatch) => "limit: a datagram per read batch".to_owned(),
            Self::LimitUdp(Sends::Message) => "limit: a datagram per message".to_owned(),
            Self::Udp(Udp { framed, is_other }) => format!(
                "{} udp {}",
                if is_other { "other chat" } else { "chat" },
                if framed { "framed" } else { "plain" }
            ),
            Self::TokioBroadcast => "tokio task + broadcast".to_owned(),
            Self::Redis => "Redis pub/sub".to_owned(),
            Self::Nats => "NATS".to_owned(),
            Self::Ngircd => "ngIRCd".to_owned(),
            Self::Mosquitto => "mosquitto".to_owned(),
        }
    }

    /// As it stands on the command line and in results.
    pub(crate) fn key(self) -> String {
        match self {
            Self::Limit(Sends::ReadBatch) => "limit-batch".to_owned(),
            Self::Limit(Sends::Message) => "limit-message".to_owned(),
            Self::Tcp(Tcp { framed, threads, is_other }) => format!(
                "{}tcp-{}-{threads}",
                if is_other { "other-" } else { "" },
                if framed { "framed" } else { "plain" }
            ),
            Self::LimitUdp(Sends::ReadBatch) => "udp-limit-batch".to_owned(),
            Self::LimitUdp(Sends::Message) => "udp-limit-message".to_owned(),
            Self::Udp(Udp { framed, is_other }) => format!(
                "{}udp-{}",
                if is_other { "other-" } else { "" },
                if framed { "framed" } else { "plain" }
            ),
            Self::TokioBroadcast => "tokio".to_owned(),
            Self::Redis => "redis".to_owned(),
            Self::Nats => "nats".to_owned(),
            Self::Ngircd => "ngircd".to_owned(),
            Self::Mosquitto => "mosquitto".to_owned(),
        }
    }

    /// What the program says of its version, if it is not one of this workspace.
    pub(crate) fn version(self) -> Option<String> {
        match self {
            Self::Limit(_) | Self::Tcp(_) | Self::TokioBroadcast | Self::LimitUdp(_) | Self::Udp(_) => None,
            Self::Redis => foreign::version("redis-server", "--version"),
            Self::Nats => foreign::version("nats-server", "--version"),
            Self::Ngircd => foreign::version("ngircd", "--version"),
            Self::Mosquitto => foreign::version("mosquitto", "-h"),
        }
    }

    pub(crate) fn medium(self) -> Medium {
        Medium::Stream(match self {
            Self::Limit(_) | Self::TokioBroadcast | Self::Tcp(Tcp { framed: false, .. }) => Wire::Lines,
            Self::Tcp(Tcp { framed: true, .. }) => Wire::Frames,
            Self::Redis => Wire::Redis,
            Self::Nats => Wire::Nats,
            Self::Ngircd => Wire::Irc,
            Self::Mosquitto => Wire::Mqtt,
            Self::LimitUdp(_) => return Medium::Datagrams { framed: false },
            Self::Udp(Udp { framed, .. }) => return Medium::Datagrams { framed },
        })
    }

    pub(crate) fn is_over_udp(self) -> bool {
        matches!(self.medium(), Medium::Datagrams { .. })
    }

    /// The command that serves on `address`, with every limit lifted that the work would meet. `dir` takes a
    /// configuration file where there must be one.
    fn command(self, address: SocketAddr, programs: &Programs, dir: &Path) -> Result<Command> {
        match self {
            Self::Limit(Sends::ReadBatch) => Ok(programs.own("limit-batch", address)),
            Self::Limit(Sends::Message) => Ok(programs.own("limit-message", address)),
            Self::LimitUdp(Sends::ReadBatch) => Ok(programs.own("limit-udp-batch", address)),
            Self::LimitUdp(Sends::Message) => Ok(programs.own("limit-udp-message", address)),
            Self::TokioBroadcast => Ok(programs.own("tokio", address)),
            Self::Tcp(Tcp { threads, is_other, .. }) => {
                Ok(programs.chat(is_other, &format!("tcp --threads {threads}"), address))
            }
            Self::Udp(Udp { is_other, .. }) => Ok(programs.chat(is_other, "udp", address)),
            Self::Redis => foreign::redis(address),
            Self::Nats => foreign::nats(address, dir),
            Self::Ngircd => foreign::ngircd(address, dir),
            Self::Mosquitto => foreign::mosquitto(address, dir),
        }
    }
}

/// Where our own programs are.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// The `chat` that is measured.
    pub(crate) chat: PathBuf,
    /// Another build of it.
    pub(crate) other: Option<PathBuf>,
    /// This program, which also has the servers to compare with.
    pub(crate) bench: PathBuf,
}

impl Programs {
    /// `chat server` with every limit lifted that the work would meet.
    fn chat(&self, is_other: bool, transport: &str, address: SocketAddr) -> Command {
        let other = self.other.as_ref().filter(|_| is_other);
        let mut command = Command::new(other.unwrap_or(&self.chat));
        let line = format!("server {transport} --bind {address} --rate 0 --max-members 1000000");
        command.args(line.split(' '));
        command
    }

    fn own(&self, name: &str, address: SocketAddr) -> Command {
        let mut command = Command::new(&self.bench);
        command.args(["serve", name]).arg(address.to_string());
        command
    }
}
