//! A server that runs while it is measured, and not a moment longer.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Programs, System};
use crate::clock;
use crate::failure::{Context, Failure, Result};
use crate::probe::{self, CallCounter};

/// How long a server may take until it accepts connections.
const START_TIMEOUT: Duration = Duration::from_secs(10);
const TRY_AGAIN: Duration = Duration::from_millis(5);

/// The server that runs now. There is never a second one: it would disturb the first.
static RUNNING: Mutex<Option<Child>> = Mutex::new(None);

/// A running server; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pid: u32,
    pub(crate) address: SocketAddr,
    dir: PathBuf,
}

impl Server {
    pub(crate) fn start(system: System, programs: &Programs) -> Result<Self> {
        let address = free_address(system)?;
        // Also where the server runs, so that nothing it might write ends up elsewhere.
        let dir = std::env::temp_dir().join(format!("chat-bench-{}-{}", std::process::id(), address.port()));
        fs::create_dir_all(&dir).when(format!("create {}", dir.display()))?;
        let child = system.command(address, programs, &dir).and_then(|mut command| {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir(&dir);
            command.spawn().when("cannot be started")
        });
        match child {
            Ok(child) => {
                let server = Self { pid: child.id(), address, dir };
                *running() = Some(child);
                server.wait_until_it_listens(system)?;
                Ok(server)
            }
            Err(failure) => {
                let _left_to_the_system = fs::remove_dir_all(&dir);
                Err(failure)
            }
        }
    }

    fn wait_until_it_listens(&self, system: System) -> Result<()> {
        let deadline = clock::now() + START_TIMEOUT;
        // A datagram to ask with could make a member.
        let listens = || match system.is_over_udp() {
            true => probe::is_bound_over_udp(self.address),
            false => Ok(TcpStream::connect(self.address).is_ok()),
        };
        while !listens()? {
            let status = running().as_mut().map(Child::try_wait).transpose()?.flatten();
            if let Some(status) = status {
                return Err(Failure::new(format!("ended at the start with {status}")));
            }
            if clock::now() > deadline {
                return Err(Failure::new("did not accept connections in time"));
            }
            pause();
        }
        Ok(())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// CPU time used so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        probe::cpu(self.pid())
    }

    /// Counts its system calls from now on.
    pub(crate) fn count_calls(&self) -> Result<CallCounter> {
        CallCounter::start(self.pid(), &self.dir)
    }

    /// Bytes of memory of its own.
    pub(crate) fn memory(&self) -> Result<u64> {
        probe::private_memory(self.pid())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end_what_runs();
        let _left_to_the_system = fs::remove_dir_all(&self.dir);
    }
}

/// Ends the server that runs, if one does: also for whoever interrupts the bench.
pub(crate) fn end_what_runs() {
    if let Some(mut child) = running().take() {
        // It may have ended by itself, and then there is nothing to do.
        let _killed = child.kill();
        let _reaped = child.wait();
    }
}

fn running() -> MutexGuard<'static, Option<Child>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A port that was free a moment ago: not every server can be told to take any and to say which.
fn free_address(system: System) -> Result<SocketAddr> {
    let any = (Ipv4Addr::LOCALHOST, 0);
    let address = if system.is_over_udp() {
        UdpSocket::bind(any).and_then(|socket| socket.local_addr())
    } else {
        TcpListener::bind(any).and_then(|listener| listener.local_addr())
    };
    address.when("find a free port")
}

#[expect(clippy::disallowed_methods, reason = "a foreign server tells nobody when it has begun to listen")]
fn pause() {
    std::thread::sleep(TRY_AGAIN);
}
