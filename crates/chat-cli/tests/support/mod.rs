//! Runs the built program, and peers that have only a socket. Everything waits for what must happen, with a deadline,
//! and ends with the test.
#![allow(dead_code, reason = "every test file is a crate of its own and uses its part of this")]

mod peer;
mod watched;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) use peer::Peer;
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
        stdin.write_all(format!("{line}\n").as_bytes()).expect("the program reads its stdin");
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

    pub(crate) fn kill(&mut self) {
        self.child.0.kill().expect("it still runs");
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
            output.lines.first()?.split("[*] Listening on ").nth(1)?.split(' ').next()?.parse().ok()
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

/// What a process has written to a pipe so far.
#[derive(Clone)]
pub(crate) struct Output(Arc<(Mutex<Written>, Condvar)>);

#[derive(Default)]
pub(crate) struct Written {
    pub(crate) lines: Vec<String>,
    pub(crate) ended: bool,
}

impl Output {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let output = Self(Arc::default());
        let writer = output.clone();
        thread::spawn(move || writer.collect(pipe));
        output
    }

    /// Collects lines that end in LF. Anything else in a line is for the tests to see.
    fn collect(&self, pipe: impl Read) {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            self.written().lines.push(String::from_utf8_lossy(&line).into_owned());
            self.0.1.notify_all();
            line.clear();
        }
        self.written().ended = true;
        self.0.1.notify_all();
    }

    pub(crate) fn written(&self) -> MutexGuard<'_, Written> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.written().lines.clone()
    }

    pub(crate) fn wait_until<T>(&self, what: &str, mut find: impl FnMut(&Written) -> Option<T>) -> T {
        let mut found = None;
        let waits = |written: &mut Written| {
            found = find(written);
            found.is_none() && !written.ended
        };
        let waited = self.0.1.wait_timeout_while(self.written(), PATIENCE, waits);
        let (written, _) = waited.unwrap_or_else(PoisonError::into_inner);
        found.unwrap_or_else(|| {
            let last = written.lines[written.lines.len().saturating_sub(20)..].join("\n  ");
            panic!("waited in vain for {what}; the output (ended: {}) closes with\n  {last}", written.ended)
        })
    }

    fn has_line_within(&self, line: &str, time: Duration) -> bool {
        let is_missing =
            |written: &mut Written| !written.ended && written.lines.iter().all(|there| there != line);
        let waited = self.0.1.wait_timeout_while(self.written(), time, is_missing);
        let (written, _) = waited.unwrap_or_else(PoisonError::into_inner);
        written.lines.iter().any(|there| there == line)
    }

    pub(crate) fn wait_for_line(&self, line: &str) {
        self.wait_until(line, |output| {
            output.lines.iter().rev().any(|there| in_any_room(there) == line).then_some(())
        });
    }

    /// Waits until there are this many lines.
    pub(crate) fn wait_for_lines(&self, count: usize) {
        self.wait_until(&format!("{count} lines"), |output| (output.lines.len() >= count).then_some(()));
    }

    /// Waits for each of these lines, in any order.
    pub(crate) fn wait_until_all(&self, what: &str, lines: &BTreeSet<String>) {
        let (mut missing, mut read) = (lines.clone(), 0);
        let waits = |written: &mut Written| {
            for line in &written.lines[read..] {
                missing.remove(line);
            }
            read = written.lines.len();
            !missing.is_empty() && !written.ended
        };
        drop(self.0.1.wait_timeout_while(self.written(), PATIENCE, waits));
        assert!(missing.is_empty(), "{} of {} {what} are missing: {missing:#?}", missing.len(), lines.len());
    }

    /// All that was written up to the end.
    pub(crate) fn all(&self) -> Vec<String> {
        self.wait_until("the end", |output| output.ended.then(|| output.lines.clone()))
    }
}
