//! Configuration files, errors in them, and the settings that can change while members are there.
#![cfg(unix)]

mod support;

use std::fs;
use std::process::{Command, Output, Stdio};

use support::{CHAT, Directory, Process, Server};

fn chat(arguments: &[&str]) -> Output {
    let mut command = Command::new(CHAT);
    command.args(arguments).env_remove("XDG_RUNTIME_DIR").stdin(Stdio::null());
    command.output().expect("it runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn start(config: &str, flags: &[&str]) -> Server {
    let mut command = Command::new(CHAT);
    command.args(["server", "--config", config]).args(flags).env_remove("XDG_RUNTIME_DIR");
    Server::run(&mut command)
}

#[test]
fn a_server_runs_as_its_file_says_and_flags_win() {
    let directory = Directory::new();
    let file =
        "transport = \"tcp\"\nbind = \"127.0.0.1:0\"\nannounce = true\nmax-members = 1\nverbose = true\n";
    let config = directory.write("chat.toml", file);
    let server = start(&config, &["--max-members", "2"]);
    let mut ann = server.peer();
    let bob = server.peer();
    ann.read_up_to(&format!("[*] {} joined", bob.name));
    let mut third = support::Peer::connect(server.address);
    assert_eq!(third.read_to_end(), ["[*] Closed: room is full"]);
    server.process.stderr.wait_until("-v from the file", |output| {
        output.lines.iter().any(|line| line.contains("joined")).then_some(())
    });
}

#[test]
fn what_is_printed_is_a_file_that_says_the_same() {
    let directory = Directory::new();
    let first =
        chat(&["server", "tcp", "udp", "--rate", "7", "--room", "lobby", "--room", "dev", "--print-config"]);
    let config = directory.write("chat.toml", &stdout(&first));
    let again = chat(&["server", "--config", &config, "--print-config"]);
    assert_eq!(stdout(&again), stdout(&first));
    assert!(stdout(&first).contains("\nrate = 7\n"), "{}", stdout(&first));
    assert!(chat(&["server", "--print-config"]).status.success(), "without a transport, too");
}

#[test]
fn a_file_that_is_wrong_is_refused_with_all_that_is_wrong() {
    let directory = Directory::new();
    let config = directory.write("chat.toml", "transport = \"tcp\"\nmax-member = 3\nrate = -1\n");
    let refused = chat(&["server", "--config", &config]);
    let text = stderr(&refused);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("line 2: there is no setting 'max-member'; did you mean 'max-members'?"), "{text}");
    assert!(text.contains("line 3: invalid value '-1' for '--rate <N>'"), "{text}");
    let config = directory.write("chat.toml", "rate = 3\n");
    let text = stderr(&chat(&["server", "--config", &config]));
    assert!(text.contains("no transport is named") && text.contains("transport = ["), "{text}");
    let text = stderr(&chat(&["server", "--config", &directory.path("none.toml")]));
    assert!(text.contains("none.toml") && text.contains("No such file"), "{text}");
}

