//! The chat servers of a run.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use super::SERVERS;
use crate::failure::{Failure, Result};

/// A chat server, killed when dropped.
pub(super) struct Server {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Server {
    /// Starts as many servers as a cluster has, each with these arguments.
    pub(super) fn start_all(chat: &Path, arguments: &[&str]) -> Result<Vec<Self>> {
        (0..SERVERS).map(|_| Self::start(chat, arguments)).collect()
    }

    fn start(chat: &Path, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(chat);
        command.args(["server", "tcp", "--bind", "127.0.0.1:0", "--rate", "0"]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).env_remove("XDG_RUNTIME_DIR");
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| Failure::new("the server has no stdout"))?;
        let mut lines = BufReader::new(stdout).lines();
        let first = lines.next().transpose()?.unwrap_or_default();
        let address =
            first.strip_prefix("[*] Listening on ").and_then(|rest| rest.split(' ').next()?.parse().ok());
        thread::spawn(move || lines.map_while(std::result::Result::ok).for_each(drop));
        let Some(address) = address else {
            let _ended_already = child.kill();
            return Err(Failure::new(format!("the server does not listen: {first}")));
        };
        Ok(Self { child, address })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}
