//! What the server writes: the conversation goes to stdout and to a log file, and its own events go to stderr.
#![cfg(unix)]

mod support;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use support::{CHAT, Directory, Process, Server, now};

/// Waits until a line of the file ends in `last`. Returns the lines up to it.
fn lines_up_to(path: &Path, last: &str) -> Vec<String> {
    let deadline = now() + support::PATIENCE;
    loop {
        let text = fs::read(path).map(|bytes| String::from_utf8(bytes).expect("text")).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if text.ends_with('\n') && lines.iter().any(|line| line.ends_with(last)) {
            return lines;
        }
        assert!(now() < deadline, "no line ends in {last:?}: {lines:#?}");
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
}

/// A line without its time stamp, such as `2026-11-26T03:32:26+01:00`.
fn unstamped(line: &str) -> &str {
    let (stamp, rest) = line.split_once(' ').expect("a stamp and a line");
    let shape: String = stamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape.replace('-', "+"), "0000+00+00T00:00:00+00:00", "{line}");
    rest
}

#[test]
fn the_log_file_has_the_conversation_with_date_and_time() {
    let directory = Directory::new();
    let file = directory.root().join("chat.log");
    fs::write(&file, "from before\n").expect("it can be written");
    let mut server = Server::with(&["--log-file", file.to_str().expect("UTF-8"), "--timestamps"]);
    let mut ann = support::Peer::connect(server.address);
    ann.send("hello\n");
    lines_up_to(&file, "] hello");
    server.process.terminate();
    assert_eq!(server.process.exit_code(), Some(0));
    let logged = lines_up_to(&file, "[*] The server is stopping");
    assert_eq!(logged[0], "from before");
    let logged: Vec<&str> = logged[1..].iter().map(|line| unstamped(line)).collect();
    assert_eq!(logged[0], format!("[*] Listening on {}", server.address));
    assert_eq!(logged[1], format!("[*] Accepted connection from {}", ann.name));
    assert_eq!(logged[2], ann.line("hello"));
    let printed = server.process.stdout.lines();
    let printed: Vec<&str> = printed.iter().map(|line| unstamped(line)).collect();
    assert_eq!(printed, logged, "with --timestamps stdout has the same");
}

#[test]
fn with_several_rooms_each_line_says_in_which_one_it_was() {
    let directory = Directory::new();
    let file = directory.root().join("chat.log");
    let flags = ["--room", "lobby", "--room", "dev", "--open-rooms", "1"];
    let mut server =
        Server::with(&[&flags[..], &["-v", "--log-file", file.to_str().expect("UTF-8")]].concat());
    let (mut ann, mut bob) = (server.peer(), server.peer());
    ann.send("hello\n");
    bob.read_up_to("] hello");
    for room in ["dev", "games"] {
        bob.send(format!("/join {room}\n"));
        bob.read_up_to(&format!("[*] You are in {room} now: 1 present"));
        bob.send(format!("in {room}\n"));
        lines_up_to(&file, &format!("] in {room}"));
    }
    bob.send("last words\n/quit\n");
    bob.read_to_end();
    ann.send("/who\n");
    ann.read_up_to("[*] 1 present");
    lines_up_to(&file, &format!("games [*] Connection closed by {}", bob.name));
    server.process.terminate();
    assert_eq!(server.process.exit_code(), Some(0));
    let logged = lines_up_to(&file, "lobby [*] The server is stopping");
    let logged: Vec<&str> = logged[1..].iter().map(|line| unstamped(line)).collect();
    let of = |room: &str| -> Vec<&str> {
        logged.iter().filter_map(|line| line.strip_prefix(room)?.strip_prefix(' ')).collect()
    };
    let (said, came) = (|text: &str| bob.line(text), format!("[*] Accepted connection from {}", bob.name));
    let left = format!("[*] Connection closed by {}", bob.name);
    assert_eq!(of("dev")[..3], [came.as_str(), &said("in dev"), &left]);
    assert_eq!(of("games"), [came.as_str(), &said("in games"), &said("last words"), &left]);
    assert!(of("lobby").contains(&ann.line("hello").as_str()));
    let mut printed = server.process.stdout.lines()[1..].to_vec();
    let mut logged: Vec<String> = logged.into_iter().map(str::to_owned).collect();
    printed.sort_unstable();
    logged.sort_unstable();
    assert_eq!(printed, logged, "stdout has the same");
    let told = server.process.stderr.lines().concat();
    assert!(told.contains("room=games"), "{told}");
}

