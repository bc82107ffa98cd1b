//! Servers that keep copies of what is said in the cluster, with `--history`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crossbeam_channel::bounded;

use crate::checker::speak;
use crate::support::{self, CHAT, Server};
use crate::{ANSWERS_IN, Cluster, answers};

/// The texts in a copy, as `chat history` prints them.
pub(crate) fn texts(file: &Path) -> Vec<String> {
    let output = Command::new(CHAT).arg("history").arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().filter_map(|line| Some(line.split_once("] ")?.1.to_owned())).collect()
}

/// Waits until a copy has this many messages. Returns them, oldest first.
pub(crate) fn filled(file: &Path, messages: usize) -> Vec<String> {
    let by = support::now() + ANSWERS_IN;
    loop {
        let texts = texts(file);
        if texts.len() >= messages {
            return texts;
        }
        assert!(support::now() < by, "{} of {messages} are in {}", texts.len(), file.display());
    }
}

/// Says this many messages at the first server, as several members.
fn say(cluster: &Cluster, speakers: usize, each: u64) {
    let (progress, _confirmed) = bounded(speakers * usize::try_from(each).unwrap());
    let at = &cluster.addresses[..1];
    let speakers: Vec<_> = (0..speakers).map(|number| speak(at, number, each, &progress)).collect();
    speakers.into_iter().for_each(|speaker| drop(speaker.join().unwrap()));
}

/// Ends a server in order.
fn terminate(cluster: &mut Cluster, index: usize) {
    let mut server = cluster.servers[index].take().unwrap();
    server.process.terminate();
    assert_eq!(server.process.exit_code(), Some(0));
}

#[test]
fn what_is_said_at_one_server_is_found_at_another_one() {
    let Some(cluster) = Cluster::start_with_copies(1, 2) else { return };
    let (mut ann, mut bob) = (cluster.server(0).peer(), cluster.server(1).peer());
    ann.send("the deploy has failed\n");
    ann.send("the deploy is fine\n");
    answers(&mut bob, "/search failed deploy\n", "] the deploy has failed\n");
    answers(&mut bob, "/history\n", "] the deploy is fine\n");
    let expected = ["the deploy has failed", "the deploy is fine"];
    (0..2).for_each(|index| assert_eq!(filled(&cluster.copy(index), 2), expected, "while it runs"));
}

#[test]
fn a_server_that_was_away_gets_what_was_said_meanwhile_once_and_an_empty_copy_gets_all() {
    let Some(mut cluster) = Cluster::start_with_copies(1, 2) else { return };
    let file = cluster.copy(1);
    cluster.server(0).peer().send("before\n");
    filled(&file, 1);
    for is_killed in [true, false] {
        match is_killed {
            true => cluster.kill(1),
            false => terminate(&mut cluster, 1),
        }
        if !is_killed {
            ["", "-wal", "-shm"].iter().for_each(|end| {
                let _not_there = fs::remove_file(format!("{}{end}", file.display()));
            });
        }
        let there = texts(&cluster.copy(0)).len();
        say(&cluster, 6, 500);
        let all = filled(&cluster.copy(0), there + 3_000);
        cluster.restart(1);
        assert!(filled(&file, all.len()) == all, "each of them once, in order");
        // The log of a room may have forgotten it; the copy has not.
        let mut bob = cluster.server(1).peer();
        answers(&mut bob, "/search before\n", "] before\n");
    }
}

#[test]
fn a_copy_of_another_cluster_is_refused_and_left_as_it_was() {
    let Some(mut cluster) = Cluster::start_with_copies(1, 2) else { return };
    cluster.server(0).peer().send("said in the cluster\n");
    let file = cluster.copy(1);
    filled(&file, 1);
    terminate(&mut cluster, 1);
    fs::remove_file(&file).unwrap();
    let other = Server::with(&["--history", file.to_str().unwrap()]);
    other.peer().send("said elsewhere\n");
    filled(&file, 1);
    drop(other);
    let urls = cluster.nats.urls().join(",");
    let mut command = Command::new(CHAT);
    command.args(["server", "tcp", "--bind", "127.0.0.1:0", "--nats", &urls, "--cluster-secret-file"]);
    let output = command.arg(cluster.secret()).arg("--history").arg(&file).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("is not a copy of the messages that the servers share"), "{told}");
    assert!(told.contains("Move it away, and a new file fills itself"), "{told}");
    assert_eq!(texts(&file), ["said elsewhere"]);
}
