//! The disk of the history becomes full while a client talks, and has space again later.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{TryRecvError, sync_channel};
use std::thread;

use support::{CHAT, Process, Server, client_command};

/// A small file system of the test's own. Only root can mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let directory =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("full-disk-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(&directory).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(directory));
        }
        fs::remove_dir(&directory).unwrap();
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server may not have closed its files yet.
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{} stays mounted", self.0.display());
        fs::remove_dir(&self.0).unwrap();
    }
}

/// The number of the line in a report that contains this.
fn number(report: &str, what: &str) -> Option<u64> {
    let text = report.split_once(r#""text":"line "#)?.1;
    report.contains(what).then(|| text.split('"').next()?.parse().ok()).flatten()
}

fn numbers(reports: &[String], what: &str) -> BTreeSet<u64> {
    reports.iter().filter_map(|report| number(report, what)).collect()
}

const CONFIRMED: &str = r#""own":true"#;
const REFUSED: &str = r#""type":"not_said""#;

#[test]
fn while_the_disk_is_full_speakers_are_told_so_and_nothing_confirmed_is_lost() {
    let Some(disk) = SmallDisk::mount() else {
        return writeln!(io::stderr(), "skipped: only root can mount a small disk").unwrap();
    };
    let (file, filler) = (disk.0.join("chat.db"), disk.0.join("filler"));
    File::create(&filler).unwrap().write_all(&vec![1; 6 << 20]).unwrap();
    let socket = disk.0.join("control");
    let (path, socket) = (file.to_str().unwrap(), socket.to_str().unwrap());
    let server = Server::with(&["--history", path, "--socket", socket]);
    let mut client = Process::start(&mut client_command(server.address, &["--json", "--stay"]));
    let mut stdin = client.stdin();
    let (stop, stopped) = sync_channel::<()>(0);
    let talking = thread::spawn(move || {
        let mut said = 0;
        while stopped.try_recv() == Err(TryRecvError::Empty) {
            said += 1;
            writeln!(stdin, r#"{{"type":"say","text":"line {said}"}}"#).unwrap();
        }
        (said, stdin)
    });
    let wait_for = |what: &'static str, at_least: u64| {
        client.stdout.wait_until(what, |output| {
            let newest = output.lines.iter().rev().find_map(|line| number(line, what));
            newest.filter(|&newest| newest >= at_least)
        })
    };
    let full_at = wait_for(REFUSED, 0);
    assert!(client.stdout.lines().iter().any(|report| report.contains("The history's disk is full")));
    let warned = |what: &'static str| {
        server
            .process
            .stderr
            .wait_until(what, |output| output.lines.iter().any(|line| line.contains(what)).then_some(()));
    };
    warned("the history cannot keep what is said");
    for command in [&["say", "hey"][..], &["me", "waves"], &["topic", "ships"]] {
        let mut admin = Command::new(CHAT);
        admin.args(["admin", "--socket", socket]).args(command);
        // A short one may still fit where a long one did not. The client goes on to fill the disk.
        let mut outputs = std::iter::repeat_with(|| admin.output().unwrap()).take(100);
        let refused = outputs.find(|output| !output.status.success());
        let refused = refused.unwrap_or_else(|| panic!("{command:?} is never refused"));
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(
            String::from_utf8_lossy(&refused.stderr).contains("The history's disk is full"),
            "{refused:?}"
        );
    }
    fs::remove_file(&filler).unwrap();
    wait_for(CONFIRMED, full_at + 1);
    warned("the history can keep what is said again");
    drop(stop);
    let (said, _stdin) = talking.join().unwrap();
    wait_for(r#""text":"line "#, said);
    let (confirmed, refused) = client.stdout.wait_until("an answer to each line", |output| {
        let (confirmed, refused) = (numbers(&output.lines, CONFIRMED), numbers(&output.lines, REFUSED));
        (confirmed.len() + refused.len() >= usize::try_from(said).unwrap()).then_some((confirmed, refused))
    });
    assert!(confirmed.is_disjoint(&refused));

    let output = Command::new(CHAT).arg("history").arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let kept: Vec<u64> =
        lines.lines().filter_map(|line| line.split_once("] line ")?.1.parse().ok()).collect();
    assert!(kept.iter().eq(&confirmed), "{} confirmed and {} kept, each once", confirmed.len(), kept.len());
}