#[test]
fn a_log_file_is_rotated_by_renaming_and_by_cutting() {
    if !Process::heeds("HUP") {
        return;
    }
    let directory = Directory::new();
    let (file, old) = (directory.root().join("chat.log"), directory.root().join("chat.log.1"));
    let server = Server::with(&["--log-file", file.to_str().expect("UTF-8")]);
    let mut ann = server.peer();
    ann.send("one\n");
    lines_up_to(&file, "] one");
    fs::rename(&file, &old).expect("it is there");
    server.process.signal("HUP");
    let deadline = now() + support::PATIENCE;
    while !file.exists() {
        assert!(now() < deadline, "it is never opened again");
        std::thread::yield_now();
    }
    ann.send("two\n");
    let lines = lines_up_to(&file, "] two");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(!lines_up_to(&old, "] one").concat().contains("two"));
    File::options().write(true).open(&file).and_then(|file| file.set_len(0)).expect("it can be cut");
    ann.send("three\n");
    assert_eq!(lines_up_to(&file, "] three").len(), 1);
    // A log file that cannot be opened again is still written to.
    fs::rename(&file, directory.root().join("chat.log.2")).expect("it is there");
    fs::create_dir(&file).expect("nothing is there");
    server.process.signal("HUP");
    server
        .process
        .stderr
        .wait_until("a warning", |output| output.lines.first()?.contains("again").then_some(()));
    ann.send("four\n");
    lines_up_to(&directory.root().join("chat.log.2"), "] four");
}

#[test]
fn a_log_file_that_cannot_be_opened_is_said_at_once() {
    let directory = Directory::new();
    for (path, hint) in [
        (directory.root().join("no/such/chat.log"), "directory"),
        (directory.root().to_owned(), "name a file"),
    ] {
        let mut command = Command::new(CHAT);
        command.args(["server", "tcp", "--bind", "127.0.0.1:0", "--log-file"]).arg(&path);
        let mut server = Process::start(&mut command);
        assert_eq!(server.exit_code(), Some(1));
        let stderr = server.stderr.all().join("\n");
        assert!(stderr.contains("cannot open the log file") && stderr.contains(hint), "{stderr}");
    }
}

// A limit on the size of files stands for a full disk, because it can be raised while the server runs.
#[cfg(target_os = "linux")]
#[test]
fn after_a_full_disk_the_log_goes_on_and_says_how_many_lines_are_missing() {
    let directory = Directory::new();
    let (stdout, file) = (directory.root().join("stdout"), directory.root().join("chat.log"));
    let address = support::free_address();
    let line = format!(
        "ulimit -S -f 2; exec {CHAT} server tcp --bind {address} --log-file {} > {}",
        file.display(),
        stdout.display()
    );
    let mut server = Process::start(Command::new("sh").args(["-c", &line]));
    let mut ann = support::Peer::connect_in_time(address);
    let text = "x".repeat(100);
    (0..50).for_each(|number| ann.send(format!("{number} {text}\n")));
    for name in ["stdout", "chat.log"] {
        let warning = format!("{name}; the room goes on");
        let count = |lines: &[String]| lines.iter().filter(|line| line.contains(&warning)).count();
        server.stderr.wait_until(&warning, |output| (count(&output.lines) == 1).then_some(()));
    }
    ann.send("nobody writes this\n");
    let pid = server.id().try_into().expect("small");
    let (mut full, mut hard) = (0, 0);
    let unlimited = Some((rlimit::INFINITY, rlimit::INFINITY));
    rlimit::prlimit(pid, rlimit::Resource::FSIZE, unlimited, Some((&mut full, &mut hard)))
        .expect("the soft limit may be raised");
    for path in [&stdout, &file] {
        let deadline = now() + support::PATIENCE;
        // This message may be lost like those before it.
        while !fs::read_to_string(path).expect("it is there").contains("] space again\n") {
            assert!(now() < deadline, "it never goes on");
            ann.send("space again\n");
            std::thread::park_timeout(std::time::Duration::from_millis(20));
        }
    }
    server.terminate();
    assert_eq!(server.exit_code(), Some(0));
    let mut totals = Vec::new();
    for path in [&stdout, &file] {
        let lines = lines_up_to(path, "[*] The server is stopping");
        let missing =
            lines.iter().position(|line| line.ends_with(" lines are missing here")).expect("it says so");
        let count: usize =
            lines[missing].split(' ').rev().nth(4).expect("a number").parse().expect("a number");
        assert!(count > 10, "{lines:#?}");
        // The file was written up to this size. The line in which that part ends is one of the missing ones.
        let before = fs::read(path).expect("it is there").into_iter().take(full.try_into().expect("small"));
        let before = before.filter(|&byte| byte == b'\n').count();
        totals.push(before + count + lines.len() - missing - 1);
    }
    assert_eq!(totals[0], totals[1], "written and missing are together the same");
    assert_eq!(
        server.stderr.lines().len(),
        4,
        "it complains once for each, and once more: {:?}",
        server.stderr.lines()
    );
}

