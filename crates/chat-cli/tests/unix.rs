//! `chat server unix` and `chat client unix`.
#![cfg(unix)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use support::{CHAT, PATIENCE, Process, Server};

/// A socket file that is removed when this is dropped.
struct File(PathBuf);

impl File {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(std::env::temp_dir().join(format!("chat-unix-{}-{number}.sock", std::process::id())))
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a plain name")
    }

    fn server(&self, flags: &[&str]) -> Process {
        let mut command = Command::new(CHAT);
        command.args(["server", "unix", "--bind", self.path()]).args(flags);
        let server = Process::start(&mut command);
        server.stdout.wait_for_line(&format!("[*] Listening on {}", self.path()));
        server
    }

    /// A plain peer.
    fn peer(&self) -> BufReader<UnixStream> {
        let socket = UnixStream::connect(&self.0).expect("it listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("not zero");
        BufReader::new(socket)
    }

    fn client(&self, flags: &[&str]) -> Process {
        Process::start(Command::new(CHAT).args(["client", "unix", self.path()]).args(flags))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _gone_already = std::fs::remove_file(&self.0);
    }
}

/// The name that the system has for the user who runs this test.
fn user() -> String {
    let id = Command::new("id").arg("-u").output().expect("it is everywhere");
    format!("uid:{}", String::from_utf8(id.stdout).expect("a number").trim())
}

fn say(peer: &BufReader<UnixStream>, line: &str) {
    let mut socket = peer.get_ref();
    socket.write_all(format!("{line}\n").as_bytes()).expect("it reads");
}

/// Reads up to a line that ends with `end`. Returns that line.
fn read_up_to(peer: &mut BufReader<UnixStream>, end: &str) -> String {
    loop {
        let mut line = String::new();
        assert_ne!(peer.read_line(&mut line).expect("it writes"), 0, "no {end}");
        if line.trim_end().ends_with(end) {
            return line.trim_end().to_owned();
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn members_are_shown_as_their_users_and_no_two_alike() {
    let (file, user) = (File::new(), user());
    let _server = file.server(&[]);
    let (mut ann, mut bob) = (file.peer(), file.peer());
    say(&ann, "/who");
    read_up_to(&mut ann, " present");
    say(&bob, "/who");
    read_up_to(&mut bob, " present");
    say(&ann, "hello");
    assert_eq!(read_up_to(&mut bob, "hello"), format!("[{user}] hello"));
    say(&bob, "hi");
    assert_eq!(read_up_to(&mut ann, "hi"), format!("[{user}/unix] hi"));
    let mut client = file.client(&[]);
    client.type_line("good morning");
    assert_eq!(read_up_to(&mut ann, "good morning"), format!("[{user}/unix-2] good morning"));
    client.end_of_input();
    assert_eq!(client.exit_code(), Some(0));
}

#[test]
fn one_room_is_open_over_a_file_and_over_the_network() {
    let file = File::new();
    let server = Server::over(&["tcp", "udp", "unix"], &["--bind", file.path()]);
    server.process.stdout.wait_for_line(&format!("[*] Listening on {}", file.path()));
    let (mut remote, mut local) = (server.peer(), file.peer());
    say(&local, "/who");
    read_up_to(&mut local, " present");
    say(&local, "from here");
    remote.read_up_to("] from here");
    remote.send("from there\n");
    assert_eq!(read_up_to(&mut local, "from there"), remote.line("from there"));
}

#[test]
fn the_file_has_its_mode_and_goes_with_the_server() {
    for (flags, mode) in [([].as_slice(), 0o600), (["--mode", "666"].as_slice(), 0o666)] {
        let file = File::new();
        let mut server = file.server(flags);
        let there = std::fs::metadata(&file.0).expect("it is there");
        assert_eq!(there.permissions().mode() & 0o777, mode);
        assert!(there.file_type().is_socket());
        if !Process::heeds("TERM") {
            return;
        }
        server.terminate();
        assert_eq!(server.exit_code(), Some(0));
        assert!(!file.0.exists());
    }
}

#[test]
fn what_would_have_no_effect_without_a_file_or_beside_files_alone_is_refused() {
    let file = File::new();
    for (arguments, says) in [
        (["server", "tcp", "--mode", "660"].as_slice(), "add unix and its file, such as --bind ./chat.sock"),
        (&["server", "unix", "--bind", file.path(), "--bind", "127.0.0.1:5555"], "127.0.0.1 is none"),
        (&["server", "unix", "--bind", file.path(), "--threads", "2"], "--threads is for tcp"),
    ] {
        let mut server = Process::start(Command::new(CHAT).args(arguments));
        assert_eq!(server.exit_code(), Some(2), "{arguments:?}");
        let stderr = server.stderr.all().join("\n");
        assert!(stderr.contains(says), "{stderr}");
    }
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_or_a_file_is_not() {
    let file = File::new();
    drop(UnixListener::bind(&file.0).expect("nobody else is there")); // it leaves its file
    let _server = file.server(&[]);
    let second = |path: &str| {
        let mut server = Process::start(Command::new(CHAT).args(["server", "unix", "--bind", path]));
        (server.exit_code(), server.stderr.all().join("\n"))
    };
    let (code, stderr) = second(file.path());
    assert_eq!(code, Some(1));
    assert!(stderr.contains("another server listens there"), "{stderr}");
    say(&file.peer(), "still here");

    let text = File::new();
    std::fs::write(&text.0, "precious").expect("it is ours");
    assert_eq!(second(text.path()).0, Some(1));
    assert_eq!(std::fs::read(&text.0).expect("it is there"), b"precious");
}

#[test]
fn wrong_places_are_explained() {
    let file = File::new();
    for (arguments, code, said) in [
        (["client", "unix", file.path()].as_slice(), 1, "chat server unix --bind"),
        (["client", "unix", "127.0.0.1:5555"].as_slice(), 2, "chat client unix ./chat.sock"),
        (["client", "tcp", file.path()].as_slice(), 2, "chat client unix /"),
        (["server", "unix"].as_slice(), 2, "--bind ./chat.sock"),
        (["server", "unix", "--bind", "hall.sock"].as_slice(), 2, "--bind ./hall.sock"),
        (["server", "tcp", "--bind", file.path()].as_slice(), 2, "chat server unix --bind"),
        (["server", "unix", "--bind", "/nowhere/chat.sock"].as_slice(), 1, "its directory does not exist"),
    ] {
        let mut process = Process::start(Command::new(CHAT).args(arguments));
        assert_eq!(process.exit_code(), Some(code), "{arguments:?}");
        let stderr = process.stderr.all().join("\n");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
    }
}
