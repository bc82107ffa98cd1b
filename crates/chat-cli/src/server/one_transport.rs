//! Settings that are for one transport: where the room is not open over it they would do nothing.

use crate::args::{ServerArgs, TransportKind};
use crate::failure::Failure;
use crate::settings::Settings;

const OF_ONE: &[(&str, TransportKind)] = &[
    #[cfg(unix)]
    ("mode", TransportKind::Unix),
    ("proxy-from", TransportKind::Tcp),
    ("threads", TransportKind::Tcp),
    ("tls", TransportKind::Tcp),
    ("udp-plain", TransportKind::Udp),
    ("udp-trust", TransportKind::Udp),
    ("web", TransportKind::Tcp),
];

/// Whether the room is open over the transport of each of them that is given.
pub(super) fn check(args: &ServerArgs, settings: &Settings) -> Result<(), Failure> {
    let is_idle =
        |(key, transport): &&(&str, TransportKind)| settings.has(key) && !args.transports.contains(transport);
    let Some((key, transport)) = OF_ONE.iter().find(is_idle) else { return Ok(()) };
    let add = match transport {
        TransportKind::Tcp | TransportKind::Udp => format!("add {transport}"),
        #[cfg(unix)]
        TransportKind::Unix => "add unix and its file, such as --bind ./chat.sock".to_owned(),
    };
    Err(Failure::usage(
        format!("--{key} is for {transport}, and the room is not open over it"),
        Some(format!("{add}, or leave --{key} out")),
    ))
}
