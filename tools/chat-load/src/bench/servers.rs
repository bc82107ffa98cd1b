//! The servers to compare with that nobody offers, so we write them ourselves.

mod axum_broadcast;
mod limit;
mod limit_rooms;
mod limit_tls;
mod limit_udp;
mod tokio_broadcast;

use std::net::SocketAddr;

use crate::failure::{Failure, Result};
use crate::stamp::TEXT_BYTES;

/// What one `send` carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sends {
    /// One message.
    Message,
    /// Everything that one `read` returned.
    ReadBatch,
}

impl Sends {
    /// Splits what one `read` returned into the pieces to pass on. A message is a text and a line feed.
    fn pieces(self, read: &[u8]) -> std::slice::Chunks<'_, u8> {
        read.chunks(if self == Self::Message { TEXT_BYTES + 1 } else { read.len().max(1) })
    }
}

/// Serves as the system with this key until the process is killed.
pub(crate) fn serve(system: &str, address: SocketAddr) -> Result<()> {
    match system {
        "limit-batch" | "ws-limit-batch" => limit::serve(address, Sends::ReadBatch),
        "tls-limit-batch" => limit_tls::serve(address),
        "limit-rooms" => limit_rooms::serve(address),
        "limit-message" => limit::serve(address, Sends::Message),
        "udp-limit-batch" => limit_udp::serve(address, Sends::ReadBatch),
        "udp-limit-message" => limit_udp::serve(address, Sends::Message),
        "tokio" => tokio_broadcast::serve(address),
        "ws-axum" => axum_broadcast::serve(address),
        _ => Err(Failure::new(format!("there is no server {system}"))),
    }
}
