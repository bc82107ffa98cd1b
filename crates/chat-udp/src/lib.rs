//! x
mod client;
mod config;
mod cookie;
mod deadlines;
mod endpoint;
mod inbox;
mod limits;
mod logs;
mod outgoing;
mod peers;
mod plain;
mod rtt;
mod session;
mod window;

pub use client::{ClientSession, SessionEnd};
pub use config::{PlainPolicy, UdpConfig};
pub use endpoint::Endpoint;
