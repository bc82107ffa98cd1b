//! The systems under test: their names, how they are started, and what they speak.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::calls::CallCounter;
use super::foreign::Foreign;
use crate::clock;
use crate::crowd::{Carrier, Medium, Wire, object_bytes, plain_bytes};
use crate::failure::{Context, Failure, Result, ensure};
use crate::probe;
use crate::process::Process;
use crate::tls;

/// How long a server may take until it accepts connections.
const START_TIMEOUT: Duration = Duration::from_secs(10);
const TRY_AGAIN: Duration = Duration::from_millis(5);

/// The systems that all others over TCP and over UDP are compared with.
pub(super) const LIMIT: &str = "limit-batch";
pub(super) const LIMIT_UDP: &str = "udp-limit-batch";
/// The same with many rooms, and our server with as many.
pub(super) const LIMIT_ROOMS: &str = "limit-rooms";
pub(super) const CHAT_ROOMS: &str = "tcp-rooms-1";

/// The limits that write as many bytes per message as our server does over WebSocket and over TLS.
pub(super) const LIMIT_WEB: &str = "ws-limit-batch";
pub(super) const LIMIT_TLS: &str = "tls-limit-batch";

/// A chat server, or something that could be used as one.
#[derive(Clone, Debug)]
pub(super) struct System {
    /// The name on the command line and in results.
    pub(super) key: String,
    /// The name in tables.
    pub(super) label: String,
    pub(super) medium: Medium,
    program: Program,
}

#[derive(Clone, Debug)]
enum Program {
    /// This program, running as one of the servers to compare with.
    Own,
    /// `chat server` with these arguments.
    Chat {
        arguments: &'static str,
        is_other: bool,
    },
    Foreign(Foreign),
}

/// Where our own programs are.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    /// The `chat` that is measured.
    pub(super) chat: PathBuf,
    /// Another build of it.
    pub(super) other: Option<PathBuf>,
    /// This program, which also has the servers to compare with.
    pub(super) this: PathBuf,
}

