//! Settings that would do nothing beside the others.

use crate::args::{NamesArg, PlainUdp, ServerArgs, TransportKind};
use crate::failure::Failure;
use crate::settings::Settings;

/// Those that are for one transport.
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

/// Refuses a setting that is given and would do nothing.
pub(super) fn check(args: &ServerArgs, settings: &Settings) -> Result<(), Failure> {
    if let Some((key, transport)) =
        OF_ONE.iter().find(|(key, transport)| settings.has(key) && !args.transports.contains(transport))
    {
        let add = match transport {
            TransportKind::Tcp | TransportKind::Udp => format!("add {transport}"),
            #[cfg(unix)]
            TransportKind::Unix => "add unix and its file, such as --bind ./chat.sock".to_owned(),
        };
        return refused(key, &format!("is for {transport}, and the room is not open over it"), &add);
    }
    if !args.udp_trust.is_empty() && args.udp_plain == PlainUdp::Off {
        let why = "is for plain datagrams, and --udp-plain off takes none";
        return refused("udp-trust", why, "give --udp-plain another value");
    }
    if args.hide_addresses && args.names == NamesArg::Off {
        let why = "is for members that have names, and with --names off none has one";
        return refused("hide-addresses", why, "give --names another value");
    }
    Ok(())
}

fn refused(key: &str, why: &str, otherwise: &str) -> Result<(), Failure> {
    Err(Failure::usage(format!("--{key} {why}"), Some(format!("{otherwise}, or leave --{key} out"))))
}
