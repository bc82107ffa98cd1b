//! `chat server` with its console, which says who joins and leaves and why.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::failure::{Failure, Result};
use crate::process::Process;

#[derive(Debug)]
pub(crate) struct Server {
    process: Process,
    pub(crate) address: SocketAddr,
    console: Arc<Mutex<Console>>,
}

/// What the console has printed, except messages.
#[derive(Debug, Default)]
pub(crate) struct Console {
    pub(crate) accepted: u64,
    pub(crate) closed: u64,
    /// Members that did not leave by themselves, by the reason that the console gives.
    pub(crate) kicked: BTreeMap<String, u64>,
    /// Lines of stderr.
    pub(crate) warnings: Vec<String>,
}

/// More warnings than anyone reads.
const WARNINGS_MAX: usize = 1_000;

impl Server {
    /// A server over TCP and UDP.
    pub(crate) fn start(chat: &Path, flags: &[&str]) -> Result<Self> {
        Self::start_at(chat, IpAddr::from(Ipv4Addr::LOCALHOST), flags)
    }

    pub(crate) fn start_at(chat: &Path, ip: IpAddr, flags: &[&str]) -> Result<Self> {
        let mut command = Command::new(chat);
        command.args(["server", "tcp", "udp", "--bind", &SocketAddr::new(ip, 0).to_string()]).args(flags);
        Self::run(&mut command)
    }

    /// A server over TCP that may have this many descriptors.
    pub(crate) fn start_with_descriptors(chat: &Path, descriptors: u32) -> Result<Self> {
        let line = format!("ulimit -n {descriptors}; exec {} server tcp --bind 127.0.0.1:0", chat.display());
        Self::run(Command::new("sh").args(["-c", &line]))
    }

    fn run(command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (process, pipes) = Process::start(command, |child| child.stdout.take().zip(child.stderr.take()))?;
        let (stdout, stderr) = pipes.ok_or_else(|| Failure::new("the server has no pipes"))?;
        let console = Arc::new(Mutex::new(Console::default()));
        let mut lines = BufReader::new(stdout).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        let address =
            first.strip_prefix("[*] Listening on ").and_then(|rest| rest.split(' ').next()?.parse().ok());
        let address = address.ok_or_else(|| Failure::new(format!("the server does not listen: {first}")))?;
        let (said, warned) = (Arc::clone(&console), Arc::clone(&console));
        thread::spawn(move || {
            lines.map_while(std::result::Result::ok).for_each(|line| lock(&said).hear(&line));
        });
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(std::result::Result::ok) {
                let mut console = lock(&warned);
                if console.warnings.len() < WARNINGS_MAX {
                    console.warnings.push(line);
                }
            }
        });
        Ok(Self { process, address, console })
    }

    pub(crate) fn console(&self) -> MutexGuard<'_, Console> {
        lock(&self.console)
    }
}

impl Deref for Server {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Console {
    fn hear(&mut self, line: &str) {
        self.accepted += u64::from(line.starts_with("[*] Accepted "));
        let Some(connection) = line.strip_prefix("[*] Connection ") else { return };
        self.closed += 1;
        if let Some((_, reason)) = connection.trim_end_matches(')').split_once(" (") {
            *self.kicked.entry(reason.to_owned()).or_default() += 1;
        }
    }
}

fn lock(console: &Mutex<Console>) -> MutexGuard<'_, Console> {
    console.lock().unwrap_or_else(PoisonError::into_inner)
}
