//! Tests PROTOCOL.md, clause by clause, with the built program over real sockets. Each test is named after the clause
//! that it checks, and `clauses.rs` makes sure that none is forgotten.
//!
//! Tests that take half a minute or more, because they wait for a timeout of that length, are ignored by default.
//! `cargo xtask faults` runs them, and so does `cargo test -p chat-cli --test conformance -- --ignored`.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod clauses;
mod commands;
mod corpus;
mod datagrams;
mod endings;
mod foreign_protocols;
mod frames;
mod moderation;
mod namespaces;
mod opening;
mod room;
mod rooms;
mod stock_clients;
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
