//! The room's numbers in the Prometheus text format: `curl http://127.0.0.1:9100/metrics`.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use chat_core::{Room, RoomConfig};
use chat_tcp::{TcpConfig, TcpServer};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// A scraper sends a short request at once.
const REQUEST_BYTES_MAX: u64 = 8 * 1024;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// Reads the room when it is asked, so there is no second set of counters that could differ.
#[derive(Debug)]
struct RoomMetrics(Room);

impl Collector for RoomMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let stats = self.0.stats();
        let gauges = [
            ("chat_members", "Remote members present", stats.members),
            ("chat_local_members", "Local members present", stats.local_members),
            ("chat_log_bytes", "Bytes the log holds", stats.log_bytes),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let encoder = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(encoder)?;
        }
        let counters = [
            ("chat_joined", "Remote members that ever joined", stats.joined),
            ("chat_left", "Remote members that left", stats.left),
            ("chat_refused", "Peers refused at the door", stats.refused),
            ("chat_messages", "Messages accepted", stats.messages),
            ("chat_moderated", "Messages refused by the moderator", stats.moderated),
            ("chat_missed", "Messages that slow members were told they missed", stats.missed),
            ("chat_throttled", "Times a member was over its rate limit", stats.throttled),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            let encoder = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(encoder)?;
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let chat = arguments.next().unwrap_or_else(|| "127.0.0.1:5555".to_owned());
    let metrics = arguments.next().unwrap_or_else(|| "127.0.0.1:9100".to_owned());
    let room = Room::new(RoomConfig::default());
    let server = TcpServer::bind(chat, &room, &TcpConfig::default())?;
    let listener = TcpListener::bind(metrics)?;
    println!("Listening on {}", server.local_addr());
    println!("Metrics on http://{}/metrics", listener.local_addr()?);
    let _running = server.spawn()?;

    let mut registry = Registry::default();
    registry.register_collector(Box::new(RoomMetrics(room)));
    for scraper in listener.incoming() {
        // An error of one scraper does not end the loop.
        if let Err(error) = scraper.and_then(|scraper| answer(&scraper, &registry)) {
            eprintln!("a scrape has failed: {error}");
        }
    }
    Ok(())
}

/// Answers one request with all the numbers, whatever it asks for.
fn answer(mut scraper: &TcpStream, registry: &Registry) -> std::io::Result<()> {
    scraper.set_read_timeout(Some(REQUEST_TIMEOUT))?;
    scraper.set_write_timeout(Some(REQUEST_TIMEOUT))?;
    for line in BufReader::new(scraper.take(REQUEST_BYTES_MAX)).lines() {
        if line?.is_empty() {
            break; // the end of the request's head
        }
    }
    let mut body = String::new();
    encode(&mut body, registry).map_err(std::io::Error::other)?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let length = body.len();
    write!(
        scraper,
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}
