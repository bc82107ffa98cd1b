//! The server under test: the built program, killed when dropped.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::failure::{Failure, Result};
use crate::probe::Usage;

/// The program, absolute.
pub(crate) fn program(given: Option<PathBuf>) -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let chat = given.unwrap_or_else(|| this.with_file_name(format!("chat{}", std::env::consts::EXE_SUFFIX)));
    chat.canonicalize().map_err(|_| Failure::new(format!("there is no server {}", chat.display())))
}

#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    said: Arc<Mutex<Said>>,
}

/// What the console has said, except messages.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub(crate) accepted: u64,
    pub(crate) closed: u64,
    /// Who did not leave by his own choice, by the reason that the console gives.
    pub(crate) put_out: BTreeMap<String, u64>,
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

    /// A server over TCP that may have so many descriptors.
    pub(crate) fn start_with_descriptors(chat: &Path, descriptors: u32) -> Result<Self> {
        let line = format!("ulimit -n {descriptors}; exec {} server tcp --bind 127.0.0.1:0", chat.display());
        Self::run(Command::new("sh").args(["-c", &line]))
    }

    fn run(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(Failure::new("the server has no pipes"));
        };
        let said = Arc::new(Mutex::new(Said::default()));
        let mut lines = BufReader::new(stdout).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        let address =
            first.strip_prefix("[*] Listening on ").and_then(|rest| rest.split(' ').next()?.parse().ok());
        let address = address.ok_or_else(|| Failure::new(format!("the server does not listen: {first}")));
        let (console, warnings) = (Arc::clone(&said), Arc::clone(&said));
        thread::spawn(move || {
            for line in lines.map_while(std::result::Result::ok) {
                lock(&console).hear(&line);
            }
        });
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(std::result::Result::ok) {
                let mut said = lock(&warnings);
                if said.warnings.len() < WARNINGS_MAX {
                    said.warnings.push(line);
                }
            }
        });
        Ok(Self { child, address: address?, said })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        Usage::of(self.pid())
    }

    pub(crate) fn said(&self) -> MutexGuard<'_, Said> {
        lock(&self.said)
    }
}

impl Said {
    fn hear(&mut self, line: &str) {
        self.accepted += u64::from(line.starts_with("[*] Accepted "));
        let Some(closed) = line.strip_prefix("[*] Connection closed by ") else { return };
        self.closed += 1;
        if let Some((_, reason)) = closed.trim_end_matches(')').split_once(" (") {
            *self.put_out.entry(reason.to_owned()).or_default() += 1;
        }
    }

    /// How many took nothing for too long.
    pub(crate) fn too_slow(&self) -> u64 {
        self.put_out.get("too slow to read").copied().unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn lock(said: &Mutex<Said>) -> MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}
