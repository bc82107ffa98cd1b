//! Why a cluster cannot be used.

use std::io;

use thiserror::Error;

/// Why a server cannot be part of a cluster.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No NATS server answers, or none lets us in.
    #[error("cannot reach NATS at {servers}")]
    Connect {
        /// The servers that were tried.
        servers: String,
        /// The error of the last one.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// NATS answers, but its JetStream does not: it is off, or has no leader.
    #[error("the JetStream of NATS cannot be used")]
    JetStream {
        /// What it says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file of the configuration cannot be used.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The prefix of the streams has other characters than letters, digits and `-`.
    #[error("'{prefix}' cannot begin the name of a stream: only letters from a to z, digits and '-' can")]
    Prefix {
        /// The prefix.
        prefix: String,
    },
    /// The secret could be guessed.
    #[error(
        "the secret of the cluster is too short: it has {bytes} bytes, and needs {} at least",
        crate::Secret::BYTES_MIN
    )]
    ShortSecret {
        /// How long it is.
        bytes: usize,
    },
    /// The system has no thread for it.
    #[error("cannot start the cluster's thread")]
    System(#[source] io::Error),
}
