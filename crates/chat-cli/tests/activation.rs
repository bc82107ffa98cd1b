//! A service manager opens the sockets and is told the state of the server.
#![cfg(target_os = "linux")]

mod support;

use std::io::Write;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use chat_testkit::uninterrupted;
use support::{CHAT, Directory, Killed, PATIENCE, Peer, Process};

/// A socket to which the server reports its state.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("chat-notify-{name}-{}", std::process::id()));
        let socket = UnixDatagram::bind(&path).expect("nobody else makes it");
        socket.set_read_timeout(Some(PATIENCE)).expect("it is no zero");
        Self { socket, path }
    }

    /// The next datagram that is not about the watchdog.
    fn told(&self) -> String {
        loop {
            let told = self.any();
            if told != "WATCHDOG=1\n" {
                return told;
            }
        }
    }

    fn any(&self) -> String {
        let mut buffer = [0; 1024];
        let count = uninterrupted(|| self.socket.recv(&mut buffer)).expect("the server tells something");
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.path);
    }
}

/// Starts `chat server` with two sockets as its descriptors 3 and 4.
fn activated(first: OwnedFd, second: OwnedFd, names: &str, flags: &str) -> (Killed, Process) {
    let script = format!(
        "exec 3<&0 4<&2 0</dev/null 2>&1; export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES={names}; exec {CHAT} server {flags}"
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).env_remove("XDG_RUNTIME_DIR");
    let child = command.stdin(Stdio::from(first)).stderr(Stdio::from(second)).stdout(Stdio::piped()).spawn();
    let mut child = child.expect("there is a shell");
    let stdout = child.stdout.take().expect("piped");
    // Another process reads the server's output, and the output of that process is collected.
    let reader = Process::start_with(Command::new("cat").stdin(Stdio::from(stdout)));
    (Killed(child), reader)
}

#[test]
fn the_sockets_of_a_service_manager_are_served() {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let addresses = [tcp.local_addr(), udp.local_addr()].map(|address| address.expect("bound"));
    // This peer connects before the server is there.
    let mut early = Peer::connect(addresses[0]);
    let (_server, output) = activated(tcp.into(), udp.into(), "chat:chat", "tcp udp");
    output.stdout.wait_for_line(&format!("[*] Listening on {} (tcp)", addresses[0]));
    output.stdout.wait_for_line(&format!("[*] Listening on {} (udp)", addresses[1]));
    early.send("hello\n");
    output.stdout.wait_for_line(&early.line("hello"));
    let plain = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    plain.send_to(b"good morning\n", addresses[1]).expect("it is sent");
    early.read_up_to(&format!("[{}] good morning", plain.local_addr().expect("bound")));
}

#[test]
fn a_socket_that_is_called_admin_has_the_metrics() {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let admin = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = admin.local_addr().expect("bound");
    let (_server, output) = activated(admin.into(), tcp.into(), "admin:chat", "tcp");
    output.stdout.wait_for_line(&format!("[*] Metrics on http://{address}/metrics"));
    assert!(healthz(address).ends_with("ok\n"));
}

#[test]
fn a_unix_socket_that_is_called_members_is_theirs_and_its_file_stays() {
    let directory = Directory::new();
    let path = directory.root().join("members");
    let unix = UnixListener::bind(&path).expect("nobody else makes it");
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = tcp.local_addr().expect("bound");
    let (mut server, output) = activated(unix.into(), tcp.into(), "members:chat", "tcp");
    output.stdout.wait_for_line(&format!("[*] Listening on {}", path.display()));
    let mut remote = Peer::connect(address);
    remote.send("from there\n");
    output.stdout.wait_for_line(&remote.line("from there"));
    let mut local = UnixStream::connect(&path).expect("it listens");
    local.write_all(b"from here\n").expect("it reads");
    remote.read_up_to("] from here");
    if Process::heeds("TERM") {
        let id = server.0.id().to_string();
        assert!(Command::new("kill").arg(&id).status().expect("it is everywhere").success());
        assert!(server.0.wait().expect("it ends").success());
        assert!(path.exists(), "the service manager looks after it");
    }
}

