//! A confirmed message is kept. The server is killed again and again while a client talks, and nothing is lost or
//! doubled.
//!
//! With `--history-sync disk` the power fails, too: everything that is not on the disk is taken away.
//!
//! `CHAT_KILLS=200 cargo test -p chat-cli --test durability` kills it 200 times.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

#[cfg(target_os = "linux")]
mod power;
mod support;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use support::{CHAT, Directory, Process, Server, client_command_over, free_address};

/// How often to kill the server unless `CHAT_KILLS` says otherwise.
const KILLS: u32 = 8;

/// The numbers of the lines in the history, in order.
fn kept(file: &Path) -> Vec<u64> {
    let output = Command::new(CHAT).args(["history", file.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().filter_map(|line| line.split_once("] line ")?.1.parse().ok()).collect()
}

/// The number of a line that the room has confirmed to the client.
fn confirmed(report: &str) -> Option<u64> {
    let text = report.split_once(r#""text":"line "#)?.1;
    report.contains(r#""own":true"#).then(|| text.split('"').next()?.parse().ok()).flatten()
}

/// How a server runs, and how it ends.
struct Life {
    address: SocketAddr,
    directory: Directory,
    transport: &'static str,
    sync: &'static str,
    /// The library that notes which writes are not on the disk.
    #[cfg(target_os = "linux")]
    library: Option<PathBuf>,
}

impl Life {
    fn new(transport: &'static str, sync: &'static str) -> Self {
        Self {
            address: free_address(),
            directory: Directory::new(),
            transport,
            sync,
            #[cfg(target_os = "linux")]
            library: None,
        }
    }

    fn file(&self) -> PathBuf {
        self.directory.root().join("chat.db")
    }

    fn server(&self) -> Server {
        let mut command = Command::new(CHAT);
        command.args([
            "server",
            self.transport,
            "--bind",
            &self.address.to_string(),
            "--history-sync",
            self.sync,
        ]);
        command.arg("--history").arg(self.file()).env_remove("XDG_RUNTIME_DIR");
        #[cfg(target_os = "linux")]
        if let Some(library) = &self.library {
            command.env("LD_PRELOAD", library);
        }
        Server::run(&mut command)
    }

    /// Kills the server. If unsynced writes are noted, takes them away.
    fn end(&self, running: &mut Server, kill: u32) {
        running.process.kill();
        running.process.exit_code();
        #[cfg(target_os = "linux")]
        if self.library.is_some() {
            power::lose(&self.file(), (kill % 2 == 1).then_some(u64::from(kill)));
        }
        #[cfg(not(target_os = "linux"))]
        let _ = kill;
    }
}

fn nothing_is_lost_or_doubled(life: &Life) {
    let (transport, address, file) = (life.transport, life.address, &life.file());
    let kills = std::env::var("CHAT_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let mut running = life.server();
    let mut client =
        Process::start(&mut client_command_over(transport, address, &["--json", "--stay", "--reconnect"]));
    let mut stdin = client.stdin();
    // The client says as much as the room takes until it is told to stop. Then its stdin is closed.
    let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(0);
    let talking = thread::spawn(move || {
        let mut said = 0;
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            said += 1;
            writeln!(stdin, r#"{{"type":"say","text":"line {said}"}}"#).unwrap();
        }
        said
    });
    let newest = |at_least: u64| {
        client.stdout.wait_until("a confirmation", |output| {
            let newest = output.lines.iter().rev().find_map(|line| confirmed(line));
            newest.filter(|&newest| newest >= at_least)
        })
    };
    let mut seen = 0;
    for kill in 0..kills {
        // Kill at another moment each time.
        seen = newest(seen + 1 + u64::from(kill) * 7919 % 2_000);
        life.end(&mut running, kill);
        seen = newest(seen);
        let kept = kept(file);
        assert!(kept.contains(&seen), "line {seen} was confirmed, and is not there: {:?}", kept.last());
        assert!(kept.iter().copied().eq(1..=kept.len() as u64), "each line once, and in order");
        running = life.server();
    }
    drop(stop);
    let said = talking.join().unwrap();
    newest(said);
    assert!(kept(file).into_iter().eq(1..=said), "all {said} lines, each once");
    let reports = client.stdout.lines();
    assert!(
        !reports.iter().any(|line| line.contains(r#""type":"unsure""#)),
        "it is always known what was taken"
    );
}

#[test]
fn over_tcp_nothing_confirmed_is_lost_and_nothing_is_said_twice_however_often_the_server_is_killed() {
    nothing_is_lost_or_doubled(&Life::new("tcp", "os"));
}

#[test]
fn over_udp_nothing_confirmed_is_lost_and_nothing_is_said_twice_however_often_the_server_is_killed() {
    nothing_is_lost_or_doubled(&Life::new("udp", "os"));
}

#[cfg(target_os = "linux")]
#[test]
fn with_disk_nothing_confirmed_is_lost_however_often_the_power_fails() {
    let Some(library) = power::library() else { return };
    let life = Life { library: Some(library), ..Life::new("tcp", "disk") };
    nothing_is_lost_or_doubled(&life);
}

#[cfg(target_os = "linux")]
#[test]
fn with_os_a_loss_of_power_may_cost_the_newest_messages_and_never_the_file() {
    const MESSAGES: u64 = 2_000;
    let Some(library) = power::library() else { return };
    let mut has_lost = false;
    for kill in 0..4 {
        let life = Life { library: Some(library.clone()), ..Life::new("tcp", "os") };
        let mut running = life.server();
        let mut client = Process::start(&mut client_command_over("tcp", life.address, &["--json", "--stay"]));
        (1..=MESSAGES)
            .for_each(|number| client.type_line(&format!(r#"{{"type":"say","text":"line {number}"}}"#)));
        client.stdout.wait_until("the last confirmation", |output| {
            output.lines.iter().rev().find_map(|line| confirmed(line)).filter(|&newest| newest == MESSAGES)
        });
        life.end(&mut running, kill);
        let _again = life.server();
        let kept = kept(&life.file());
        has_lost |= (kept.len() as u64) < MESSAGES;
        assert!(kept.iter().copied().eq(1..=kept.len() as u64), "what is left is the beginning");
    }
    assert!(has_lost, "else the power has not failed");
}
