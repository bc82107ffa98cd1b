//! `chat doctor`: what of a server can be reached, in words.
//!
//! It begins every protocol and goes no further than the first answer, so it never becomes a member.

mod tcp;
mod tls;
mod udp;

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chat_core::limits::ADDRESSES_MAX;

use crate::args::DoctorArgs;
use crate::failure::Failure;
use crate::stdio;
use crate::terminal::printable;

/// How long anything may take before it counts as no answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What one attempt has found.
struct Finding {
    state: State,
    words: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Members can come in that way.
    Works,
    /// The server does not offer it, which may be meant so.
    Off,
    /// Somebody should do something about it.
    Wrong,
}

impl Finding {
    fn works(words: impl Into<String>) -> Self {
        Self { state: State::Works, words: words.into() }
    }

    fn off(words: impl Into<String>) -> Self {
        Self { state: State::Off, words: words.into() }
    }

    fn wrong(words: impl Into<String>) -> Self {
        Self { state: State::Wrong, words: words.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Works => "works",
            State::Off => "off",
            State::Wrong => "WRONG",
        };
        // Some of the words may be those of whatever listens there.
        write!(f, "{state}: {}", printable(&self.words))
    }
}

pub(crate) fn run(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    let mut addresses: Vec<SocketAddr> = args
        .address
        .to_socket_addrs()
        .map_err(|source| {
            let hint = "is the name right, and is there a name server?".to_owned();
            Failure::new(CannotResolve { host: args.address.host().to_owned(), source }, Some(hint))
        })?
        .collect();
    addresses.dedup();
    addresses.truncate(ADDRESSES_MAX);
    let mut is_well = true;
    for address in addresses {
        stdio::print(&format!("{address}\n"))?;
        let found = examine(address, args.address.host());
        for (what, finding) in &found {
            stdio::print(&format!("  {what:<10} {finding}\n"))?;
        }
        let can_come = found.iter().any(|(_, finding)| finding.state == State::Works);
        is_well &= can_come && found.iter().all(|(_, finding)| finding.state != State::Wrong);
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tries everything at one address of the host.
fn examine(address: SocketAddr, host: &str) -> Vec<(&'static str, Finding)> {
    let tcp = tcp::examine(address);
    let is_there = tcp.is_there;
    let tls = is_there.then(|| tls::examine(address, host));
    let mut tcp = tcp.finding;
    // With --tls-only the bare protocol is closed without a word.
    if let Some(tls) = &tls
        && tls.state == State::Works
        && tcp.state == State::Wrong
    {
        tcp = Finding::off("only through TLS");
    }
    let works = tcp.state == State::Works || tls.as_ref().is_some_and(|tls| tls.state == State::Works);
    let mut found = vec![("TCP", tcp)];
    found.extend(tls.map(|tls| ("TLS", tls)));
    if is_there {
        found.push(("WebSocket", tcp::examine_web(address, host)));
    }
    found.push(("UDP", udp::examine(address, works)));
    found
}

/// A duration as people read it.
fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

#[expect(clippy::disallowed_methods, reason = "a server is measured in real time")]
fn clock() -> Instant {
    Instant::now()
}

#[derive(Debug, thiserror::Error)]
#[error("cannot find the host {host}")]
struct CannotResolve {
    host: String,
    source: io::Error,
}
