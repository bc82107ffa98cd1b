//! The flags of a server that shares its rooms with others.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::history::time;
use super::number::number;

/// How a server takes part in a cluster.
#[derive(Clone, Debug, Args)]
pub(crate) struct ClusterArgs {
    /// Share all rooms with other servers over these NATS servers, with JetStream: one order of messages, names, private messages,
    /// `/who`, bans and mutes for all, and members go on at another server when theirs dies
    #[arg(long, value_name = "URL,URL", value_delimiter = ',', requires = "cluster_secret_file")]
    pub(crate) nats: Vec<String>,
    /// What all servers of the cluster know, and nobody else: at least 32 characters (`openssl rand -hex 32`)
    #[arg(long, value_name = "FILE", requires = "nats")]
    pub(crate) cluster_secret_file: Option<PathBuf>,
    /// NATS servers that keep each message: 3 survive the loss of one, 5 that of two. For streams that do not exist yet
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value_t = 1, requires = "nats",
        value_parser = number(1_usize..=5, "a number of NATS servers"))]
    pub(crate) nats_replicas: usize,
    /// Delete older messages from the streams, such as 30d. For streams that do not exist yet
    #[arg(long, value_name = "TIME", value_parser = time, requires = "nats")]
    pub(crate) nats_keep: Option<Duration>,
    /// MiB of the stream of each room; the oldest messages make room for new ones. For streams that do not exist yet
    #[arg(long, value_name = "MIB", allow_negative_numbers = true, requires = "nats",
        value_parser = number(1_u64..=1024 * 1024, "MiB of a stream"))]
    pub(crate) nats_keep_mib: Option<u64>,
    /// What the names of streams begin with, so that several clusters may use one NATS
    #[arg(long, value_name = "WORD", default_value = "chat", requires = "nats")]
    pub(crate) nats_prefix: String,
    /// What `/who` at the other servers calls this one [default: HOST:PORT, with the name of this machine]
    #[arg(long, value_name = "NAME", requires = "nats")]
    pub(crate) server_name: Option<String>,
    /// Credentials for NATS, as `nsc` makes them; a user and a password may stand in the URL instead
    #[arg(long, value_name = "FILE", requires = "nats")]
    pub(crate) nats_creds: Option<PathBuf>,
    /// Certificates that sign those of the NATS servers, beside the system's own
    #[arg(long, value_name = "CA.PEM", requires = "nats")]
    pub(crate) nats_ca: Option<PathBuf>,
    /// The certificate and key to show to NATS
    #[arg(long, value_names = ["CERT.PEM", "KEY.PEM"], num_args = 2, requires = "nats")]
    pub(crate) nats_cert: Option<Vec<PathBuf>>,
}