/// A server with `-v`. Its stderr is collected.
fn verbose(flags: &[&str]) -> Server {
    Server::with(&[&["-v"], flags].concat())
}

#[test]
fn verbose_tells_what_happens_to_connections_and_quiet_does_not() {
    let (loud, quiet) = (verbose(&[]), Server::start());
    for server in [&loud, &quiet] {
        let mut ann = server.peer();
        ann.send("hello\n");
        server.process.stdout.wait_for_line(&ann.line("hello"));
        let name = ann.name.clone();
        drop(ann);
        server.has_closed(&name, None);
        for garbage in
            [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]
        {
            let mut peer = support::Peer::connect(server.address);
            peer.send(garbage);
            assert_eq!(peer.read_to_end(), [""; 0]);
            if std::ptr::eq(server, &raw const loud) {
                server.process.stderr.wait_until("why it was closed", |output| {
                    let is_it = |line: &String| {
                        line.contains(&peer.name) && line.contains("reason=not a chat client")
                    };
                    output.lines.iter().any(is_it).then_some(())
                });
            }
        }
        if std::ptr::eq(server, &raw const loud) {
            let lines = server.process.stderr.lines();
            let about = |what: &str| lines.iter().find(|line| line.contains(what) && line.contains(&name));
            let joined = about(" joined ").unwrap_or_else(|| panic!("{lines:#?}"));
            assert!(joined.starts_with("20") && joined.contains("Z  INFO joined"), "{joined}");
            assert!(
                about(" left ").is_some_and(|line| line.contains("reason=by its own choice")),
                "{lines:#?}"
            );
        }
    }
    quiet.process.terminate();
    let mut quiet = quiet.process;
    assert_eq!(quiet.exit_code(), Some(0));
    assert_eq!(quiet.stderr.lines(), [""; 0]);
}

#[test]
fn verbose_tells_who_takes_which_name() {
    let server = verbose(&[]);
    let mut ann = server.peer();
    ann.send("/nick ann\n");
    server.process.stderr.wait_until("the name", |output| {
        let renamed = format!("renamed peer={} name=ann", ann.name);
        output.lines.iter().any(|line| line.ends_with(&renamed)).then_some(())
    });
}

#[test]
fn diagnostics_are_json_if_asked() {
    let server = verbose(&["--log-format", "json"]);
    let ann = server.peer();
    let line = server
        .process
        .stderr
        .wait_until("the join", |output| output.lines.iter().find(|line| line.contains(&ann.name)).cloned());
    let object: serde_json::Value = serde_json::from_str(&line).expect("an object per line");
    assert_eq!((&object["level"], &object["message"]), (&"INFO".into(), &"joined".into()), "{line}");
    assert_eq!(object["peer"], ann.name.as_str());
    assert!(object["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
}

#[test]
fn a_stderr_that_nobody_reads_does_not_stop_the_room() {
    use std::io::Read;
    use std::process::Stdio;
    let address = support::free_address();
    let mut command = Command::new(CHAT);
    command.args(["server", "tcp", "-v", "--max-members", "2", "--bind", &address.to_string()]);
    let server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut server = support::Killed(server.expect("it starts"));
    let mut ann = support::Peer::connect_in_time(address);
    let mut bob = support::Peer::connect(address);
    ann.is_in();
    bob.is_in();
    // The thread that serves ann and bob writes a line about each refusal. A pipe holds 64 KiB, so these lines are
    // more than the pipe and the queue together.
    for _ in 0..2_000 {
        let mut refused = support::Peer::connect(address);
        refused.send("hello\n"); // a silent peer would wait, because the server first finds out what it speaks
        assert_eq!(refused.read_to_end(), ["[*] Closed: room is full"]);
    }
    for number in 0..100 {
        bob.send(format!("{number}\n"));
        ann.read_up_to(&bob.line(&number.to_string()));
    }
    let mut stderr = server.0.stderr.take().expect("piped");
    let _killed = server.0.kill();
    let mut written = String::new();
    stderr.read_to_string(&mut written).expect("text");
    assert!(written.len() >= 60_000, "it was stuck: {}", written.len());
}
