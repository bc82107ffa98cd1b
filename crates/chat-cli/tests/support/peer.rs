//! A peer that has only a socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use chat_proto::limits::QUIET;
use chat_testkit::uninterrupted;

use super::{PATIENCE, now};

pub(crate) struct Peer {
    pub(crate) socket: TcpStream,
    /// Its address, as the room shows it.
    pub(crate) name: String,
    /// Everything it has received.
    got: Vec<u8>,
    /// How many of these bytes [`read_up_to`](Self::read_up_to) has returned.
    read_bytes: usize,
}

impl Peer {
    pub(crate) fn connect(server: SocketAddr) -> Self {
        Self::of(TcpStream::connect(server).expect("the server listens"))
    }

    /// Connects as soon as somebody listens at the address.
    pub(crate) fn connect_in_time(server: SocketAddr) -> Self {
        let deadline = now() + PATIENCE;
        loop {
            match TcpStream::connect(server) {
                Ok(socket) => return Self::of(socket),
                Err(error) => assert!(now() < deadline, "nobody listens on {server}: {error}"),
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    pub(crate) fn of(socket: TcpStream) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("not zero");
        socket.set_write_timeout(Some(PATIENCE)).expect("not zero");
        let name = socket.local_addr().expect("it is connected").to_string();
        Self { socket, name, got: Vec::new(), read_bytes: 0 }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Sends piece after piece until the server has closed the connection. Returns false if a pause between two
    /// pieces was long enough to make each of them a message of its own (clause 5.2).
    pub(crate) fn send_without_a_pause<'a>(&mut self, pieces: impl Iterator<Item = &'a [u8]>) -> bool {
        let mut last = now();
        for piece in pieces {
            let _closed_already = self.socket.write_all(piece);
            if last.elapsed() >= QUIET {
                return false;
            }
            last = now();
        }
        true
    }

    /// The line that others see when this peer says `text`.
    pub(crate) fn line(&self, text: &str) -> String {
        format!("[{}] {text}", self.name)
    }

    /// Calls `recv` once, as simple programs do. The result is empty at the end. It may hold a part of a line or
    /// several lines.
    pub(crate) fn recv(&mut self) -> &[u8] {
        let mut buffer = [0; 1024];
        let count = uninterrupted(|| self.socket.read(&mut buffer)).expect("something comes in time");
        self.got.extend_from_slice(&buffer[..count]);
        &self.got[self.got.len() - count..]
    }

    /// What a program shows that prints the result of each `recv` as a line of its own. Returns once one of the lines
    /// is `last`.
    pub(crate) fn print_each_recv(mut self, last: impl Fn(&str) -> bool) -> Vec<String> {
        let mut printed = Vec::new();
        loop {
            let received = String::from_utf8(self.recv().to_vec()).expect("a line is in one piece");
            assert!(!received.is_empty(), "the connection ended after {printed:?}");
            let before = printed.len();
            printed.extend(received.split('\n').map(str::to_owned));
            if printed[before..].iter().any(|line| last(line)) {
                return printed;
            }
        }
    }

    /// A second handle to the same socket, for sending.
    pub(crate) fn again(&self) -> Self {
        Self::of(self.socket.try_clone().expect("a descriptor is left"))
    }

    /// Everything it has received so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.got.clone()).expect("plain peers get UTF-8")
    }

    /// The lines it has received so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        lines(&self.got)
    }

    /// Asks for the members and waits for the answer. A peer that gets an answer is a member.
    pub(crate) fn is_in(&mut self) {
        self.send("/who\n");
        let asked = self.got.len();
        let is_answer = |line: &String| {
            let count = line.strip_prefix("[*] ").and_then(|line| line.split_once(" present"));
            count.is_some_and(|(count, _)| count.parse::<u32>().is_ok())
        };
        while !lines(&self.got[asked..]).iter().any(is_answer) {
            assert!(!self.recv().is_empty(), "the connection ended: {:?}", self.lines());
        }
        self.read_bytes = self.got.len();
    }

    /// Reads until a line ends with `line`, even if more comes in the same `recv`. Returns the lines from the end of
    /// the last call up to this one.
    pub(crate) fn read_up_to(&mut self, line: &str) -> Vec<String> {
        let begin = self.read_bytes;
        let mut unfinished = begin;
        loop {
            for piece in self.got[unfinished..].split_inclusive(|&byte| byte == b'\n') {
                let breaks = piece.iter().rev().take_while(|byte| b"\r\n".contains(byte)).count();
                let end = unfinished + piece.len();
                // A peer that sends no line breaks gets none after its last line.
                if piece[..piece.len() - breaks].ends_with(line.as_bytes()) {
                    self.read_bytes = end;
                    return lines(&self.got[begin..end]);
                }
                if piece.ends_with(b"\n") {
                    unfinished = end;
                }
            }
            assert!(!self.recv().is_empty(), "the connection ended before {line:?}: {:?}", self.lines());
        }
    }

    /// Splits what one `recv` of an undelimited peer has returned into lines. If the peer did not call `recv` for
    /// more than 50 ms (clause 5.3), as happens on a busy machine, there is nothing between the lines. Their authors
    /// must have IPv4 loopback addresses.
    pub(crate) fn unglued(received: &str) -> Vec<String> {
        const AUTHOR: &str = "[127.0.0.1:";
        let starts = received.match_indices(AUTHOR).map(|(at, _)| at).filter(|&at| at > 0);
        let ends: Vec<usize> = starts.chain([received.len()]).collect();
        let begins = std::iter::once(0).chain(ends.iter().copied());
        begins.zip(&ends).map(|(begin, &end)| received[begin..end].to_owned()).collect()
    }

    /// Lets some time pass, in which it receives nothing but the break of its last line.
    pub(crate) fn hears_nothing_for(&mut self, time: Duration) {
        self.socket.set_read_timeout(Some(time)).expect("not zero");
        let mut bytes = [0; 1024];
        while let Ok(count) = self.socket.read(&mut bytes) {
            let heard = &bytes[..count];
            assert!(count > 0 && heard.iter().all(|byte| b"\r\n".contains(byte)), "{heard:?}");
        }
        self.socket.set_read_timeout(Some(PATIENCE)).expect("not zero");
    }

    /// Reads to the end, whether it is a clean end or a reset. Returns all lines that it has received.
    pub(crate) fn read_to_end(&mut self) -> Vec<String> {
        let mut rest = Vec::new();
        match self.socket.read_to_end(&mut rest) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
            _ => {}
        }
        self.got.extend_from_slice(&rest);
        self.lines()
    }

    pub(crate) fn shut_down(&self) {
        self.socket.shutdown(Shutdown::Write).expect("it is connected");
    }
}

/// The lines in `bytes` that are not empty.
fn lines(bytes: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(bytes).expect("plain peers get UTF-8");
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}
