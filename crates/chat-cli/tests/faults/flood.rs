//! A peer that says too much.

use std::io::{BufRead, BufReader, Write};
use std::thread;

use crate::support::Server;

#[test]
fn one_peer_that_floods_costs_no_reader_a_message() {
    // Short lines are the worst case, because one read holds many entries.
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