#[test]
fn sighup_and_reload_apply_what_can_change_and_say_what_cannot() {
    if !Process::heeds("HUP") {
        return;
    }
    let directory = Directory::new();
    let (socket, password) = (directory.path("control"), directory.write("password", "open sesame\n"));
    let file = format!(
        "transport = [\"tcp\"]\nbind = \"127.0.0.1:0\"\nroom = [\"lobby\"]\nsocket = {socket:?}\n\
         operator-password-file = {password:?}\n"
    );
    let config = directory.write("chat.toml", &file);
    let server = start(&config, &[]);
    let mut ann = server.peer();
    let admin = |command: &str| chat(&["admin", "--socket", &socket, command]);
    assert_eq!(stdout(&admin("reload")), "Read again.\n");
    let changed = file.replace("[\"lobby\"]", "[\"lobby\", \"dev\"]")
        + "max-members = 1\nslow = \"1h\"\nthreads = 1\ntopic = \"news\"\n";
    directory.write("chat.toml", &changed);
    directory.write("password", "another one\n");
    let told = "Read again. Changed: max-members, room, slow, topic. Needs a restart: threads.\n";
    assert_eq!(stdout(&admin("reload")), told);
    ann.read_up_to("[*] configuration set the topic: news");
    let mut second = support::Peer::connect(server.address);
    assert_eq!(second.read_to_end(), ["[*] Closed: room is full"]);
    ann.send("/oper open sesame\n/oper another one\n/join dev\n");
    ann.read_up_to("[*] That is not the password");
    ann.read_up_to("[*] You are an operator. /help lists what you can do.");
    // A file with an error changes nothing.
    directory.write("chat.toml", "rat = 1\n");
    let refused = admin("reload");
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("did you mean 'rate'?"), "{}", stderr(&refused));
    // Nor does one that an editor has emptied before it writes it.
    directory.write("chat.toml", "");
    let refused = admin("reload");
    assert!(
        stderr(&refused).contains("The configuration stays as it was: no transport"),
        "{}",
        stderr(&refused)
    );
    directory.write("chat.toml", &file);
    server.process.signal("HUP");
    server.process.stderr.wait_until("what SIGHUP did", |output| {
        let told = "Read again. Changed: max-members, slow, topic. Needs a restart: room.";
        output.lines.iter().any(|line| line.contains(told)).then_some(())
    });
    server.peer();
}

