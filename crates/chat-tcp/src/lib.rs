//! A chat room over TCP.
//!
//! [`TcpServer`] lets framed clients, netcat, telnet and programs with nothing but a bare socket talk in
//! one [`Room`](chat_core::Room). What a peer speaks is told from his first byte, and how he wants to be
//! written to from his first words; PROTOCOL.md has the rules.

mod acceptor;
mod client;
mod config;
mod connection;
mod deadlines;
mod incoming;
mod limits;
mod logs;
mod opening;
mod outgoing;
mod own;
mod peer;
mod server;
mod socket;
mod speaker;
mod transport;

pub use client::{ConnectError, connect};
pub use config::TcpConfig;
pub use server::{BindError, TcpServer};
pub use transport::TcpTransport;
