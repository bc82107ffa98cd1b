//! A running server.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::{CHAT, Peer, Process, client_command, own_loopback};

/// `chat server`, over TCP unless specified otherwise.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// For each address, how often a peer of [`peer`](Self::peer) had it.
    peers: Mutex<BTreeMap<String, usize>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(flags: &[&str]) -> Self {
        Self::over(&["tcp"], flags)
    }

    /// A server over several transports, at an address of its own, because a port that is free for one transport must
    /// be free for all.
    pub(crate) fn over(transports: &[&str], flags: &[&str]) -> Self {
        let ip = if transports.len() > 1 { own_loopback() } else { Ipv4Addr::LOCALHOST.into() };
        Self::at(&format!("{ip}:0"), transports, flags)
    }

    pub(crate) fn at(bind: &str, transports: &[&str], flags: &[&str]) -> Self {
        let mut command = Command::new(CHAT);
        command.arg("server").args(transports).args(["--bind", bind]).args(flags);
        // Without this variable there is no control socket that a killed server would leave behind.
        command.env_remove("XDG_RUNTIME_DIR");
        Self::run(&mut command)
    }

    pub(crate) fn run(command: &mut Command) -> Self {
        let process = Process::start(command);
        let address = process.stdout.wait_until("the address it listens on", |output| {
            // With several transports each has a line, and all have the same address. A time stamp may come first.
            let line = output.lines.first().map(String::as_str).or(output.ended.then_some(""))?;
            let address = line.split("[*] Listening on ").nth(1).and_then(|rest| rest.split(' ').next());
            Some(address.and_then(|address| address.parse().ok()))
        });
        let address = address.unwrap_or_else(|| {
            let (said, failed) = (process.stdout.lines(), process.stderr.all());
            panic!("the server does not listen: {said:?} {failed:?}")
        });
        Self { process, address, peers: Mutex::default() }
    }

    /// A plain peer that the server has accepted.
    pub(crate) fn peer(&self) -> Peer {
        self.peer_that_says("")
    }

    /// Like [`peer`](Self::peer), but it says something at once. The server waits a moment to find out what a silent
    /// peer speaks.
    pub(crate) fn peer_that_says(&self, first: &str) -> Peer {
        let mut peer = Peer::connect(self.address);
        peer.send(first);
        // After a reset the system may assign the same port again.
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let count = peers.entry(peer.name.clone()).or_default();
        *count += 1;
        let accepted = format!("[*] Accepted connection from {}", peer.name);
        self.process.stdout.wait_until(&accepted, |output| {
            (output.lines.iter().filter(|line| in_any_room(line) == accepted).count() >= *count).then_some(())
        });
        peer
    }

    pub(crate) fn has_accepted(&self, name: &str) {
        self.process.stdout.wait_for_line(&format!("[*] Accepted connection from {name}"));
    }

    /// Waits until a member has left for this reason, or by its own choice if `None`.
    pub(crate) fn has_closed(&self, name: &str, reason: Option<&str>) {
        self.process.stdout.wait_for_line(&closed(name, reason));
    }

    /// Waits until a member has left for any reason.
    pub(crate) fn has_ended(&self, name: &str) {
        let (by, of) =
            (format!("[*] Connection closed by {name}"), format!("[*] Connection of {name} closed "));
        self.process.stdout.wait_until("its end", |output| {
            output.lines.iter().any(|line| line.starts_with(&by) || line.starts_with(&of)).then_some(())
        });
    }

    /// `chat client tcp` in a pipe. Returns it with its address once the server has accepted it. Nobody else may
    /// connect during the call. If the hello of the client is late, the client may not have its welcome yet and may
    /// not hear everything. [`client_that_hears`](Self::client_that_hears) waits for that.
    pub(crate) fn client(&self, flags: &[&str]) -> (Process, String) {
        let before = self.process.stdout.written().lines.len();
        let client = Process::start(&mut client_command(self.address, flags));
        let name = self.process.stdout.wait_until("the client", |output| {
            let mut new = output.lines[before..].iter();
            new.find_map(|line| in_any_room(line).strip_prefix("[*] Accepted connection from "))
                .map(str::to_owned)
        });
        (client, name)
    }

    /// Like [`client`](Self::client), but the client hears everything that is said from now on. Call it before others
    /// connect, because they would hear how it is asked. What it has printed during the call is forgotten.
    pub(crate) fn client_that_hears(&self, flags: &[&str]) -> (Process, String) {
        let (client, name) = self.client(flags);
        let mut speaker = self.peer();
        client.hears(&mut speaker);
        // The speaker may have asked several times.
        speaker.send("so you can\n");
        client.stdout.wait_for_line(&speaker.line("so you can"));
        let asked_by = speaker.name.clone();
        drop(speaker);
        self.has_ended(&asked_by);
        client.stdout.written().lines.clear();
        (client, name)
    }
}

/// A line without the name of the room before it. The name is there if the server has several rooms.
pub(crate) fn in_any_room(line: &str) -> &str {
    match line.split_once(' ') {
        Some((room, rest)) if rest.starts_with('[') && room.chars().all(char::is_alphanumeric) => rest,
        _ => line,
    }
}

/// What the server prints when a member has left for this reason, or by its own choice if `None`.
pub(crate) fn closed(name: &str, reason: Option<&str>) -> String {
    match reason {
        None => format!("[*] Connection closed by {name}"),
        Some(reason @ "connection lost") => format!("[*] Connection closed by {name} ({reason})"),
        Some(reason) => format!("[*] Connection of {name} closed ({reason})"),
    }
}
