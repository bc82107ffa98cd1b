//! The one place that knows which transports there are.

use std::error::Error;
use std::io::ErrorKind;

use chat_core::{Client, ClientConfig};

use crate::address::Address;
use crate::args::TransportKind;
use crate::failure::Failure;

/// Joins the room at `address`.
pub(crate) fn connect(
    kind: TransportKind,
    address: &Address,
    config: &ClientConfig,
) -> Result<Client, Failure> {
    match kind {
        TransportKind::Tcp => chat_tcp::connect(address.clone(), config).map_err(|error| {
            let why = match &error {
                chat_tcp::ConnectError::Resolve(_) => Why::Name,
                chat_tcp::ConnectError::Connect { source, .. } => Why::NoWay(source.kind()),
                _ => Why::Other,
            };
            no_connection(error, &why, kind, address)
        }),
        TransportKind::Udp => chat_udp::connect(address.clone(), config).map_err(|error| {
            let why = match &error {
                chat_udp::ConnectError::Resolve(_) => Why::Name,
                chat_udp::ConnectError::Connect { source, .. } => Why::NoWay(source.kind()),
                _ => Why::Other,
            };
            no_connection(error, &why, kind, address)
        }),
    }
}

/// Why no connection came about, whatever the transport.
enum Why {
    Name,
    NoWay(ErrorKind),
    Other,
}

fn no_connection(
    error: impl Error + Send + Sync + 'static,
    why: &Why,
    kind: TransportKind,
    address: &Address,
) -> Failure {
    let hint = match why {
        Why::Name => format!("check the spelling of {address}"),
        Why::NoWay(ErrorKind::ConnectionRefused) => {
            format!("nothing listens there. Start a room with: chat server {kind} --bind {address}")
        }
        Why::NoWay(ErrorKind::TimedOut) => {
            format!("nothing answers there; check that {address} is right and no firewall is between")
        }
        Why::NoWay(_) => format!("check that {address} is right and can be reached from here"),
        Why::Other => return Failure::from(error),
    };
    Failure::new(error, Some(hint))
}
