//! How the servers of others are started: in the foreground, without persistence unless that is measured, and with their limits lifted.

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::failure::{Context, Failure, Result};
use crate::tls::{CERTIFICATE, KEY};

/// A server that others have written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Foreign {
    Redis,
    RedisTls,
    /// With a log in a file, synced every second.
    RedisStream,
    Nats,
    NatsTls,
    NatsWebSocket,
    JetStream,
    Ngircd,
    Mosquitto,
    MosquittoWebSocket,
    /// The server that runs on it uses uWebSockets.
    Bun,
}

impl Foreign {
    /// The command that serves on `address`. A configuration file, if the server needs one, goes into `dir`.
    pub(super) fn command(self, address: SocketAddr, dir: &Path) -> Result<Command> {
        match self {
            Self::Redis => redis(address, false, "no"),
            Self::RedisTls => redis(address, true, "no"),
            Self::RedisStream => redis(address, false, "yes --appendfsync everysec"),
            Self::Nats => nats(&format!("listen: \"{address}\""), dir),
            Self::NatsTls => nats(
                &format!(
                    "listen: \"{address}\"\ntls {{ cert_file: {CERTIFICATE}, key_file: {KEY}, handshake_first: true }}"
                ),
                dir,
            ),
            Self::NatsWebSocket => nats(
                &format!("listen: \"127.0.0.1:-1\"\nwebsocket {{ listen: \"{address}\", no_tls: true }}"),
                dir,
            ),
            Self::JetStream => {
                nats(&format!("listen: \"{address}\"\njetstream {{ store_dir: \"{}\" }}", dir.display()), dir)
            }
            Self::Ngircd => ngircd(address, dir),
            Self::Mosquitto => mosquitto(address, "mqtt", dir),
            Self::MosquittoWebSocket => mosquitto(address, "websockets", dir),
            Self::Bun => bun(address, dir),
        }
    }

    pub(super) fn version(self) -> Option<String> {
        match self {
            Self::Redis | Self::RedisTls | Self::RedisStream => version("redis-server", "--version"),
            Self::Nats | Self::NatsTls | Self::NatsWebSocket | Self::JetStream => {
                version("nats-server", "--version")
            }
            Self::Ngircd => version("ngircd", "--version"),
            Self::Mosquitto | Self::MosquittoWebSocket => version("mosquitto", "-h"),
            Self::Bun => version("bun", "--version"),
        }
    }
}

fn redis(address: SocketAddr, is_tls: bool, keeps: &str) -> Result<Command> {
    let mut command = program("redis-server")?;
    let port = match is_tls {
        true => format!(
            "0 --tls-port {} --tls-cert-file {CERTIFICATE} --tls-key-file {KEY} --tls-ca-cert-file {CERTIFICATE} \
             --tls-auth-clients no",
            address.port()
        ),
        false => address.port().to_string(),
    };
    let line = format!(
        "--bind {} --port {port} --protected-mode no --appendonly {keeps} --maxclients 60000 --tcp-backlog 4096",
        address.ip()
    );
    command.args(line.split(' '));
    command.args(["--save", ""]);
    command.args(["--client-output-buffer-limit", "pubsub 0 0 0"]);
    Ok(command)
}

fn nats(listen: &str, dir: &Path) -> Result<Command> {
    let config = format!(
        "{listen}\nmax_connections: 200000\nmax_pending: 4GB\nwrite_deadline: \"600s\"\nping_interval: \"1h\"\n"
    );
    let mut command = program("nats-server")?;
    command.arg("-c").arg(file(dir, "nats.conf", &config)?);
    Ok(command)
}

fn ngircd(address: SocketAddr, dir: &Path) -> Result<Command> {
    let (ip, port) = (address.ip(), address.port());
    let config = format!(
        "[Global]\nName = bench.localhost\nInfo = bench\nListen = {ip}\nPorts = {port}\nMotdPhrase = hello\n\
         [Limits]\nMaxConnections = 0\nMaxConnectionsIP = 0\nMaxJoins = 0\nMaxNickLength = 16\n\
         MaxPenaltyTime = 0\nPingTimeout = 3600\n[Options]\nDNS = no\nIdent = no\nPAM = no\nCloakHost = m\n"
    );
    let mut command = program("ngircd")?;
    command.arg("-n").arg("-f").arg(file(dir, "ngircd.conf", &config)?);
    Ok(command)
}

fn mosquitto(address: SocketAddr, protocol: &str, dir: &Path) -> Result<Command> {
    let config = format!(
        "listener {} {}\nprotocol {protocol}\nallow_anonymous true\npersistence false\nlog_dest none\nset_tcp_nodelay true\n\
         max_connections -1\nmax_queued_messages 0\nmax_queued_bytes 0\n",
        address.port(),
        address.ip()
    );
    let mut command = program("mosquitto")?;
    command.arg("-c").arg(file(dir, "mosquitto.conf", &config)?);
    Ok(command)
}

/// `npm install --prefix target/npm bun` installs it.
fn bun(address: SocketAddr, dir: &Path) -> Result<Command> {
    let script = format!(
        "Bun.serve({{
            hostname: '{}', port: {},
            fetch(request, server) {{
                const {{ address, port }} = server.requestIP(request);
                return server.upgrade(request, {{ data: `${{address}}:${{port}}` }}) ? undefined : new Response('');
            }},
            websocket: {{
                idleTimeout: 0, perMessageDeflate: false, backpressureLimit: 4e9, closeOnBackpressureLimit: false,
                open(socket) {{ socket.subscribe('room'); }},
                message(socket, text) {{ socket.publish('room', `[${{socket.data}}] ${{text}}`); }},
            }},
        }});",
        address.ip(),
        address.port()
    );
    let mut command = program("bun")?;
    command.arg("run").arg(file(dir, "server.js", &script)?);
    Ok(command)
}

/// The first word that looks like a version in the program's output.
fn version(name: &str, flag: &str) -> Option<String> {
    let output = program(name).ok()?.arg(flag).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split(|c: char| c.is_whitespace() || c == '=' || c == ':')
        .map(|word| word.trim_start_matches('v'))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
        .map(|word| word.split('-').next().unwrap_or(word).to_owned())
}

/// Finds the program on the search path, in the directories of daemons (which are often not on that path), or where
/// npm installs it for us.
fn program(name: &str) -> Result<Command> {
    let path = env::var_os("PATH").unwrap_or_default();
    let elsewhere = ["/usr/sbin", "/usr/local/sbin", "target/npm/node_modules/.bin"];
    let elsewhere = elsewhere.into_iter().filter_map(|dir| std::path::absolute(dir).ok());
    env::split_paths(&path)
        .chain(elsewhere)
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
        .map(Command::new)
        .ok_or_else(|| Failure::new("not installed"))
}

fn file(dir: &Path, name: &str, text: &str) -> Result<std::path::PathBuf> {
    let path = dir.join(name);
    fs::write(&path, text).when(format!("write {}", path.display()))?;
    Ok(path)
}
