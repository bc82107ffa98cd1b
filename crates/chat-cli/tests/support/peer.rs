//! A peer with nothing but a socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use chat_proto::limits::QUIET;

use super::{PATIENCE, now};

pub(crate) struct Peer {
    pub(crate) socket: TcpStream,
    /// His address, as the room shows it.
    pub(crate) name: String,
    got: Vec<u8>,
}

impl Peer {
    pub(crate) fn connect(server: SocketAddr) -> Self {
        Self::of(TcpStream::connect(server).expect("the server listens"))
    }

    /// Connects as soon as somebody listens there.
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
        Self { socket, name, got: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Sends piece after piece until the server has closed. False if so much time went by between two of them
    /// that they count as chunks of their own (clause 5.2).
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

    /// The line in which others see `text` of his.
    pub(crate) fn line(&self, text: &str) -> String {
        format!("[{}] {text}", self.name)
    }

    /// One `recv` as simple programs do it; empty at the end.
    pub(crate) fn recv(&mut self) -> &[u8] {
        let mut buffer = [0; 1024];
        let count = self.socket.read(&mut buffer).expect("something comes in time");
        self.got.extend_from_slice(&buffer[..count]);
        &self.got[self.got.len() - count..]
    }

    /// All he gets, each `recv` as a line of its own: what a program prints that does just that. Ends when
    /// one of the lines is `last`.
    pub(crate) fn print_each_recv(mut self, last: impl Fn(&str) -> bool) -> Vec<String> {
        let mut printed = Vec::new();
        loop {
            let received = String::from_utf8(self.recv().to_vec()).expect("a line is in one piece");
            assert!(!received.is_empty(), "the connection ended after {printed:?}");
            printed.extend(received.split('\n').map(str::to_owned));
            if printed.last().is_some_and(|line| last(line)) {
                return printed;
            }
        }
    }

    /// The same socket once more, to send with.
    pub(crate) fn again(&self) -> Self {
        Self::of(self.socket.try_clone().expect("a descriptor is left"))
    }

    /// All he has got so far.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.got.clone()).expect("plain peers get UTF-8")
    }

    /// The lines he has got so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.text().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Reads until the last line, with or without a break, is `line`. Returns all he has got.
    pub(crate) fn read_up_to(&mut self, line: &str) -> Vec<String> {
        loop {
            let breaks = self.got.iter().rev().take_while(|byte| b"\r\n".contains(byte)).count();
            if self.got[..self.got.len() - breaks].ends_with(line.as_bytes()) {
                return self.lines();
            }
            assert!(!self.recv().is_empty(), "the connection ended before {line:?}: {:?}", self.lines());
        }
    }

    /// Reads to the end, be it a clean one or a reset.
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
