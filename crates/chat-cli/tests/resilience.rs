//! Who does not read, and who says too much, does not harm the room.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::thread;

use support::{CHAT, Killed, Peer, Server};

#[test]
fn if_nobody_reads_its_stdout_the_room_goes_on() {
    for closes in [true, false] {
        let mut command = Command::new(CHAT);
        command.args(["server", "tcp", "--bind", "127.0.0.1:0"]);
        let mut server = Killed(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
        let mut stdout = BufReader::new(server.0.stdout.take().unwrap());
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        let address = first.trim().strip_prefix("[*] Listening on ").unwrap().parse().unwrap();
        let stdout = (!closes).then_some(stdout);
        let (mut ann, mut bob) = (Peer::connect(address), Peer::connect(address));
        for peer in [&mut ann, &mut bob] {
            peer.send("/who\n"); // which is answered once he is in
            peer.recv();
        }
        let before = bob.lines().len();
        // More than a pipe holds.
        let long = "x".repeat(900);
        for round in 0..300 {
            ann.send(format!("{round} {long}\n"));
            bob.send(format!("{round}\n"));
        }
        ann.send("done\n");
        bob.read_up_to(&ann.line("done"));
        let lines = bob.lines().split_off(before);
        assert_eq!(lines.len(), 301, "he missed nothing");
        assert_eq!(lines[7], ann.line(&format!("7 {long}")));
        drop(stdout);
    }
}

#[test]
fn one_peer_who_floods_costs_no_reader_a_message() {
    // Short lines are the worst: many entries in one read.
    let server = Server::start();
    let mut readers = [server.peer(), server.peer(), server.peer()];
    let mut flooder = server.peer();
    let name = flooder.name.clone();
    let lines: String = (0..100_000).map(|number| format!("{}\n", number % 10)).collect();
    let reading: Vec<_> = readers
        .iter()
        .map(|reader| {
            let mut reader = BufReader::new(reader.again().socket);
            thread::spawn(move || {
                let mut lines = Vec::new();
                while lines.last().is_none_or(|line| line != "done") {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    lines.push(line.trim_end().split_once("] ").unwrap().1.to_owned());
                }
                lines
            })
        })
        .collect();
    flooder.socket.write_all(lines.as_bytes()).unwrap();
    flooder.send("done\n");
    for reading in reading {
        let read = reading.join().unwrap();
        let missed: Vec<_> = read.iter().filter(|text| text.starts_with("You missed")).collect();
        assert!(missed.is_empty(), "nobody was slow, but: {missed:?} (of {name})");
        assert_eq!(read.len(), 100_001);
        assert!(read[..100_000].iter().enumerate().all(|(number, text)| *text == (number % 10).to_string()));
    }
    readers.iter_mut().for_each(|reader| reader.shut_down());
}
