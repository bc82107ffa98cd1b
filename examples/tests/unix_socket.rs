//! The Unix-domain socket transport keeps the contract of a transport, and its program does what it says.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

#[path = "../unix_socket/transport/mod.rs"]
mod transport;

use std::env;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use chat_core::Room;
use chat_testkit::conformance::{Heard, Medium, Peer, Promises};
use transport::UnixTransport;

/// A generous limit for everything that takes milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A path that no other test uses.
fn fresh_path() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    env::temp_dir().join(format!("chat-{}-{number}.sock", std::process::id()))
}

// ---- the kit -----------------------------------------------------------------------------------

chat_testkit::conformance_tests!(Unix);

struct Unix;

struct UnixPeer {
    socket: UnixStream,
    unread: Vec<u8>,
}

impl Medium for Unix {
    type Transport = UnixTransport;
    type Address = PathBuf;
    type Peer = UnixPeer;

    fn promises(&self) -> Promises {
        // The system holds sent data until it is read, about 200 KiB on Linux.
        Promises::default().with_echo(false).with_unread_bytes_max(512 * 1024)
    }

    fn open(&self, room: &Room) -> (UnixTransport, PathBuf) {
        let path = fresh_path();
        (UnixTransport::bind(&path, room).unwrap(), path)
    }

    fn connect(&self, path: &PathBuf) -> UnixPeer {
        UnixPeer { socket: UnixStream::connect(path).unwrap(), unread: Vec::new() }
    }
}

impl Peer for UnixPeer {
    fn say(&mut self, line: &[u8], deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(now()).max(Duration::from_millis(1));
        self.socket.set_write_timeout(Some(left)).unwrap();
        self.socket.write_all(&[line, b"\n"].concat()).is_ok()
    }

    fn hear(&mut self, deadline: Instant) -> Option<Heard> {
        loop {
            if let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Some(Heard::from_line(std::str::from_utf8(&line[..end]).unwrap()));
            }
            let left = deadline.saturating_duration_since(now()).max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(left)).unwrap();
            let mut buffer = [0; 1024];
            match self.socket.read(&mut buffer) {
                Ok(0) => return Some(Heard::End),
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if now() >= deadline {
                        return None;
                    }
                }
                Err(_) => return Some(Heard::End),
            }
        }
    }

    fn end(self) {}

    fn vanish(self) {}
}

#[expect(clippy::disallowed_methods, reason = "real sockets take real time")]
fn now() -> Instant {
    Instant::now()
}

// ---- the program -------------------------------------------------------------------------------

/// The running example, killed when dropped.
struct Example(Child);

impl Example {
    fn command(path: &Path) -> Command {
        // Cargo builds the examples with the tests, next to them.
        let mut program = env::current_exe().unwrap();
        program.pop();
        program.pop();
        program.push("examples/unix_socket");
        let mut command = Command::new(program);
        command.arg(path).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(path: &Path) -> Self {
        let mut child = Self::command(path).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with(&format!("Listening on {}", path.display())), "{line}");
        Self(child)
    }

    /// Asks the example to end. It must end in order.
    fn stop(mut self) {
        let killed = Command::new("kill").arg("-TERM").arg(self.0.id().to_string()).status().unwrap();
        assert!(killed.success() && self.0.wait().unwrap().success());
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A plain member. A peer with an answered question has joined.
fn join(path: &Path) -> BufReader<UnixStream> {
    let mut socket = UnixStream::connect(path).unwrap();
    socket.write_all(b"/help nick\n").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut peer = BufReader::new(socket);
    assert!(hear(&mut peer).starts_with("[*] /nick"));
    peer
}

fn hear(peer: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    peer.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn peers_of_one_machine_talk_and_are_told_of_the_end() {
    let path = fresh_path();
    let example = Example::start(&path);
    let (mut ann, mut bob) = (join(&path), join(&path));
    bob.get_mut().write_all(b"here\n").unwrap();
    assert!(hear(&mut ann).ends_with("] here"));
    ann.get_mut().write_all(b"hello\nand good").unwrap();
    ann.get_mut().write_all(b" day\n").unwrap();
    assert!(hear(&mut bob).ends_with("] hello"));
    assert!(hear(&mut bob).ends_with("] and good day"));
    example.stop();
    for peer in [&mut ann, &mut bob] {
        assert_eq!((hear(peer).as_str(), hear(peer).as_str()), ("[*] The server is stopping", ""));
    }
    assert!(!path.exists(), "the socket's file goes with it");
}

#[test]
fn a_socket_left_by_a_server_that_died_is_replaced() {
    let path = fresh_path();
    drop(UnixListener::bind(&path).unwrap()); // leaves its file
    let example = Example::start(&path);
    let (mut ann, mut bob) = (join(&path), join(&path));
    bob.get_mut().write_all(b"this one lives\n").unwrap();
    assert!(hear(&mut ann).ends_with("] this one lives"));
    example.stop();
}

#[test]
fn neither_a_living_server_nor_a_file_is_replaced() {
    let path = fresh_path();
    let example = Example::start(&path);
    let second = Example::command(&path).output().unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains(&path.display().to_string()));
    example.stop();

    std::fs::write(&path, "precious").unwrap();
    assert!(!Example::command(&path).output().unwrap().status.success());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    std::fs::remove_file(&path).unwrap();
}
