//! A server ends in order when it is asked to.
#![cfg(unix)]

mod support;

use std::io::Write;
use std::process::Command;
use std::thread;

use chat_core::{ClientConfig, ClientEnd, ClientEvent};
use support::{CHAT, Directory, PATIENCE, Peer, Process, Server};

/// How many messages the speaker may be ahead of what was printed: few enough that nobody lags on a busy machine.
const AHEAD_MAX: usize = 1_000;

#[test]
fn asked_to_end_under_load_the_server_gives_everyone_all_it_took_and_a_farewell() {
    let mut server = Server::start();
    let (mut framed, _) = server.client_that_hears(&["--stay"]);
    framed.end_of_input();
    let readers: Vec<Peer> = (0..5).map(|_| server.peer()).collect();
    let reading: Vec<_> =
        readers.into_iter().map(|mut peer| thread::spawn(move || peer.read_to_end())).collect();
    let mut speaker = server.peer();
    let mut hand = speaker.again();
    let name = speaker.name.clone();
    let printed = [server.process.stdout.clone(), framed.stdout.clone()];
    let speaking = thread::spawn(move || {
        let is_read = |number: usize| printed.iter().all(|output| output.grows_to(number));
        let said = |number| hand.socket.write_all(format!("{number}\n").as_bytes());
        (0_usize..)
            .take_while(|number| is_read(number.saturating_sub(AHEAD_MAX)))
            .map(said)
            .find(Result::is_err)
    });
    framed.stdout.wait_for_line(&format!("[{name}] 5000"));
    server.process.terminate();
    assert_eq!(server.process.exit_code(), Some(0), "{:?}", server.process.stderr.lines());
    speaking.join().unwrap();

    let read: Vec<_> = reading.into_iter().map(|reading| reading.join().unwrap()).collect();
    let messages = read[0].len() - 1;
    assert!(messages > 5_000);
    for lines in &read {
        assert_eq!(lines, &read[0], "everyone has the same");
    }
    for (number, line) in read[0][..messages].iter().enumerate() {
        assert_eq!(*line, format!("[{name}] {number}"));
    }
    assert_eq!(read[0][messages], "[*] The server is stopping");
    assert_eq!(framed.exit_code(), Some(1));
    assert_eq!(framed.stdout.lines(), read[0]);
    let of_server = server.process.stdout.lines();
    let said: Vec<_> = of_server.iter().filter(|line| line.starts_with(&format!("[{name}] "))).collect();
    assert_eq!(said.len(), messages, "stdout has them all");
    assert_eq!(speaker.read_to_end(), ["[*] The server is stopping"]);
}

#[test]
fn what_was_confirmed_before_the_server_ended_has_reached_the_others() {
    let mut server = Server::start();
    let mut reader = server.peer();
    let client = chat_tcp::connect(server.address, &ClientConfig::default()).unwrap();
    let mut confirmed = 0;
    let mut said = 0_u32;
    let end = loop {
        while said < 100_000 && client.try_say(&said.to_string()).is_ok() {
            said += 1;
        }
        match client.events().recv_timeout(PATIENCE).expect("the end comes in time") {
            ClientEvent::Entry { own: true, .. } => confirmed += 1,
            ClientEvent::Ended(end) => break end,
            _ => {}
        }
        if confirmed == 2_000 {
            server.process.terminate();
        }
    };
    assert!(matches!(end, ClientEnd::Dismissed(_)), "{end:?}");
    assert_eq!(server.process.exit_code(), Some(0));
    let lines = reader.read_to_end();
    assert_eq!(lines.len(), confirmed + 1, "neither less nor more");
    for (number, line) in lines[..confirmed].iter().enumerate() {
        assert!(line.ends_with(&format!("] {number}")), "{line}");
    }
}

#[test]
fn a_reader_that_takes_nothing_delays_the_servers_end_by_seconds_and_not_for_ever() {
    let mut server = Server::start();
    let _stalled = server.peer();
    let mut speaker = server.peer();
    let line = [&[b'x'; 900][..], b"\n"].concat();
    (0..20_000).for_each(|_| speaker.send(&line));
    server.process.terminate();
    assert_eq!(server.process.exit_code(), Some(0));
    assert_eq!(server.process.stderr.lines().len(), 1, "which is said: {:?}", server.process.stderr.lines());
}

#[test]
fn signals_that_come_together_are_one_request_to_end() {
    let mut server = Server::start();
    let mut listener = server.peer();
    // As timeout(1) does: to the program, and to its process group.
    let id = server.process.id();
    let line = format!("kill -TERM {id}; kill -TERM {id}; kill -INT {id}");
    assert!(Command::new("sh").args(["-c", &line]).status().expect("it runs").success());
    assert_eq!(server.process.exit_code(), Some(0), "{:?}", server.process.stderr.lines());
    assert_eq!(listener.read_to_end().last().map(String::as_str), Some("[*] The server is stopping"));
}