impl System {
    /// All systems in the order of tables. `has_other` adds those of another build of `chat`.
    pub(super) fn all(has_other: bool) -> Vec<Self> {
        use self::Medium::Datagrams;
        let system = |key: &str, label: &str, medium, program| Self {
            key: key.to_owned(),
            label: label.to_owned(),
            medium,
            program,
        };
        let own = |key, label, medium| system(key, label, medium, Program::Own);
        let chat = |key, label, medium, arguments| {
            let this = system(key, label, medium, Program::Chat { arguments, is_other: false });
            let (key, label) = (format!("other-{key}"), format!("other {label}"));
            let other =
                has_other.then(|| system(&key, &label, medium, Program::Chat { arguments, is_other: true }));
            std::iter::once(this).chain(other)
        };
        let tcp = |wire| Medium::Stream { wire, carrier: Carrier::Tcp };
        let tls = |wire| Medium::Stream { wire, carrier: Carrier::Tls };
        let web = |wire| Medium::Stream { wire, carrier: Carrier::WebSocket };
        let foreign = |key, label, medium, foreign| system(key, label, medium, Program::Foreign(foreign));
        let plain_udp = Datagrams { framed: false };
        [own(LIMIT, "limit: a send per read batch", tcp(Wire::Lines))]
            .into_iter()
            .chain([own("limit-message", "limit: a send per message", tcp(Wire::Lines))])
            .chain(chat("tcp-plain-1", "chat tcp plain, 1 thread", tcp(Wire::Lines), "tcp --threads 1"))
            .chain(chat("tcp-plain-2", "chat tcp plain, 2 threads", tcp(Wire::Lines), "tcp --threads 2"))
            .chain(chat("tcp-framed-1", "chat tcp framed, 1 thread", tcp(Wire::Frames), "tcp --threads 1"))
            .chain(chat("tcp-framed-2", "chat tcp framed, 2 threads", tcp(Wire::Frames), "tcp --threads 2"))
            // In the directory that is the server's own.
            .chain(chat(
                "tcp-plain-1-history",
                "chat tcp plain, 1 thread, history",
                tcp(Wire::Lines),
                "tcp --threads 1 --history chat.db",
            ))
            .chain(chat(
                "tcp-framed-1-history",
                "chat tcp framed, 1 thread, history",
                tcp(Wire::Frames),
                "tcp --threads 1 --history chat.db",
            ))
            .chain(chat(
                "tcp-plain-1-tls-web",
                "chat tcp plain, 1 thread, with --tls and --web",
                tcp(Wire::Lines),
                "tcp --threads 1 --web --tls cert.pem key.pem",
            ))
            .chain([own(
                LIMIT_WEB,
                "limit: a send per read batch, as long as for WebSocket",
                tcp(Wire::LongLines(object_bytes())),
            )])
            .chain(chat("ws-1", "chat WebSocket, 1 thread", web(Wire::Objects), "tcp --threads 1 --web"))
            .chain([own(LIMIT_ROOMS, "limit: a send per read batch, in rooms", tcp(Wire::Lines))])
            .chain(chat(
                CHAT_ROOMS,
                "chat tcp plain, 1 thread, rooms",
                tcp(Wire::Lines),
                "tcp --threads 1 --open-rooms 999",
            ))
            .chain([
                own("ws-axum", "axum WebSocket + broadcast", web(Wire::Texts)),
                foreign("ws-bun", "Bun publish", web(Wire::Texts), Foreign::Bun),
                foreign("ws-nats", "NATS WebSocket", web(Wire::Nats), Foreign::NatsWebSocket),
                foreign("ws-mosquitto", "mosquitto WebSocket", web(Wire::Mqtt), Foreign::MosquittoWebSocket),
                own(LIMIT_TLS, "limit: rustls, a send per read batch", tls(Wire::LongLines(plain_bytes()))),
            ])
            .chain(chat(
                "tls-plain-1",
                "chat TLS plain, 1 thread",
                tls(Wire::Lines),
                "tcp --threads 1 --tls cert.pem key.pem",
            ))
            .chain([
                foreign("tls-nats", "NATS TLS", tls(Wire::Nats), Foreign::NatsTls),
                foreign("tls-redis", "Redis TLS", tls(Wire::Redis), Foreign::RedisTls),
            ])
            .chain([
                own("tokio", "tokio task + broadcast", tcp(Wire::Lines)),
                foreign("redis", "Redis pub/sub", tcp(Wire::Redis), Foreign::Redis),
                foreign(
                    "redis-stream",
                    "Redis stream, appendfsync everysec",
                    tcp(Wire::RedisStream),
                    Foreign::RedisStream,
                ),
                foreign("nats", "NATS", tcp(Wire::Nats), Foreign::Nats),
                foreign("jetstream", "JetStream, in a file", tcp(Wire::JetStream), Foreign::JetStream),
                foreign("ngircd", "ngIRCd", tcp(Wire::Irc), Foreign::Ngircd),
                foreign("mosquitto", "mosquitto", tcp(Wire::Mqtt), Foreign::Mosquitto),
                own(LIMIT_UDP, "limit: a datagram per read batch", plain_udp),
                own("udp-limit-message", "limit: a datagram per message", plain_udp),
            ])
            .chain(chat("udp-plain", "chat udp plain", plain_udp, "udp"))
            .chain(chat("udp-framed", "chat udp framed", Datagrams { framed: true }, "udp"))
            .collect()
    }

    /// The version that the program prints, if it is not one of this workspace.
    pub(super) fn version(&self) -> Option<String> {
        if let Program::Foreign(foreign) = self.program { foreign.version() } else { None }
    }

    pub(super) fn is_over_udp(&self) -> bool {
        matches!(self.medium, Medium::Datagrams { .. })
    }

    /// Whether its members are on something between them and TCP, or it is a limit for such systems.
    pub(super) fn has_layer(&self) -> bool {
        self.key == LIMIT_WEB
            || matches!(self.medium, Medium::Stream { carrier: Carrier::Tls | Carrier::WebSocket, .. })
    }