#[test]
fn a_reload_that_fails_in_part_applies_the_rest_and_tells_what_stays() {
    let directory = Directory::new();
    let (socket, bans) =
        (directory.path("control"), directory.write("bans.toml", "[[ban]]\nwho = \"eve\"\n"));
    let (password, log) = (directory.write("password", "open sesame\n"), directory.path("chat.log"));
    let new_key = || {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        (params.self_signed(&key).expect("signed").pem(), key.serialize_pem())
    };
    let (certificate_pem, key_pem) = new_key();
    let (certificate, key) =
        (directory.write("cert.pem", &certificate_pem), directory.write("key.pem", &key_pem));
    let file = format!(
        "transport = \"tcp\"\nbind = \"127.0.0.1:0\"\nsocket = {socket:?}\nbans = {bans:?}\nlog-file = {log:?}\n\
         operator-password-file = {password:?}\ntls = [{certificate:?}, {key:?}]\n"
    );
    let config = directory.write("chat.toml", &file);
    let server = start(&config, &[]);
    let admin = |command: &str| chat(&["admin", "--socket", &socket, command]);
    let reload = || {
        let answer = admin("reload");
        (answer.status.code(), stdout(&answer) + &stderr(&answer))
    };
    // The certificate and the bans are broken, the limit and the topic are not.
    directory.write("chat.toml", &format!("{file}max-members = 1\ntopic = \"news\"\n"));
    directory.write("cert.pem", "no certificate\n");
    directory.write("bans.toml", "[[ban]\n");
    let (code, told) = reload();
    assert_eq!(code, Some(1), "{told}");
    for part in
        ["Changed: max-members, topic.", "the TLS certificate stays as it was", "the bans stay as they were"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(stdout(&admin("bans")), "eve\n");
    let mut ann = server.peer();
    let mut second = support::Peer::connect(server.address);
    assert_eq!(second.read_to_end(), ["[*] Closed: room is full"]);
    // Now the password and the log file are, and the certificate is another one.
    let (certificate_pem, key_pem) = new_key();
    directory.write("cert.pem", &certificate_pem);
    directory.write("key.pem", &key_pem);
    directory.write("bans.toml", "[[ban]]\nwho = \"bob\"\n");
    directory.write("password", "short\n");
    fs::remove_file(&log).expect("it is there");
    fs::create_dir(&log).expect("it is ours");
    let (code, told) = reload();
    assert_eq!(code, Some(1), "{told}");
    for part in ["limits and password stay as they were", "the log file stays as it was"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("certificate") && !told.contains("bans"), "{told}");
    ann.send("/oper open sesame\n");
    ann.read_up_to("[*] You are an operator. /help lists what you can do.");
    // And once everything is right, everything is done.
    fs::remove_dir(&log).expect("it is empty");
    directory.write("password", "open sesame\n");
    assert_eq!(reload(), (Some(0), "Read again. Changed: max-members, topic.\n".to_owned()));
    assert_eq!(reload(), (Some(0), "Read again.\n".to_owned()));
}

#[test]
fn a_check_tells_all_that_is_wrong() {
    let directory = Directory::new();
    let good = chat(&["server", "tcp", "--bind", "127.0.0.1:0", "--tls", "self-signed", "--check"]);
    assert_eq!(
        (good.status.code(), stdout(&good).as_str()),
        (Some(0), "nothing is wrong\n"),
        "{}",
        stderr(&good)
    );
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let (key, other) =
        (rcgen::KeyPair::generate().expect("a key"), rcgen::KeyPair::generate().expect("a key"));
    let certificate = directory.write("cert.pem", &params.self_signed(&key).expect("signed").pem());
    let key = directory.write("key.pem", &key.serialize_pem());
    let other = directory.write("other.pem", &other.serialize_pem());
    let (password, bans) =
        (directory.write("password", "short\n"), directory.write("bans", "[[ban]]\nwhom = 1\n"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let history = directory.write("history.db", "no database, but long enough to look at");
    let checked = chat(&[
        "server",
        "tcp",
        "--check",
        "--bind",
        &address,
        "--tls",
        &certificate,
        &key,
        "--operator-password-file",
        &password,
        "--bans",
        &bans,
        "--history",
        &history,
    ]);
    let text = stderr(&checked);
    assert_eq!(checked.status.code(), Some(1), "{text}");
    let nowhere = directory.path("missing/file");
    for (flag, value, wrong) in [
        ("--log-file", nowhere.as_str(), "cannot open the log file"),
        ("--socket", &nowhere, "cannot open the control socket"),
        ("--bans", &nowhere, "cannot write the file of bans"),
        ("--history", &nowhere, "for the history"),
        ("--user", "no-such-user", "there is no user"),
    ] {
        let checked = chat(&["server", "tcp", "--check", "--bind", "127.0.0.1:0", flag, value]);
        assert_eq!(checked.status.code(), Some(1), "{flag}");
        assert!(stderr(&checked).contains(wrong), "{flag}: {}", stderr(&checked));
    }
    let address_for_both = support::free_address().to_string();
    let checked =
        chat(&["server", "tcp", "--check", "--bind", &address_for_both, "--admin", &address_for_both]);
    assert!(stderr(&checked).contains("choose another one for --admin"), "{}", stderr(&checked));
    for wrong in [
        "the TLS certificate expired at 2020-01-01T00:00:00",
        "there is no operator password",
        "cannot understand the file of bans",
        "cannot use the history",
        &format!("cannot listen on {address}"),
    ] {
        assert!(text.contains(wrong), "{wrong}: {text}");
    }
    let checked = chat(&["server", "tcp", "--check", "--bind", "127.0.0.1:0", "--tls", &certificate, &other]);
    assert!(stderr(&checked).contains("the key must be the certificate's own"), "{}", stderr(&checked));
}

#[test]
fn a_check_beside_the_running_server_leaves_its_addresses_alone() {
    let directory = Directory::new();
    let (socket, history) = (directory.path("control"), directory.path("chat.db"));
    let flags = ["--socket", &socket, "--history", &history];
    let server = Server::with(&flags);
    let address = server.address.to_string();
    let mut arguments = vec!["server", "tcp", "--check", "--bind", &address];
    arguments.extend(flags);
    let checked = chat(&arguments);
    assert!(checked.status.success() && stdout(&checked).contains("were not tried"), "{}", stderr(&checked));
}

#[test]
fn nobody_complains_when_only_the_beginning_of_its_output_is_read() {
    for arguments in [
        ["server", "--print-config"].as_slice(),
        &["server", "tcp", "--check", "--bind", "127.0.0.1:0"],
        &["doctor", "127.0.0.1:1"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(CHAT);
        command.args(arguments).env_remove("XDG_RUNTIME_DIR").stdin(Stdio::null()).stdout(writer);
        let output = command.stderr(Stdio::piped()).output().expect("it runs");
        assert_eq!(stderr(&output), "", "{arguments:?}");
    }
}
