//! The page of `chat server --web` in a real Chromium, and other programs that talk to the server over HTTP and
//! WebSocket.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod accessibility;
mod chromium;
mod hostile;
mod programs;
#[path = "../support/mod.rs"]
mod support;
mod talking;

use support::Server;

/// A server for browsers, and the address to open in one.
fn server(flags: &[&str]) -> (Server, String) {
    let flags: Vec<&str> = ["--web"].iter().chain(flags).copied().collect();
    let server = Server::with(&flags);
    let url = format!("http://{}/", server.address);
    (server, url)
}