    /// Whether it is there for the work with many rooms only.
    pub(super) fn has_rooms(&self) -> bool {
        self.key == LIMIT_ROOMS || self.key.ends_with(CHAT_ROOMS)
    }

    /// Whether it is there for messages that survive.
    pub(super) fn keeps(&self) -> bool {
        matches!(self.program, Program::Foreign(Foreign::RedisStream | Foreign::JetStream))
    }

    pub(super) fn is_ours(&self) -> bool {
        matches!(self.program, Program::Chat { .. })
    }

    /// The command that serves on `address`, with every limit lifted that the work would reach. A configuration file,
    /// if the server needs one, goes into `dir`.
    fn command(&self, address: SocketAddr, programs: &Programs, dir: &Path) -> Result<Command> {
        let (program, line) = match self.program {
            Program::Own => (&programs.this, format!("serve {} {address}", self.key)),
            Program::Chat { arguments, is_other } => (
                programs.other.as_ref().filter(|_| is_other).unwrap_or(&programs.chat),
                format!("server {arguments} --bind {address} --rate 0 --max-members 1000000"),
            ),
            Program::Foreign(foreign) => return foreign.command(address, dir),
        };
        let mut command = Command::new(program);
        command.args(line.split(' '));
        Ok(command)
    }
}

/// A running system, on a port that was free a moment ago.
#[derive(Debug)]
pub(super) struct Server {
    process: Process,
    pub(super) address: SocketAddr,
    dir: Directory,
}

impl Server {
    pub(super) fn start(system: &System, programs: &Programs) -> Result<Self> {
        let address = free_address(system)?;
        // The server also runs in it, so that nothing it might write ends up elsewhere.
        let dir = std::env::temp_dir().join(format!("chat-bench-{}-{}", std::process::id(), address.port()));
        fs::create_dir_all(&dir).when(format!("create {}", dir.display()))?;
        let dir = Directory(dir);
        tls::write_into(&dir.0)?;
        Self::start_in(system, programs, address, dir)
    }

    /// Kills it, and starts it again with the files that it has left.
    pub(super) fn restart(self, system: &System, programs: &Programs) -> Result<Self> {
        let Self { process, address, dir } = self;
        drop(process);
        Self::start_in(system, programs, address, dir)
    }

    fn start_in(system: &System, programs: &Programs, address: SocketAddr, dir: Directory) -> Result<Self> {
        let mut command = system.command(address, programs, &dir.0)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir(&dir.0);
        let (process, ()) = Process::start(&mut command, |_| ())?;
        let deadline = clock::now() + START_TIMEOUT;
        // A datagram that asks could make its sender a member, so look at the system's list of sockets.
        let listens = || match system.is_over_udp() {
            true => probe::is_bound_over_udp(address),
            false => Ok(TcpStream::connect(address).is_ok()),
        };
        while !listens()? {
            if let Some(status) = process.ended()? {
                return Err(Failure::new(format!("ended at the start with {status}")));
            }
            ensure(clock::now() < deadline, || "did not accept connections in time".to_owned())?;
            clock::pause(TRY_AGAIN);
        }
        Ok(Self { process, address, dir })
    }

    /// Starts to count its system calls.
    pub(super) fn count_calls(&self) -> Result<CallCounter> {
        CallCounter::start(self.process.pid(), &self.dir.0)
    }
}

impl Deref for Server {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

/// A directory that is removed when this is dropped.
#[derive(Debug)]
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _left_to_the_system = fs::remove_dir_all(&self.0);
    }
}

/// A port that is free now. Not every server can choose a free port and print it.
fn free_address(system: &System) -> Result<SocketAddr> {
    let any = (Ipv4Addr::LOCALHOST, 0);
    let address = if system.is_over_udp() {
        UdpSocket::bind(any).and_then(|socket| socket.local_addr())
    } else {
        TcpListener::bind(any).and_then(|listener| listener.local_addr())
    };
    address.when("find a free port")
}
