//! Settings that do not go together: one would do nothing beside the others, or two would write one file.

use std::path::PathBuf;

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

/// Refuses settings that do not go together.
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
    one_file_each(args)
}

/// Each file has a form of its own.
fn one_file_each(args: &ServerArgs) -> Result<(), Failure> {
    let given = [("history", &args.keep.history), ("log-file", &args.log_file), ("bans", &args.bans)];
    let files: Vec<(&str, PathBuf)> = given
        .into_iter()
        .filter_map(|(key, path)| Some((key, path.as_ref()?)))
        .map(|(key, path)| (key, path.canonicalize().unwrap_or_else(|_| path.clone())))
        .collect();
    for (at, (key, path)) in files.iter().enumerate() {
        if let Some((other, _)) = files[..at].iter().find(|(_, before)| before == path) {
            let why = format!("--{other} and --{key} name the same file");
            return Err(Failure::usage(why, Some("give each a file of its own".to_owned())));
        }
    }
    Ok(())
}

fn refused(key: &str, why: &str, otherwise: &str) -> Result<(), Failure> {
    Err(Failure::usage(format!("--{key} {why}"), Some(format!("{otherwise}, or leave --{key} out"))))
}