#[test]
fn the_files_of_a_service_manager_stay_after_a_take_over_too() {
    if !Process::heeds("TERM") {
        return;
    }
    let directory = Directory::new();
    let (members, control) = (directory.root().join("members"), directory.root().join("control"));
    let [first, second] = [&members, &control].map(|path| UnixListener::bind(path).expect("nobody is there"));
    let flags = format!("unix --bind {} --socket {}", members.display(), control.display());
    let (mut old, output) = activated(first.into(), second.into(), "members:control", &flags);
    output.stdout.wait_for_line(&format!("[*] Listening on {}", members.display()));
    let mut command = Command::new(CHAT);
    let mut new = Process::start(command.args(["server", "--take-over"]).args(flags.split(' ')));
    new.stdout.wait_for_line(&format!("[*] Listening on {}", members.display()));
    assert!(old.0.wait().expect("it ends").success());
    new.terminate();
    assert_eq!(new.exit_code(), Some(0), "{:?}", new.stderr.lines());
    assert!(members.exists() && control.exists(), "the service manager looks after them");
}

#[test]
fn a_number_of_sockets_that_cannot_be_is_refused() {
    for count in ["x", "-1", "129", "99999999"] {
        let script =
            format!("export LISTEN_PID=$$ LISTEN_FDS={count}; exec {CHAT} server tcp --bind 127.0.0.1:0");
        let mut server = Process::start(Command::new("sh").args(["-c", &script]));
        assert_eq!(server.exit_code(), Some(1));
        let stderr = server.stderr.all();
        assert!(stderr[0].contains(&format!("LISTEN_FDS is '{count}'")), "{stderr:?}");
    }
}

#[test]
fn a_connection_is_no_socket_to_listen_on() {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let peer = std::net::TcpStream::connect(tcp.local_addr().expect("bound")).expect("it listens");
    let (_server, output) = activated(peer.into(), tcp.into(), "chat:chat", "tcp");
    // Its stderr goes where its stdout goes.
    output.stdout.wait_for_line("error: socket 1 (chat) of the service manager is a connection");
    output.stdout.wait_for_line("hint: its unit must have Accept=no");
}

#[test]
fn a_service_manager_that_is_gone_is_told_of_once() {
    let mut command = Command::new(CHAT);
    command.args(["server", "tcp", "--bind", "127.0.0.1:0"]).env_remove("XDG_RUNTIME_DIR");
    // So many reports per second are due that this would be seen.
    command.env("NOTIFY_SOCKET", "/nowhere/notify").env("WATCHDOG_USEC", "1");
    let mut server = support::Server::run(&mut command);
    let mut peers = Vec::new();
    for _ in 0..10 {
        peers.push(server.peer());
    }
    server.process.kill();
    let warnings = server.process.stderr.all();
    assert!((1..=2).contains(&warnings.len()), "at the start, and by the watchdog: {warnings:?}");
}

fn healthz(address: SocketAddr) -> String {
    use std::io::Read;
    let mut socket = std::net::TcpStream::connect(address).expect("it listens");
    socket.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn a_service_manager_is_told_how_the_server_is() {
    if !Process::heeds("HUP") || !Process::heeds("TERM") {
        return;
    }
    let manager = Manager::new("told");
    let mut command = Command::new(CHAT);
    command.args(["server", "tcp", "--bind", "127.0.0.1:0"]).env_remove("XDG_RUNTIME_DIR");
    command.env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", "300000");
    let mut server = support::Server::run(&mut command);
    let address = server.address;
    assert_eq!(manager.told(), format!("READY=1\nSTATUS=listening on {address}\n"));
    // The server reports it again and again.
    let mut alive = 0;
    while alive < 3 {
        alive += usize::from(manager.any() == "WATCHDOG=1\n");
    }
    server.process.signal("HUP");
    let reloading = manager.told();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert!(manager.told().starts_with("READY=1\n"));
    server.process.terminate();
    assert_eq!(manager.told(), "STOPPING=1\n");
    assert_eq!(server.process.exit_code(), Some(0));
}
