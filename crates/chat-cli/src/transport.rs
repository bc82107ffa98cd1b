//! The one place that knows which transports there are.

use std::io::ErrorKind;

use chat_core::{Client, ClientConfig};
use chat_tcp::ConnectError;

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
        TransportKind::Tcp => {
            chat_tcp::connect(address.clone(), config).map_err(|error| no_tcp_connection(error, address))
        }
    }
}

fn no_tcp_connection(error: ConnectError, address: &Address) -> Failure {
    let hint = match &error {
        ConnectError::Connect { source, .. } => match source.kind() {
            ErrorKind::ConnectionRefused => {
                format!("nothing listens there. Start a room with: chat server tcp --bind {address}")
            }
            ErrorKind::TimedOut => {
                format!("nothing answers there; check that {address} is right and no firewall is between")
            }
            _ => format!("check that {address} is right and can be reached from here"),
        },
        ConnectError::Resolve(_) => format!("check the spelling of {address}"),
        _ => return Failure::from(error),
    };
    Failure::new(error, Some(hint))
}