#[test]
fn a_server_that_stops_ends_the_client_with_one_and_says_so() {
    let mut server = Server::start();
    let (mut client, _) = server.client(&["--stay"]);
    let mut speaker = server.peer();
    client.hears(&mut speaker);
    server.process.terminate();
    assert_eq!(server.process.exit_code(), Some(0));
    client.stdout.wait_for_line("[*] The server is stopping");
    assert_eq!(client.exit_code(), Some(1));
    assert_eq!(client.stderr.lines(), ["error: the server closed the connection: server is stopping"]);
}

/// A server, started by a shell that runs `setup` first.
fn server_after(setup: &str) -> Server {
    let line = format!("{setup} exec {CHAT} server tcp --bind 127.0.0.1:0");
    Server::run(Command::new("sh").args(["-c", &line]))
}

/// Checks that everyone in the room hears everyone.
fn the_room_goes_on(server: &Server) {
    let (mut ann, mut bob) = (server.peer(), server.peer());
    ann.send("still here?\n");
    bob.read_up_to(&ann.line("still here?"));
}

#[test]
fn signals_that_were_ignored_at_the_start_stay_ignored() {
    let mut server = server_after("trap '' HUP INT;");
    for _ in 0..3 {
        server.process.signal("HUP");
        server.process.signal("INT");
        the_room_goes_on(&server);
    }
    server.process.terminate();
    assert_eq!(server.process.exit_code(), Some(0));
    let deaf = server_after("trap '' TERM;");
    deaf.process.terminate();
    the_room_goes_on(&deaf);
}

#[test]
fn the_signals_of_log_rotation_and_those_without_a_meaning_do_not_end_the_room() {
    let mut server = Server::start();
    let mut listener = server.peer();
    for signal in ["HUP", "USR1", "USR2", "HUP", "XFSZ"] {
        server.process.signal(signal);
        the_room_goes_on(&server);
    }
    server.process.terminate();
    assert_eq!(server.process.exit_code(), Some(0));
    // Each SIGHUP is answered, with the time before it; under nohup it is ignored.
    let answers = if Process::heeds("HUP") { 2 } else { 0 };
    let told = server.process.stderr.lines();
    assert!(told.iter().all(|line| line.ends_with("Z  INFO Read again.")), "{told:?}");
    assert_eq!(told.len(), answers, "{told:?}");
    assert!(listener.read_to_end().contains(&"[*] The server is stopping".to_owned()));
}

// Opening a history or connecting to NATS takes a while. A pipe that nobody writes to stands for them.
#[cfg(target_os = "linux")]
#[test]
fn a_server_that_is_still_starting_is_not_ended_by_log_rotation() {
    let directory = Directory::new();
    let pipe = directory.path("password");
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&pipe).status().expect("it runs").success());
    let mut command = Command::new(CHAT);
    command.args(["server", "tcp", "--bind", "127.0.0.1:0", "--operator-password-file"]).arg(&pipe);
    let server = Process::start(&mut command);
    // This waits until the server has opened the other end.
    let mut password = std::fs::OpenOptions::new().write(true).open(&pipe).expect("it opens");
    for signal in ["HUP", "USR1", "USR2", "XFSZ"] {
        server.signal(signal);
    }
    password.write_all(b"correct horse battery\n").expect("it reads");
    drop(password);
    server.stdout.wait_until("it to listen", |output| {
        output.lines.iter().any(|line| line.starts_with("[*] Listening on ")).then_some(())
    });
}

#[test]
fn a_client_ends_with_the_code_of_the_signal_that_ended_it() {
    let server = Server::start();
    let mut speaker = server.peer();
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        if !Process::heeds(signal) {
            continue;
        }
        let (mut client, _) = server.client(&["--stay"]);
        // The client handles signals before it prints anything, so wait until it prints.
        client.hears(&mut speaker);
        client.signal(signal);
        assert_eq!(client.exit_code(), Some(code), "{signal}");
    }
    // The client goes on if it was started with the signal ignored.
    let line = format!("trap '' INT; exec {CHAT} client tcp {}", server.address);
    let mut client = Process::start(Command::new("sh").args(["-c", &line]));
    client.type_line("before");
    server.process.stdout.wait_until("it to speak", |output| {
        output.lines.iter().any(|line| line.ends_with("] before")).then_some(())
    });
    client.signal("INT");
    client.type_line("after");
    client.end_of_input();
    assert_eq!(client.exit_code(), Some(0));
    server.process.stdout.wait_until("it to go on", |output| {
        output.lines.iter().any(|line| line.ends_with("] after")).then_some(())
    });
}
