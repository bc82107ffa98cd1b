//! PROTOCOL.md, clause by clause, against the built program over real sockets. Each test is named after the
//! clause it checks; `clauses.rs` sees to it that none is forgotten.
//!
//! What takes half a minute or more, because a timeout of that length must pass, is ignored by default; `cargo
//! xtask faults` runs it, and `cargo test -p chat-cli --test conformance -- --ignored` does.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod clauses;
mod commands;
mod corpus;
mod datagrams;
mod endings;
mod frames;
mod moderation;
mod namespaces;
mod opening;
mod room;
mod rooms;
mod stock_clients;
mod strangers;
#[path = "../support/mod.rs"]
mod support;
mod tcp_framed;
mod tcp_plain;
mod telnet;
mod text;
mod timeouts;
mod udp_framed;
mod udp_members;
mod udp_opening;
mod udp_plain;
