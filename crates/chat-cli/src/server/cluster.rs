//! A server's place in a cluster.

use std::fs;
use std::io;
use std::path::Path;

use chat_nats::{Cluster, ClusterConfig, OpenError, Secret};

use crate::args::ClusterArgs;
use crate::failure::Failure;

/// MiB.
const MIB: u64 = 1024 * 1024;

/// The cluster that was asked for. Reads its secret.
pub(super) fn config(args: &ClusterArgs) -> Result<Option<ClusterConfig>, Failure> {
    let Some(path) = args.cluster_secret_file.as_ref().filter(|_| !args.nats.is_empty()) else {
        return Ok(None);
    };
    let secret = fs::read(path).map_err(|error| no_secret(path, error))?;
    let secret = Secret::new(secret).map_err(cannot_open)?;
    let certificate = args.nats_cert.as_deref().and_then(|files| match files {
        [certificate, key] => Some((certificate.clone(), key.clone())),
        _ => None,
    });
    let config = ClusterConfig::new(secret)
        .with_servers(args.nats.iter().cloned())
        .with_replicas(args.nats_replicas)
        .with_prefix(&args.nats_prefix)
        .with_keep(args.nats_keep)
        .with_keep_bytes(args.nats_keep_mib.map(|mib| mib * MIB))
        .with_credentials(args.nats_creds.clone())
        .with_root_certificates(args.nats_ca.clone())
        .with_certificate(certificate);
    Ok(Some(config))
}

/// Connects to it. `port` is where this server listens.
pub(super) fn connect(
    config: ClusterConfig,
    args: &ClusterArgs,
    port: Option<u16>,
) -> Result<Cluster, Failure> {
    let name = args.server_name.clone().unwrap_or_else(|| called(port));
    Cluster::connect(config.with_server_name(name)).map_err(cannot_open)
}

/// What people call a server that was given no name: its machine, and the port.
fn called(port: Option<u16>) -> String {
    #[cfg(unix)]
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let machine = std::env::var("COMPUTERNAME").unwrap_or_default();
    port.map_or_else(|| machine.clone(), |port| format!("{machine}:{port}"))
}

fn cannot_open(error: OpenError) -> Failure {
    let hint = match &error {
        OpenError::Connect { .. } => Some("is `nats-server -js` running there?"),
        OpenError::JetStream { .. } => {
            Some("start nats-server with -js; --nats-replicas 3 needs a cluster of three that see each other")
        }
        OpenError::ShortSecret { .. } => Some("`openssl rand -hex 32` makes a good one"),
        _ => None,
    };
    Failure::new(error, hint.map(str::to_owned))
}

fn no_secret(path: &Path, error: io::Error) -> Failure {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the secret of the cluster, {path}")]
    struct CannotRead {
        path: String,
        source: io::Error,
    }
    let hint = (error.kind() == io::ErrorKind::NotFound).then(|| {
        format!("make it with `openssl rand -hex 32 > {}`, and copy it to the other servers", path.display())
    });
    Failure::new(CannotRead { path: path.display().to_string(), source: error }, hint)
}
