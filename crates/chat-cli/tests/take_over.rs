//! A new server takes over from the old one. No message is lost, and nobody is refused.
#![cfg(unix)]

mod support;

use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;
use std::thread;

use support::{CHAT, Directory, Peer, Process, Server, client_command};

/// `chat server tcp udp` with a history. It takes over if a server is already running.
fn start(directory: &Directory, bind: &str) -> Server {
    let mut command = Command::new(CHAT);
    command.args(["server", "tcp", "udp", "--bind", bind, "--take-over", "--limit-loopback", "--rate", "0"]);
    command.args(["--socket", &directory.path("control"), "--history", &directory.path("chat.db")]);
    Server::run(command.env_remove("XDG_RUNTIME_DIR"))
}

#[test]
fn members_go_on_and_nothing_is_lost_or_said_twice() {
    const LINES: usize = 600;
    let directory = Directory::new();
    let mut old = start(&directory, &format!("{}:0", support::own_loopback()));
    let address = old.address;
    let listener = |transport| {
        let mut command =
            support::client_command_over(transport, address, &["--reconnect", "--stay", "--name", transport]);
        let client = Process::start(&mut command);
        old.process.stdout.wait_until("the listener", |output| {
            output.lines.iter().any(|line| line.ends_with(&format!(" {transport}"))).then_some(())
        });
        client
    };
    let listeners = [listener("tcp"), listener("udp")];
    let mut speaker = Process::start(&mut client_command(address, &["--reconnect", "--name", "ann"]));
    let (mut stdin, heard) = (speaker.stdin(), listeners[0].stdout.clone());
    let speaking = thread::spawn(move || {
        for number in 0..LINES {
            writeln!(stdin, "{number}").expect("the client reads");
            // Do not get far ahead of the listeners, so that the client speaks all the time.
            if number % 5 == 4 {
                heard.wait_for_line(&format!("[ann] {number}"));
            }
        }
    });
    listeners[0].stdout.wait_for_line("[ann] 99");
    let mut plain = Peer::connect(address);
    plain.send("hello\n");
    old.has_accepted(&plain.name);
    let new = start(&directory, &address.to_string());
    assert_eq!(new.address, address);
    assert_eq!(old.process.exit_code(), Some(0), "{:?}", old.process.stderr.lines());
    plain.read_up_to("[*] The server restarts");
    // Connect again at once, at the same address.
    let mut again = Peer::connect(address);
    again.send("I am back\n");
    speaking.join().expect("everything was heard");
    assert_eq!(speaker.exit_code(), Some(0), "everything is confirmed: {:?}", speaker.stderr.lines());
    again.send("that was all\n");
    let last = again.line("that was all");
    for listener in &listeners {
        listener.stdout.wait_for_line(&last);
        let lines = listener.stdout.lines();
        let said: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("[ann] ")).collect();
        let expected: Vec<String> = (0..LINES).map(|number| number.to_string()).collect();
        assert_eq!(said, expected, "in order, each once");
    }
    // The new server answers on the control socket as the old one did, and another server can take over from it.
    let mut who = Command::new(CHAT);
    let who = who.args(["admin", "--socket", &directory.path("control"), "who"]).output().expect("it runs");
    assert!(String::from_utf8_lossy(&who.stdout).contains("\nudp 127."), "{who:?}");
    let third = start(&directory, &address.to_string());
    let mut late = Peer::connect(third.address);
    late.send("and again\n");
    third.process.stdout.wait_for_line(&late.line("and again"));
}

