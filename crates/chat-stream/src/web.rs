//! Browsers: the page over HTTP, and WebSocket.
//!
//! ```text
//!   GET /     the page, and the connection ends
//!   GET /ws   a WebSocket: text messages with objects (PROTOCOL.md, section 14), or binary ones with the framed protocol
//! ```
//!
//! A browser sends requests for every page that its user looks at, so the name in `Host` and the page in `Origin`
//! decide whether a request is taken.
//!
//! The server sends no pings: TCP finds out whether a silent browser is still there (keep-alive).

mod frames;
mod page;
mod request;
mod socket;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

pub(crate) use self::request::{Asked, Request};
pub(crate) use self::socket::{WebSocket, close_code};
use crate::limits::{ASKED_MAX, SPARE_WITHIN};

/// What an endpoint needs to serve browsers; see [`Endpoint::with_web`](crate::Endpoint::with_web). A clone is a
/// handle.
///
/// Requests must name the server by an IP address, as `localhost`, or by one of its names. Otherwise a foreign page
/// could have the system resolve a name of its own to this server ("DNS rebinding"), and would be of the same origin. A
/// page that opens a WebSocket must be of the same origin, or of one that is allowed.
///
/// ```
/// let web = chat_stream::Web::new().with_name("chat.example.org").with_origin("https://example.org");
/// # drop(web);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Web {
    allowed: Arc<Allowed>,
    /// From where requests came lately, and when.
    asked: Arc<Mutex<VecDeque<(IpAddr, Instant)>>>,
}

#[derive(Clone, Debug, Default)]
struct Allowed {
    names: Vec<String>,
    origins: Vec<String>,
}

impl Web {
    /// Serves pages of the same origin, under IP addresses and `localhost`.
    pub fn new() -> Self {
        Self::default()
    }

    /// The server has this name, too, with any port.
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.allowed).names.push(name.into().to_ascii_lowercase());
        self
    }

    /// Pages of this origin may speak for their visitors, too: `https://example.org`, with a port if it is not the
    /// scheme's own.
    pub fn with_origin(mut self, origin: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.allowed)
            .origins
            .push(origin.into().trim_end_matches('/').to_ascii_lowercase());
        self
    }

    /// Notes that a request came from there.
    pub(crate) fn note(&self, from: SocketAddr, now: Instant) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        while asked.len() >= ASKED_MAX
            || asked.front().is_some_and(|(_, at)| now.saturating_duration_since(*at) > SPARE_WITHIN)
        {
            asked.pop_front();
        }
        asked.push_back((from.ip(), now));
    }

    /// Whether a silent connection from there is likely one that a browser keeps in reserve.
    pub(crate) fn is_spare(&self, from: SocketAddr, now: Instant) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().any(|(ip, at)| *ip == from.ip() && now.saturating_duration_since(*at) <= SPARE_WITHIN)
    }

    /// Whether the server is called by this `Host`.
    fn has_host(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        if host.parse::<SocketAddr>().is_ok() {
            return true;
        }
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit()) => {
                (name, port)
            }
            _ => (host.as_str(), "0"),
        };
        let unbracketed = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        port.parse::<u16>().is_ok()
            && (unbracketed.parse::<IpAddr>().is_ok()
                || name == "localhost"
                || self.allowed.names.iter().any(|ours| ours == name))
    }

    /// Whether a page of this origin may open a WebSocket at this `Host`.
    fn has_origin(&self, origin: &str, host: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        authority == Some(host.to_ascii_lowercase().as_str()) || self.allowed.origins.contains(&origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_ours_is_told_from_ours() {
        let web = Web::new().with_name("Chat.example.org");
        for host in [
            "127.0.0.1:5555",
            "127.0.0.1",
            "[::1]:5555",
            "[::1]",
            "192.0.2.1:80",
            "localhost:5555",
            "LOCALHOST",
            "chat.example.org",
            "CHAT.example.org:5555",
        ] {
            assert!(web.has_host(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:5555",
            "localhost.evil.example",
            "127.0.0.1.evil.example:5555",
            "chat.example.org.evil.example",
            "chat.example.org:",
            "chat.example.org:x",
            "localhost:99999",
            "127.0.0.1:5555:1",
        ] {
            assert!(!web.has_host(host), "{host}");
        }
    }

    #[test]
    fn a_page_of_another_origin_is_told_from_our_own() {
        let web = Web::new().with_origin("https://Example.org/");
        for (origin, host) in [
            ("http://127.0.0.1:5555", "127.0.0.1:5555"),
            ("https://localhost:5555", "localhost:5555"),
            ("https://example.org", "127.0.0.1:5555"),
        ] {
            assert!(web.has_origin(origin, host), "{origin}");
        }
        for origin in [
            "",
            "null",
            "http://example.org",
            "https://example.org:8443",
            "https://evil.example",
            "http://127.0.0.1:5556",
            "http://127.0.0.1:5555.evil.example",
            "file://",
            "ftp://127.0.0.1:5555",
            "127.0.0.1:5555",
        ] {
            assert!(!web.has_origin(origin, "127.0.0.1:5555"), "{origin}");
        }
    }
}
