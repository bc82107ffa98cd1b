//! An operator controls a server without a terminal over its control socket.
#![cfg(unix)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use support::{CHAT, Directory, Process, Server};

impl Directory {
    fn socket(&self) -> PathBuf {
        self.root().join("control")
    }
}

fn server_at(socket: &Path) -> Server {
    Server::with(&["--socket", socket.to_str().expect("UTF-8")])
}

/// Runs `chat admin`. Returns the exit code and what it wrote on stdout and stderr.
fn admin(socket: &Path, command: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(CHAT)
        .args(["admin", "--socket"])
        .arg(socket)
        .args(command)
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    read(output)
}

fn read(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn its_commands_are_those_of_the_console() {
    let directory = Directory::new();
    let socket = directory.socket();
    let mut server = server_at(&socket);
    let (mut ann, bob) = (server.peer(), server.peer());
    let mut names = [ann.name.clone(), bob.name.clone()];
    names.sort();
    let (code, stdout, _) = admin(&socket, &["who"]);
    assert_eq!(code, Some(0));
    assert!(
        stdout.contains(" present, 1 local\n") && names.iter().all(|name| stdout.contains(name)),
        "{stdout}"
    );
    assert!(admin(&socket, &["/who"]).1.contains(&names[0]), "with a slash, too");
    assert_eq!(admin(&socket, &["say", "back", "at five"]), (Some(0), String::new(), String::new()));
    ann.read_up_to("[*] back at five");
    assert_eq!(admin(&socket, &["kick", &bob.name, "--no", "spam"]).0, Some(0));
    server.has_closed(&bob.name, Some("kicked: --no spam"));
    let (code, stdout, stderr) = admin(&socket, &["kick", &bob.name]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.starts_with("error: ") && stderr.contains("/who tells who is"), "{stderr}");
    assert_eq!(admin(&socket, &["quit"]).0, Some(0));
    assert_eq!(server.process.exit_code(), Some(0));
    let (code, _, stderr) = admin(&socket, &["who"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("cannot open the control socket") && stderr.contains("hint: "), "{stderr}");
}

#[test]
fn the_lines_of_a_pipe_are_done_one_by_one() {
    let directory = Directory::new();
    let server = server_at(&directory.socket());
    let mut ann = server.peer();
    let mut admin = Process::start(Command::new(CHAT).args(["admin", "--socket"]).arg(directory.socket()));
    // Some programs on Windows begin with a byte order mark.
    admin.type_line("\u{feff}/who");
    admin.type_line("good morning");
    admin.type_line("/nonsense");
    admin.type_line("//slash");
    admin.end_of_input();
    assert_eq!(admin.exit_code(), Some(1));
    assert!(admin.stdout.all().iter().any(|line| line.starts_with(&format!("{} (tcp, here for", ann.name))));
    assert!(admin.stderr.all()[0].starts_with("error: There is no /nonsense"));
    assert_eq!(ann.read_up_to("[*] /slash"), ["[*] good morning", "[*] /slash"]);
}

#[test]
fn only_its_owner_may_use_the_socket_which_goes_with_the_server_and_is_taken_from_a_dead_one() {
    let directory = Directory::new();
    let socket = directory.socket();
    let mut first = server_at(&socket);
    let mode = fs::metadata(&socket).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // A second server does not take the socket from a running one.
    let mut command = Command::new(CHAT);
    command.args(["server", "tcp", "--bind", "127.0.0.1:0", "--socket"]).arg(&socket);
    let mut second = Process::start(&mut command);
    assert_eq!(second.exit_code(), Some(1));
    let stderr = second.stderr.all().join("\n");
    assert!(stderr.contains("another server has it"), "{stderr}");
    assert_eq!(admin(&socket, &["who"]).0, Some(0), "the first one still has it");
    first.process.kill();
    first.process.exit_code();
    assert!(socket.exists());
    let mut third = server_at(&socket);
    assert_eq!(admin(&socket, &["who"]).0, Some(0));
    third.process.terminate();
    assert_eq!(third.process.exit_code(), Some(0));
    assert!(!socket.exists());
    // A file that is not a socket belongs to somebody else and stays.
    fs::write(&socket, "precious").expect("it can be written");
    let mut fourth = Process::start(&mut command);
    assert_eq!(fourth.exit_code(), Some(1));
    assert_eq!(fs::read_to_string(&socket).expect("it is there"), "precious");
}

#[test]
fn the_only_server_of_a_user_is_found() {
    let directory = Directory::new();
    let start = || {
        let mut command = Command::new(CHAT);
        command.args(["server", "tcp", "--bind", "127.0.0.1:0"]).env("XDG_RUNTIME_DIR", directory.root());
        Server::run(&mut command)
    };
    let admin = |command: &str| {
        let mut chat = Command::new(CHAT);
        chat.args(["admin", command]).env("XDG_RUNTIME_DIR", directory.root()).stdin(Stdio::null());
        read(chat.output().expect("it runs"))
    };
    let (code, _, stderr) = admin("who");
    assert!(code == Some(1) && stderr.contains("--socket"), "{stderr}");
    let first = start();
    let (code, stdout, _) = admin("who");
    assert!(code == Some(0) && stdout.contains("(local, "), "{stdout}");
    let second = start();
    let (code, _, stderr) = admin("who");
    assert_eq!(code, Some(1));
    for server in [&first, &second] {
        assert!(stderr.contains(&format!("chat-{}.sock", server.address.port())), "{stderr}");
    }
    drop(second);
    assert_eq!(admin("who").0, Some(0), "one that was killed does not count");
}

#[test]
fn consoles_have_a_maximum_and_what_is_no_request_ends_one() {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixStream;
    let directory = Directory::new();
    let _server = server_at(&directory.socket());
    let connect = || UnixStream::connect(directory.socket()).expect("it listens");
    let mut consoles: Vec<_> = (0..8).map(|_| connect()).collect();
    for console in &mut consoles {
        console.write_all(b"{\"complete\":\"/w\"}\n").expect("it reads");
        let mut answer = String::new();
        BufReader::new(console).read_line(&mut answer).expect("it answers");
        assert_eq!(answer, "{\"choices\":[\"/who \"]}\n");
    }
    // The server closes the console without reading its request, before or after the request was sent.
    for _ in 0..20 {
        let (code, _, stderr) = admin(&directory.socket(), &["who"]);
        assert!(code == Some(1) && stderr.contains("8 consoles"), "{stderr}");
    }
    consoles[0].write_all(b"GET / HTTP/1.1\r\n\r\n").expect("it reads");
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut consoles[0], &mut rest).expect("it ends");
    assert!(rest.is_empty());
}

#[test]
fn operators_are_told_if_a_change_of_the_bans_cannot_be_stored() {
    let directory = Directory::new();
    let (socket, bans) = (directory.socket(), directory.root().join("bans.toml"));
    let password = directory.root().join("password");
    fs::write(&password, "open sesame\n").expect("it can be written");
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let (at, kept, word) = (path(&socket), path(&bans), path(&password));
    let server = Server::with(&["--socket", &at, "--bans", &kept, "--operator-password-file", &word]);
    let mut ann = server.peer();
    ann.send("/oper open sesame\n");
    ann.read_up_to("[*] You are an operator. /help lists what you can do.");
    // A new file cannot be put in the place of the old one.
    let in_the_way = directory.root().join("bans.toml.new");
    fs::create_dir(&in_the_way).expect("it is not there");
    let error = fs::File::create(&in_the_way).expect_err("it is a directory");
    let why = format!(
        "The bans hold now, but their file does not say the same, so a restart would undo the last changes: cannot write the file of bans {kept}: {error}"
    );

    let (code, stdout, stderr) = admin(&socket, &["ban", "bob"]);
    assert_eq!((code, stdout.as_str()), (Some(1), "bob is banned\n"));
    assert!(stderr.starts_with(&format!("error: {why}")), "{stderr}");
    ann.read_up_to(&format!("[*] {why}"));
    ann.send("/ban eve\n");
    ann.read_up_to(&format!("[*] {why}"));
    let (code, _, stderr) = admin(&socket, &["unban", "bob"]);
    assert!(code == Some(1) && stderr.contains(&why), "{stderr}");
    assert_eq!(admin(&socket, &["bans"]), (Some(0), "eve\n".to_owned(), String::new()));

    fs::remove_dir(&in_the_way).expect("it is there");
    let banned = "ida is banned\n".to_owned();
    assert_eq!(admin(&socket, &["ban", "ida"]), (Some(0), banned, String::new()));
    let stored = fs::read_to_string(&bans).expect("it is there");
    assert!(stored.contains("eve") && stored.contains("ida") && !stored.contains("bob"), "{stored}");
}
