//! Checks the layers: which packages must not be in the dependency tree of a library crate.
//!
//! The protocol and the room stay free of sockets, so that they run in a simulator and in any embedder's loop. No
//! library brings an async runtime or a flag parser.

use std::path::Path;

use crate::cargo;
use crate::failure::Failure;

/// The packages that a library must not depend on, directly or through others, in addition to [`IN_NO_LIBRARY`].
const LAYERS: &[(&str, &[&str])] = &[
    ("chat-proto", &["chat-core", "mio", "socket2", "crossbeam-channel", "rand"]),
    (
        "chat-core",
        &[
            "chat-stream",
            "chat-tcp",
            "chat-udp",
            "chat-store",
            "chat-nats",
            "rusqlite",
            "rustls",
            "mio",
            "socket2",
        ],
    ),
    ("chat-stream", &["rustls", "chat-tcp", "chat-udp", "mio", "socket2", "rustix"]),
    ("chat-tcp", &["chat-udp", "chat-tls", "rusqlite", "rustls"]),
    ("chat-tls", &["chat-udp", "rusqlite", "aws-lc-rs"]),
    ("chat-udp", &["chat-tcp", "rusqlite", "rustls"]),
    ("chat-store", &["chat-stream", "chat-tcp", "chat-udp", "mio", "socket2"]),
    ("chat-nats", &["chat-stream", "chat-tcp", "chat-udp", "rusqlite", "aws-lc-rs"]),
];

/// The only library with an async runtime in its tree. Its callers do not see the runtime.
const WITH_RUNTIME: (&str, &str) = ("chat-nats", "tokio");

const IN_NO_LIBRARY: &[&str] = &["tokio", "async-std", "clap"];

pub(super) fn check(root: &Path) -> Result<(), Failure> {
    for (library, banned) in LAYERS {
        if !root.join("crates").join(library).is_dir() {
            println!("{library}: not there yet");
            continue;
        }
        let line = format!("tree --locked -p {library} -e normal --prefix none");
        let tree = cargo::output(root, &line)?;
        let names = banned.iter().chain(IN_NO_LIBRARY);
        let mut names = names.filter(|name| (*library, **name) != WITH_RUNTIME);
        if let Some(name) = names.find(|name| contains(&tree, name)) {
            return Err(Failure {
                reason: format!("{library} must not depend on {name}"),
                command: format!("cargo tree --locked -p {library} -e normal -i {name}"),
            });
        }
        println!("{library}: ok");
    }
    Ok(())
}

/// Whether a package is in the output of `cargo tree --prefix none`, which has lines of the form `name v1.2.3 ...`.
fn contains(tree: &str, name: &str) -> bool {
    tree.lines().any(|line| line.split(' ').next() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_found_by_its_whole_name() {
        let tree = "chat-core v0.1.0 (/somewhere/mio)\nmio-extras v1.0.0\nrand v0.10.4 (*)\n";
        assert!(contains(tree, "chat-core"));
        assert!(contains(tree, "rand"));
        assert!(!contains(tree, "mio"));
    }
}
