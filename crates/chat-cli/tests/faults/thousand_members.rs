//! A thousand members, of which a hundred never read. The others do not notice, and the server's memory is the size
//! of its log.

use std::io::{BufRead, BufReader, Read};

use crate::support::{Peer, Server};
use crate::usage::memory_bytes_max;

const MEMBERS: usize = 1_000;
const STALLED: usize = 100;
const MESSAGES: usize = 10_000;
/// Everyone has read this many messages before the next ones are said, so that only the stalled members lag.
const BATCH: usize = 250;

#[test]
fn nine_hundred_read_everything_and_a_hundred_that_stall_are_told_exactly_what_they_missed() {
    rlimit::increase_nofile_limit(4_096).unwrap();
    let server = Server::with(&["--log", "1"]);
    let mut readers: Vec<Peer> = (0..MEMBERS).map(|_| Peer::connect(server.address)).collect();
    readers.iter().for_each(|reader| server.has_accepted(&reader.name));
    let stalled = readers.split_off(MEMBERS - STALLED);
    let mut speaker = server.peer();
    let before = memory_bytes_max(server.process.id());

    let long = "long ".repeat(150);
    let text = |number: usize| format!("message {number} {long}");
    for batch in 0..MESSAGES / BATCH {
        let texts: Vec<String> = (batch * BATCH..(batch + 1) * BATCH).map(text).collect();
        speaker.send(texts.iter().map(|text| format!("{text}\n")).collect::<String>());
        let expected: String = texts.iter().map(|text| speaker.line(text) + "\n").collect();
        let mut got = vec![0; expected.len()];
        for reader in &mut readers {
            reader.socket.read_exact(&mut got).expect("all of it comes in time");
            assert!(got == expected.as_bytes(), "{} reads something else", reader.name);
        }
    }

    if let (Some(before), Some(after)) = (before, memory_bytes_max(server.process.id())) {
        // The room's log and its lines once per I/O thread have a MiB each. The rest is a margin.
        let grown = after.saturating_sub(before) / 1024 / 1024;
        assert!(grown < 16, "{before} -> {after}: {grown} MiB more");
    }

    let last = speaker.line(&text(MESSAGES - 1));
    let mut missed_in_all = 0;
    for stalled in stalled {
        let (mut read, mut missed) = (0, 0);
        for line in BufReader::new(stalled.socket).lines() {
            let line = line.expect("it comes in time");
            match line.strip_prefix("[*] You missed ").and_then(|rest| rest.split(' ').next()) {
                Some(messages) => missed += messages.parse::<usize>().unwrap(),
                None => {
                    let number = read + missed;
                    assert_eq!(line, speaker.line(&text(number)));
                    read += 1;
                }
            }
            if line == last {
                break;
            }
        }
        assert_eq!(read + missed, MESSAGES);
        missed_in_all += missed;
    }
    assert!(missed_in_all > 0, "the sockets have held it all: the test shows nothing");
}
