//! As much of HTTP as a scraper needs: one GET per connection. A client that stalls keeps nobody waiting, and there are never
//! more of them than a fixed number.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use httparse::{EMPTY_HEADER, Request, Status};
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

/// Connections at once. The oldest one makes way for a further one.
const CONNECTIONS_MAX: usize = 64;

/// A scraper's request is short.
const REQUEST_BYTES_MAX: usize = 8 * 1024;
const HEADERS_MAX: usize = 64;

/// How long a connection may take from its first byte to its end.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Before the next attempt, if the system has refused to accept: it lacks descriptors, for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const LISTEN: Token = Token(0);

/// What a path is answered with.
pub(super) struct Answer {
    pub(super) status: &'static str,
    pub(super) kind: &'static str,
    pub(super) body: String,
}

pub(super) struct Server {
    poll: Poll,
    listener: TcpListener,
    /// When to accept next without an event.
    accept_at: Option<Instant>,
    /// The oldest first: all have the same time, so the first one's ends first.
    connections: VecDeque<Connection>,
    newest: Token,
}

struct Connection {
    token: Token,
    socket: TcpStream,
    until: Instant,
    request: Vec<u8>,
    /// Once the request is there: the answer, and how much of it is written.
    answer: Option<(Vec<u8>, usize)>,
    /// Bytes that came after the request.
    ignored: usize,
}

impl Server {
    pub(super) fn new(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let (poll, mut listener) = (Poll::new()?, TcpListener::from_std(listener));
        poll.registry().register(&mut listener, LISTEN, Interest::READABLE)?;
        Ok(Self { poll, listener, accept_at: None, connections: VecDeque::new(), newest: LISTEN })
    }

    /// Answers GETs with what `page` says of their paths. Ends only with an error of the system.
    pub(super) fn run(&mut self, mut page: impl FnMut(&str, Instant) -> Answer) -> io::Result<()> {
        let mut events = Events::with_capacity(CONNECTIONS_MAX);
        loop {
            let next = self.accept_at.into_iter().chain(self.connections.front().map(|first| first.until));
            let timeout = next.min().map(|next| next.saturating_duration_since(clock()));
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            let now = clock();
            for event in &events {
                match event.token() {
                    LISTEN => self.accept_at = Some(now),
                    _ => self.serve(event, now, &mut page),
                }
            }
            while self.connections.front().is_some_and(|first| first.until <= now) {
                self.connections.pop_front();
            }
            if self.accept_at.is_some_and(|at| at <= now) {
                self.accept_at = self.accept(now);
            }
        }
    }

    /// Accepts what waits. Returns when to go on, if that takes no further event.
    fn accept(&mut self, now: Instant) -> Option<Instant> {
        for _ in 0..CONNECTIONS_MAX {
            let mut socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) => {
                    tracing::debug!(%error, "cannot accept a scraper");
                    return Some(now + ACCEPT_PAUSE);
                }
            };
            self.newest = Token(self.newest.0 + 1);
            let (token, interest) = (self.newest, Interest::READABLE | Interest::WRITABLE);
            if let Err(error) = self.poll.registry().register(&mut socket, token, interest) {
                tracing::debug!(%error, "cannot serve a scraper");
                continue;
            }
            if self.connections.len() == CONNECTIONS_MAX {
                self.connections.pop_front();
            }
            let (request, until) = (Vec::new(), now + TIMEOUT);
            self.connections.push_back(Connection {
                token,
                socket,
                until,
                request,
                answer: None,
                ignored: 0,
            });
        }
        Some(now)
    }

    fn serve(&mut self, event: &Event, now: Instant, page: &mut impl FnMut(&str, Instant) -> Answer) {
        let is_it = |connection: &Connection| connection.token == event.token();
        // It may have made way since the event.
        let Some(place) = self.connections.iter().position(is_it) else { return };
        match self.connections[place].go_on(|path| page(path, now)) {
            Ok(true) => {}
            Ok(false) => drop(self.connections.remove(place)),
            Err(error) => {
                tracing::debug!(%error, "a scraper has failed");
                self.connections.remove(place);
            }
        }
    }
}

impl Connection {
    /// Reads and writes what it can. False once it is over.
    fn go_on(&mut self, page: impl FnOnce(&str) -> Answer) -> io::Result<bool> {
        let mut piece = [0; 1024];
        loop {
            match self.socket.read(&mut piece) {
                Ok(0) => return Ok(false),
                Ok(count) if self.answer.is_none() => self.request.extend_from_slice(&piece[..count]),
                Ok(count) => self.ignored += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.ignored > REQUEST_BYTES_MAX {
                return Ok(false);
            }
            if self.request.len() > REQUEST_BYTES_MAX {
                break;
            }
        }
        if self.answer.is_none() {
            self.answer = answer(&self.request, page).map(|answer| (answer, 0));
        }
        let Some((answer, written)) = &mut self.answer else { return Ok(true) };
        while *written < answer.len() {
            match self.socket.write(&answer[*written..]) {
                Ok(0) => return Ok(false),
                Ok(count) => *written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // Closing with bytes unread would be a reset, which may destroy the answer: the other side closes first.
        let _ended_already = self.socket.shutdown(Shutdown::Write);
        Ok(true)
    }
}

/// The answer to a request; `None` until its head is complete.
fn answer(request: &[u8], page: impl FnOnce(&str) -> Answer) -> Option<Vec<u8>> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut head = Request::new(&mut headers);
    let wrong = |status, why: &str| Answer { status, kind: TEXT, body: why.to_owned() };
    let answer = match head.parse(request) {
        Ok(Status::Partial) if request.len() <= REQUEST_BYTES_MAX => return None,
        Ok(Status::Partial) => wrong("431 Request Header Fields Too Large", "too long\n"),
        Err(error) => wrong("400 Bad Request", &format!("{error}\n")),
        Ok(Status::Complete(_)) => match (head.method, head.path) {
            (Some("GET" | "HEAD"), Some(path)) => page(path.split('?').next().unwrap_or(path)),
            _ => wrong("405 Method Not Allowed", "GET only\n"),
        },
    };
    let Answer { status, kind, body } = answer;
    let length = body.len();
    let shown = if head.method == Some("HEAD") { "" } else { &body };
    Some(
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{shown}")
            .into_bytes(),
    )
}

#[expect(clippy::disallowed_methods, reason = "a scraper takes real time")]
fn clock() -> Instant {
    Instant::now()
}