#[test]
fn unix_sockets_go_over_too_and_their_files_go_with_the_last_server() {
    let directory = Directory::new();
    let (at, control, history) =
        (directory.path("chat.sock"), directory.path("control"), directory.path("db"));
    let start = || {
        let mut command = Command::new(CHAT);
        command.args([
            "server",
            "unix",
            "--bind",
            &at,
            "--take-over",
            "--socket",
            &control,
            "--history",
            &history,
        ]);
        let server = Process::start(command.env_remove("XDG_RUNTIME_DIR"));
        server.stdout.wait_for_line(&format!("[*] Listening on {at}"));
        server
    };
    let mut old = start();
    let mut command = Command::new(CHAT);
    command.args(["client", "unix", &at, "--reconnect", "--stay", "--json"]);
    let mut client = Process::start(&mut command);
    client.type_line(r#"{"type":"say","text":"before"}"#);
    old.stdout.wait_until("the message", |output| {
        output.lines.iter().any(|line| line.ends_with("] before")).then_some(())
    });
    let file = std::fs::metadata(&at).expect("it is there").ino();
    let mut new = start();
    assert_eq!(old.exit_code(), Some(0), "{:?}", old.stderr.lines());
    assert_eq!(std::fs::metadata(&at).expect("the next server has it").ino(), file);
    client.type_line(r#"{"type":"say","text":"after"}"#);
    new.stdout.wait_until("the message", |output| {
        output.lines.iter().any(|line| line.ends_with("] after")).then_some(())
    });
    if Process::heeds("TERM") {
        new.terminate();
        assert_eq!(new.exit_code(), Some(0), "{:?}", new.stderr.lines());
        assert!(!std::path::Path::new(&at).exists());
    }
}

/// `chat server --take-over` with these flags, which cannot start.
fn fails_to_take_over(directory: &Directory, flags: &[&str]) -> String {
    let mut command = Command::new(CHAT);
    command.args(["server", "tcp", "--take-over", "--socket", &directory.path("control")]).args(flags);
    let mut new = Process::start(&mut command);
    assert_eq!(new.exit_code(), Some(1), "{flags:?}");
    new.stderr.all().join("\n")
}

#[test]
fn a_server_that_cannot_start_takes_nothing_over() {
    let directory = Directory::new();
    let members = directory.path("members");
    let control = directory.path("control");
    let history = directory.path("chat.db");
    let tcp = format!("{}:0", support::own_loopback());
    let old = Server::at(
        &tcp,
        &["tcp", "unix"],
        &["--bind", &members, "--socket", &control, "--history", &history],
    );
    let bad = directory.path("other.db");
    std::fs::write(&bad, "this is no database, however long one looks at it").expect("it can be written");
    let third = directory.path("third.db");
    let _third = Server::with(&["--history", &third]);
    let no_file = directory.path("missing/file");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = taken.local_addr().expect("bound").to_string();
    for wrong in [
        ["--history", &bad].as_slice(),
        &["--history", &third],
        &["--history", &no_file],
        &["--bans", &bad],
        &["--log-file", &directory.path("")],
        &["--log-file", &no_file],
        &["--user", "no-such-user"],
        &["--room", "lobby", "--room", "lobby"],
        // Its own history, which only the rooms could be opened from.
        &["--history", &history, "--room", "lobby", "--room", "lobby"],
        &["--admin", &taken],
        &["unix", "--bind", &no_file],
        &["--tls", &bad, &bad],
        &["--nats", "nats://127.0.0.1:1", "--cluster-secret-file", &no_file],
    ] {
        let stderr = fails_to_take_over(&directory, wrong);
        assert!(stderr.contains("error: "), "{stderr}");
        // It goes on at all its sockets.
        old.peer();
        std::os::unix::net::UnixStream::connect(&members).expect("it listens there");
        let mut who = Command::new(CHAT);
        let who = who.args(["admin", "--socket", &control, "who"]).output().expect("it runs");
        assert!(who.status.success(), "{wrong:?}: {who:?}");
    }
}

#[test]
fn a_history_that_the_next_server_cannot_write_stays_with_the_one_that_can() {
    let directory = Directory::new();
    let old = start(&directory, &format!("{}:0", support::own_loopback()));
    let mut mode = std::fs::metadata(directory.root()).expect("it is there").permissions();
    mode.set_mode(0o555);
    std::fs::set_permissions(directory.root(), mode.clone()).expect("it is ours");
    let history = directory.path("chat.db");
    let flags = ["--history", &history, "--user", "nobody"];
    // Root may write everywhere.
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let stderr = fails_to_take_over(&directory, if is_root { &flags } else { &flags[..2] });
    mode.set_mode(0o755);
    std::fs::set_permissions(directory.root(), mode).expect("it is ours");
    assert!(stderr.contains("cannot use the history"), "{stderr}");
    old.peer();
}

#[test]
fn a_program_that_is_not_a_chat_server_hands_nothing_over() {
    let directory = Directory::new();
    let socket = directory.path("control");
    let other = std::os::unix::net::UnixListener::bind(&socket).expect("nobody is there");
    let closing = thread::spawn(move || drop(other.accept().expect("the server asks")));
    let mut command = Command::new(CHAT);
    let mut new = Process::start(command.args(["server", "tcp", "--take-over", "--socket", &socket]));
    assert_eq!(new.exit_code(), Some(1));
    closing.join().expect("it was asked");
    let stderr = new.stderr.all().join("\n");
    assert!(stderr.contains("cannot take over") && stderr.contains("it is not a chat server"), "{stderr}");
}
