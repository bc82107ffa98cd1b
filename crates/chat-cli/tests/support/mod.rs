//! Runs the built program, and peers that have only a socket. Everything waits for what must happen, with a deadline,
//! and ends with the test.
#![allow(
    dead_code,
    unused_imports,
    reason = "every test file is a crate of its own and uses its part of this"
)]

mod directory;
mod output;
mod peer;
mod server;
mod watched;

use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

pub(crate) use directory::Directory;
pub(crate) use output::{Output, Written};
pub(crate) use peer::Peer;
pub(crate) use server::{Server, closed, in_any_room};
use socket2::{Domain, Socket, Type};
pub(crate) use watched::Watched;

/// A generous limit for everything that takes milliseconds on an idle machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const CHAT: &str = env!("CARGO_BIN_EXE_chat");

#[expect(clippy::disallowed_methods, reason = "real sockets take real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A child process that is killed when dropped.
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A process whose output is collected.
pub(crate) struct Process {
    child: Killed,
    /// Kills the process if this program ends without dropping anything.
    _watched: Watched,
    stdin: Option<ChildStdin>,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with(command.stdin(Stdio::piped()))
    }

    /// Like [`start`](Self::start), but keeps the stdin that `command` has.
    pub(crate) fn start_with(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdout = Output::of(child.stdout.take().expect("piped"));
        let stderr = Output::of(child.stderr.take().expect("piped"));
        let watched = Watched::by(&format!("kill -9 {}", child.id()));
        Self { stdin: child.stdin.take(), child: Killed(child), _watched: watched, stdout, stderr }
    }

    /// Like [`start`](Self::start), but nobody reads the stdout unless the caller does.
    pub(crate) fn start_unread(command: &mut Command) -> (Self, ChildStdout) {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let unread = child.stdout.take().expect("piped");
        let stderr = Output::of(child.stderr.take().expect("piped"));
        let stdin = child.stdin.take();
        let watched = Watched::by(&format!("kill -9 {}", child.id()));
        (
            Self {
                stdin,
                child: Killed(child),
                _watched: watched,
                stdout: Output::of(std::io::empty()),
                stderr,
            },
            unread,
        )
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.0.id()
    }

    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.stdin.take().expect("stdin is still here")
    }

    pub(crate) fn type_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("stdin is still open");
        match stdin.write_all(format!("{line}\n").as_bytes()) {
            // It has ended already, perhaps as it should: what it has written tells.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            result => result.expect("the program reads its stdin"),
        }
    }

    pub(crate) fn end_of_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end. Returns the exit code.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.stdout.wait_until("its end", |output| output.ended.then_some(()));
        self.stderr.wait_until("its end", |output| output.ended.then_some(()));
        self.child.0.wait().expect("it is a child of ours").code()
    }

    /// Returns once this client prints what `speaker` says. The speaker repeats it until then. At first a client that
    /// is slow to send its hello counts as a silent listener, and it drops what it receives before its welcome.
    pub(crate) fn hears(&self, speaker: &mut Peer) {
        let line = speaker.line("can you hear me?");
        let deadline = now() + PATIENCE;
        loop {
            speaker.send("can you hear me?\n");
            if self.stdout.has_line_within(&line, Duration::from_secs(1)) {
                return;
            }
            assert!(now() < deadline, "it hears nothing: {:?}", self.stdout.lines());
        }
    }

    /// Kills it. Afterwards its ports and its files are free for the next one.
    pub(crate) fn kill(&mut self) {
        self.child.0.kill().expect("it still runs");
        self.child.0.wait().expect("it is a child of ours");
    }

    /// Whether SIGHUP, SIGINT or SIGTERM reaches the programs that a test starts. If the signal is ignored here, they
    /// inherit that. This is the case after `nohup` and in the background of a script.
    #[cfg(unix)]
    pub(crate) fn heeds(signal: &str) -> bool {
        let bit = match signal {
            "HUP" => 1 << 0,
            "INT" => 1 << 1,
            "TERM" => 1 << 14,
            other => panic!("not known here: SIG{other}"),
        };
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let is_ignored =
            mask.is_some_and(|mask| u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask & bit != 0));
        if is_ignored {
            println!("skipped: the tests run with SIG{signal} ignored");
        }
        !is_ignored
    }

    /// Asks the process to end, as a service manager does.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(status.expect("kill is everywhere").success());
    }
}

pub(crate) fn client_command(address: SocketAddr, flags: &[&str]) -> Command {
    client_command_over("tcp", address, flags)
}

pub(crate) fn client_command_over(transport: &str, address: SocketAddr, flags: &[&str]) -> Command {
    let mut command = Command::new(CHAT);
    command.args(["client", transport, &address.to_string()]).args(flags);
    command
}

/// A loopback address that only this test uses, where the system has several. A port that was free there stays free,
/// because nobody else listens there and no outgoing connection begins there.
pub(crate) fn own_loopback() -> IpAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    if cfg!(target_os = "linux") {
        let [_, _, high, low] = std::process::id().to_be_bytes();
        Ipv4Addr::new(127, NEXT.fetch_add(1, Ordering::Relaxed), high, low).into()
    } else {
        Ipv4Addr::LOCALHOST.into()
    }
}

/// A free port, for a server that cannot tell which one it has taken.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind((own_loopback(), 0))
        .and_then(|listener| listener.local_addr())
        .expect("there is a free port")
}

/// An address at which nobody listens as long as the socket is kept. The socket has the port and does not listen.
pub(crate) fn refusing_address() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a descriptor is left");
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("there is a free port");
    let address = socket.local_addr().expect("it is bound").as_socket().expect("it is an IP socket");
    (socket, address)
}

/// An address of this machine that is not loopback, if it has one. Data sent to it does not leave the machine.
pub(crate) fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // This asks for the route and sends nothing (RFC 5737: nobody has this address).
    socket.connect("203.0.113.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}
