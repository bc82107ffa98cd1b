//! A peer's first words, while they may be an HTTP request.

use std::borrow::Cow;

use tungstenite::handshake::machine::TryParse;
use tungstenite::handshake::server;
use tungstenite::http::{HeaderName, StatusCode, header};

use super::{Web, page};
use crate::limits::HTTP_HEAD_BYTES_MAX;

/// The beginning of a browser's request.
const BEGINNING: &[u8] = b"GET /";

/// The bytes of a request so far.
#[derive(Debug)]
pub(crate) struct Request {
    web: Web,
    head: Vec<u8>,
}

/// What the bytes turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// They are not a request, but plain text: those that were taken, and what follows in the input.
    Plain(Vec<u8>),
    /// It is a request with this answer, after which the connection ends.
    Answer(Cow<'static, [u8]>),
    /// It is a request for a WebSocket, which begins behind this answer.
    WebSocket(Vec<u8>),
}

impl Request {
    /// The request of a peer with this first byte, if it may begin one.
    pub(crate) fn of(first: u8, web: &Web) -> Option<Self> {
        (first == BEGINNING[0]).then(|| Self { web: web.clone(), head: Vec::new() })
    }

    /// Takes bytes from the front of `input`. `None` if more are needed to know what they are.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Option<Asked> {
        let before = self.head.len();
        let room = (HTTP_HEAD_BYTES_MAX - before).min(input.len());
        self.head.extend_from_slice(&input[..room]);
        if !self.begins_request() {
            self.head.truncate(before);
            return Some(Asked::Plain(std::mem::take(&mut self.head)));
        }
        let searched = before.saturating_sub(END.len() - 1);
        let Some(end) = self.head[searched..].windows(END.len()).position(|bytes| bytes == END) else {
            *input = &input[room..];
            let is_full = self.head.len() == HTTP_HEAD_BYTES_MAX;
            return is_full.then(|| short(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        };
        let length = searched + end + END.len();
        *input = &input[length - before..];
        Some(answer(&self.head[..length], &self.web))
    }

    /// The bytes so far of a peer that is silent; `None` if they begin a request.
    pub(crate) fn as_plain(&self) -> Option<&[u8]> {
        (self.head.len() < BEGINNING.len()).then_some(&self.head)
    }

    /// The configuration by which it is answered.
    pub(crate) fn web(&self) -> Web {
        self.web.clone()
    }

    /// Bytes of the request so far.
    pub(crate) fn len(&self) -> usize {
        self.head.len()
    }

    fn begins_request(&self) -> bool {
        self.head.iter().zip(BEGINNING).all(|(a, b)| a == b)
    }
}

/// The end of the head of a request.
const END: &[u8] = b"\r\n\r\n";

fn answer(head: &[u8], web: &Web) -> Asked {
    let Ok(Some((_, request))) = server::Request::try_parse(head) else {
        return short(StatusCode::BAD_REQUEST);
    };
    let value = |name: HeaderName| {
        let mut values = request.headers().get_all(name).iter();
        let first = values.next()?;
        Some(if values.next().is_none() { first.to_str().unwrap_or_default() } else { "" })
    };
    let host = value(header::HOST).unwrap_or_default();
    if !web.has_host(host) {
        return short(StatusCode::FORBIDDEN);
    }
    match request.uri().path() {
        "/" => Asked::Answer(Cow::Borrowed(page::answer())),
        "/ws" => {
            // A program that is not a browser has no origin.
            if value(header::ORIGIN).is_some_and(|origin| !web.has_origin(origin, host)) {
                return short(StatusCode::FORBIDDEN);
            }
            let mut bytes = Vec::new();
            match server::create_response(&request)
                .and_then(|response| server::write_response(&mut bytes, &response))
            {
                Ok(()) => Asked::WebSocket(bytes),
                Err(_) => short(StatusCode::UPGRADE_REQUIRED),
            }
        }
        _ => short(StatusCode::NOT_FOUND),
    }
}

/// An answer that says no more than its status.
fn short(status: StatusCode) -> Asked {
    let body = format!("{status}\n");
    let upgrade = if status == StatusCode::UPGRADE_REQUIRED { "Upgrade: websocket\r\n" } else { "" };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nX-Content-Type-Options: nosniff\r\n\
         {upgrade}Connection: close\r\n\r\n{body}",
        body.len()
    );
    Asked::Answer(answer.into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "Host: 127.0.0.1:5555\r\n";
    const UPGRADE: &str = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    /// What the bytes are, if they arrive in two parts; and how many were left.
    fn ask(bytes: &[u8], at: usize) -> (Option<Asked>, usize) {
        let mut request = Request::of(bytes[0], &Web::new()).unwrap();
        let (mut first, mut second) = bytes.split_at(at);
        match request.next(&mut first) {
            None => {
                assert!(first.is_empty());
                (request.next(&mut second), second.len())
            }
            asked => (asked, first.len() + second.len()),
        }
    }

    fn status(asked: Option<Asked>) -> u16 {
        match asked {
            Some(Asked::Answer(answer)) => std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap(),
            Some(Asked::WebSocket(_)) => 101,
            asked => panic!("{asked:?}"),
        }
    }

    #[test]
    fn the_answer_to_a_request_is_the_same_wherever_it_is_cut() {
        let request = |path: &str, headers: &str| format!("GET {path} HTTP/1.1\r\n{headers}\r\n");
        let origin = |origin: &str| format!("{HOST}{UPGRADE}Origin: {origin}\r\n");
        for (request, expected) in [
            (request("/", HOST), 200),
            (request("/?x=1", HOST), 200),
            (request("/ws", &format!("{HOST}{UPGRADE}")), 101),
            (request("/ws", &origin("http://127.0.0.1:5555")), 101),
            (request("/ws", &origin("http://evil.example")), 403),
            (request("/ws", &origin("null")), 403),
            (request("/ws", &origin("http://127.0.0.1:5555\r\nOrigin: http://evil.example")), 403),
            (request("/ws", &format!("Host: evil.example\r\n{UPGRADE}")), 403),
            (request("/ws", &format!("{HOST}Host: localhost\r\n{UPGRADE}")), 403),
            (request("/", "Host: evil.example\r\n"), 403),
            (request("/", ""), 403),
            (request("/ws", HOST), 426),
            (request("/secret", HOST), 404),
            ("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n".to_owned(), 400),
            ("GET /\r\n\r\n".to_owned(), 400),
            ("GET /\0 HTTP/1.1\r\n\r\n".to_owned(), 400),
        ] {
            for at in 0..request.len() {
                let bytes = [request.as_bytes(), b"\x81\x80rest"].concat();
                let (asked, left) = ask(&bytes, at);
                assert_eq!((status(asked), left), (expected, 6), "{request}, cut at {at}");
            }
        }
    }

    #[test]
    fn a_line_that_only_begins_like_a_request_is_plain_text() {
        for text in ["Good morning\n", "GET out\n", "GETTING there /\n", "G\n"] {
            for at in 0..text.len() {
                let mut request = Request::of(b'G', &Web::new()).unwrap();
                let (mut first, mut second) = text.as_bytes().split_at(at);
                let asked = request.next(&mut first).or_else(|| request.next(&mut second));
                let Some(Asked::Plain(begun)) = asked else { panic!("{text:?}, cut at {at}: {asked:?}") };
                assert_eq!([&begun, first, second].concat(), text.as_bytes());
            }
        }
    }

    #[test]
    fn a_head_has_a_limit() {
        let mut request = Request::of(b'G', &Web::new()).unwrap();
        let flood = ["GET / HTTP/1.1\r\n", &"X: y\r\n".repeat(HTTP_HEAD_BYTES_MAX)].concat();
        let mut input = flood.as_bytes();
        assert_eq!(status(request.next(&mut input)), 431);
        assert_eq!(request.head.len(), HTTP_HEAD_BYTES_MAX);
    }
}
