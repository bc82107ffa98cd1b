//! The one place that knows which transports there are.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use chat_core::{Client, ClientConfig, ConnectError};
use chat_tls::TlsClient;

use crate::address::{Addresses, Target};
use crate::args::TransportKind;
use crate::failure::Failure;

/// Joins the room at the first of these addresses that answers.
pub(crate) fn connect(
    kind: TransportKind,
    target: &Target<Addresses>,
    config: &ClientConfig,
    tls: Option<&TlsClient>,
) -> Result<Client, Failure> {
    let addresses = match (kind, target) {
        #[cfg(unix)]
        (TransportKind::Unix, Target::File(path)) => {
            return chat_tcp::connect_unix(path, config).map_err(|error| {
                let hint = format!("is a server there? chat server unix --bind {target}");
                Failure::new(error, Some(hint))
            });
        }
        #[cfg(unix)]
        (TransportKind::Unix, Target::Address(_)) => {
            let hint = "with a / in it, such as chat client unix ./chat.sock".to_owned();
            return Err(Failure::usage("unix needs the file of a server's socket", Some(hint)));
        }
        (_, Target::File(path)) => {
            let hint = format!("chat client unix {}", path.display());
            return Err(Failure::usage(
                format!("{target} is a file, and {kind} needs HOST:PORT"),
                Some(hint),
            ));
        }
        (_, Target::Address(addresses)) => addresses,
    };
    let result = match kind {
        TransportKind::Udp => chat_udp::connect(addresses.clone(), config),
        _ => match tls {
            Some(tls) => chat_tcp::connect_over(addresses.clone(), config, tls),
            None => chat_tcp::connect(addresses.clone(), config),
        },
    };
    result.map_err(|error| {
        let why = match &error {
            ConnectError::Resolve(_) => Why::Name,
            ConnectError::Connect { address, source } => Why::no_way(*address, source),
            _ => Why::Other,
        };
        no_connection(error, &why, kind, addresses)
    })
}

/// Why no connection came about, whatever the transport.
enum Why {
    Name,
    NoWay(ErrorKind),
    /// The system cannot send to such addresses.
    NoIpv6,
    /// A link-local address does not say on which network.
    NoScope,
    Other,
}

impl Why {
    fn no_way(address: SocketAddr, error: &io::Error) -> Self {
        let SocketAddr::V6(address) = address else { return Self::NoWay(error.kind()) };
        match error.kind() {
            _ if address.ip().is_unicast_link_local() && address.scope_id() == 0 => Self::NoScope,
            ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable | ErrorKind::Unsupported => {
                Self::NoIpv6
            }
            // EAFNOSUPPORT has no kind of its own.
            _ if error.to_string().contains("Address family not supported") => Self::NoIpv6,
            kind => Self::NoWay(kind),
        }
    }
}

/// What to do about the name of an interface that the system does not know.
pub(crate) const NO_INTERFACE: &str = "is there such a network interface? `ip link` lists them";

/// What to do about a link-local address without an interface.
pub(crate) fn which_network(host: impl Display, port: u16) -> String {
    format!("say on which network, as in [{host}%eth0]:{port}")
}

fn no_connection(
    error: impl Error + Send + Sync + 'static,
    why: &Why,
    kind: TransportKind,
    addresses: &Addresses,
) -> Failure {
    let address = addresses.first();
    let hint = match why {
        Why::Name if address.host().contains('%') => NO_INTERFACE.to_owned(),
        Why::Name => format!("check the spelling of {addresses}"),
        Why::NoWay(ErrorKind::ConnectionRefused) => {
            format!("nothing listens there. Start a room with: chat server {kind} --bind {address}")
        }
        Why::NoWay(ErrorKind::TimedOut) => {
            format!("nothing answers there; check that {addresses} is right and no firewall is between")
        }
        Why::NoWay(_) => format!("check that {addresses} is right and can be reached from here"),
        Why::NoIpv6 => {
            "this machine has no way to that IPv6 address; try the server's IPv4 address".to_owned()
        }
        Why::NoScope => which_network(address.host(), address.port),
        Why::Other => return Failure::from(error),
    };
    Failure::new(error, Some(hint))
}
