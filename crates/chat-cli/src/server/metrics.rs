//! `--admin`: the server's numbers for Prometheus, and whether it is well, over HTTP.

mod http;
mod prometheus;

use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::thread::Builder;

use chat_core::access::BanList;
use chat_core::{Name, Rooms};

use self::http::{Answer, OPEN_METRICS, TEXT};
use self::prometheus::Metrics;
use crate::address::Address;
use crate::failure::Failure;

/// Answers requests on a thread of its own.
///
/// # Errors
///
/// If the system has no thread or descriptor to give.
pub(super) fn serve(listener: TcpListener, rooms: &Rooms, named: &[Name], bans: &BanList) -> io::Result<()> {
    let mut server = http::Server::new(listener)?;
    let first = rooms.first();
    let mut metrics = Metrics::new(rooms, named, bans);
    Builder::new().name("chat-admin".to_owned()).spawn(move || {
        let result = server.run(|path, now| match path {
            "/metrics" => Answer { status: "200 OK", kind: OPEN_METRICS, body: metrics.text(now) },
            "/healthz" if first.is_closing() => {
                Answer { status: "503 Service Unavailable", kind: TEXT, body: "closing\n".to_owned() }
            }
            "/healthz" => Answer { status: "200 OK", kind: TEXT, body: "ok\n".to_owned() },
            _ => {
                let body = "there are /metrics and /healthz\n".to_owned();
                Answer { status: "404 Not Found", kind: TEXT, body }
            }
        });
        if let Err(error) = result {
            tracing::error!(%error, "metrics and health are not served any more");
        }
    })?;
    Ok(())
}

/// Listens there.
pub(super) fn bind(asked: &Address) -> Result<TcpListener, Failure> {
    TcpListener::bind(asked).map_err(|source| {
        let hint = match source.kind() {
            ErrorKind::AddrInUse => Some("that port is taken: choose another one for --admin".to_owned()),
            _ => None,
        };
        Failure::new(CannotServe { asked: asked.clone(), source }, hint)
    })
}

#[derive(Debug, thiserror::Error)]
#[error("cannot serve metrics at {asked}")]
struct CannotServe {
    asked: Address,
    source: io::Error,
}
