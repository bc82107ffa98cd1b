//! `--admin`: the server's numbers for Prometheus, and whether it is well, over HTTP.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::Builder;
use std::time::{Duration, Instant};

use chat_core::{Name, Room, Rooms, Stats};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::address::Address;
use crate::failure::Failure;

/// A scraper's request is short, and comes at once. They are served one after the other, so each has little time.
const REQUEST_BYTES_MAX: usize = 8 * 1024;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
/// Before the next attempt, if the system has refused a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const TEXT: &str = "text/plain; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Reads the rooms when it is asked: there is no second set of counters that could differ.
#[derive(Debug)]
pub(super) struct Metrics {
    rooms: Rooms,
    /// Those with numbers of their own. Rooms that members open are not among them: Prometheus keeps each label for ever.
    shown: Vec<(String, Room)>,
}

type Of<T> = fn(&Stats) -> T;

const GAUGES: [(&str, &str, Of<usize>); 5] = [
    ("chat_members", "Remote members present", |stats| stats.members),
    ("chat_members_peak", "The most remote members at once", |stats| stats.members_peak),
    ("chat_local_members", "Local members present", |stats| stats.local_members),
    ("chat_log_entries", "Entries the log holds", |stats| stats.log_entries),
    ("chat_log_bytes", "Bytes the log holds", |stats| stats.log_bytes),
];

const COUNTERS: [(&str, &str, Of<u64>); 10] = [
    ("chat_joined", "Remote members that joined", |stats| stats.joined),
    ("chat_left", "Remote members that left", |stats| stats.left),
    ("chat_refused", "Peers that were not let in", |stats| stats.refused),
    ("chat_messages", "Messages accepted", |stats| stats.messages),
    ("chat_moderated", "Messages refused", |stats| stats.moderated),
    ("chat_not_kept", "Messages refused because the history could not keep them", |stats| stats.not_kept),
    ("chat_missed", "Messages that slow members missed", |stats| stats.missed),
    ("chat_undelivered", "Private messages that were not delivered", |stats| stats.undelivered),
    ("chat_unknown", "Frames and datagrams of a later protocol", |stats| stats.unknown),
    ("chat_throttled", "Times a member was over its rate limit", |stats| stats.throttled),
];

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stats: Vec<_> =
            self.shown.iter().map(|(name, room)| ([("room", name.as_str())], room.stats())).collect();
        let rooms = ConstGauge::new(i64::try_from(self.rooms.all().len()).unwrap_or(i64::MAX));
        rooms.encode(encoder.encode_descriptor(
            "chat_rooms",
            "Rooms that are open",
            None,
            rooms.metric_type(),
        )?)?;
        for (name, help, of) in GAUGES {
            let kind = ConstGauge::new(0_i64).metric_type();
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for (label, stats) in &stats {
                let gauge = ConstGauge::new(i64::try_from(of(stats)).unwrap_or(i64::MAX));
                gauge.encode(family.encode_family(label)?)?;
            }
        }
        for (name, help, of) in COUNTERS {
            let kind = ConstCounter::new(0_u64).metric_type();
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for (label, stats) in &stats {
                ConstCounter::new(of(stats)).encode(family.encode_family(label)?)?;
            }
        }
        Ok(())
    }
}

impl Metrics {
    /// The numbers of the first room, and of those that the operator has named.
    pub(super) fn new(rooms: &Rooms, named: &[Name]) -> Self {
        let mut shown: Vec<(String, Room)> =
            named.iter().filter_map(|name| Some((name.to_string(), rooms.get(name)?))).collect();
        if shown.is_empty() {
            let first = rooms.first();
            shown.push((first.name().map_or_else(String::new, ToString::to_string), first));
        }
        Self { rooms: rooms.clone(), shown }
    }

    /// Answers requests on a thread of its own. Returns the address.
    pub(super) fn serve(self, asked: &Address) -> Result<SocketAddr, Failure> {
        let listener = bind(asked)?;
        let address = listener.local_addr()?;
        let first = self.rooms.first();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        Builder::new().name("chat-metrics".to_owned()).spawn(move || {
            for scraper in listener.incoming() {
                let Ok(scraper) = scraper else {
                    // The system lacks descriptors, for example. There is no event for the moment when it has one again.
                    std::thread::park_timeout(ACCEPT_PAUSE);
                    continue;
                };
                if let Err(error) = answer(&scraper, &registry, &first) {
                    tracing::debug!(%error, "a request for metrics has failed");
                }
            }
        })?;
        Ok(address)
    }
}

/// Listens there.
pub(super) fn bind(asked: &Address) -> Result<TcpListener, Failure> {
    TcpListener::bind(asked).map_err(|source| CannotServe { asked: asked.clone(), source }.into())
}

fn answer(scraper: &TcpStream, registry: &Registry, first: &Room) -> io::Result<()> {
    scraper.set_write_timeout(Some(REQUEST_TIMEOUT))?;
    let head = head(scraper)?;
    let mut words = head.split(u8::is_ascii_whitespace);
    let (status, kind, body) = match (words.next(), words.next()) {
        (Some(b"GET"), Some(b"/metrics")) => {
            let mut body = String::new();
            encode(&mut body, registry).map_err(io::Error::other)?;
            ("200 OK", OPEN_METRICS, body)
        }
        (Some(b"GET"), Some(b"/healthz")) if first.is_closing() => {
            ("503 Service Unavailable", TEXT, "closing\n".to_owned())
        }
        (Some(b"GET"), Some(b"/healthz")) => ("200 OK", TEXT, "ok\n".to_owned()),
        (Some(b"GET"), _) => ("404 Not Found", TEXT, "there are /metrics and /healthz\n".to_owned()),
        _ => ("405 Method Not Allowed", TEXT, "GET only\n".to_owned()),
    };
    let length = body.len();
    let mut scraper = scraper;
    scraper.write_all(
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").as_bytes(),
    )
}

/// The head of a request.
fn head(mut scraper: &TcpStream) -> io::Result<Vec<u8>> {
    let until = clock() + REQUEST_TIMEOUT;
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = until.saturating_duration_since(clock());
        if left.is_zero() || head.len() > REQUEST_BYTES_MAX {
            return Err(io::ErrorKind::TimedOut.into());
        }
        scraper.set_read_timeout(Some(left))?;
        match scraper.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => head.extend_from_slice(&piece[..count]),
        }
    }
    Ok(head)
}

#[expect(clippy::disallowed_methods, reason = "a scraper takes real time")]
fn clock() -> Instant {
    Instant::now()
}

#[derive(Debug, thiserror::Error)]
#[error("cannot serve metrics at {asked}")]
struct CannotServe {
    asked: Address,
    source: io::Error,
}
