//! The options of a cluster.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::OpenError;

/// What all servers of a cluster know, and nobody else: the keys of sessions are made from it.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The shortest secret. `openssl rand -hex 32` prints a good one.
    pub const BYTES_MIN: usize = 32;

    /// These bytes. White space at the end does not count: it comes from an editor.
    ///
    /// # Errors
    ///
    /// [`OpenError::ShortSecret`] for less than [`BYTES_MIN`](Self::BYTES_MIN) bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, OpenError> {
        let mut bytes = bytes.into();
        bytes.truncate(bytes.trim_ascii_end().len());
        match bytes.len() {
            bytes if bytes < Self::BYTES_MIN => Err(OpenError::ShortSecret { bytes }),
            _ => Ok(Self(bytes)),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// How a server takes part in a cluster. All servers of a cluster have the same options.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClusterConfig {
    pub(crate) secret: Secret,
    pub(crate) servers: Vec<String>,
    pub(crate) replicas: usize,
    pub(crate) prefix: String,
    pub(crate) server_name: Option<String>,
    pub(crate) keep: Option<Duration>,
    pub(crate) keep_bytes: Option<u64>,
    pub(crate) credentials: Option<PathBuf>,
    pub(crate) root_certificates: Option<PathBuf>,
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
}

impl ClusterConfig {
    /// The defaults, with this secret.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self {
            secret,
            servers: vec!["nats://127.0.0.1:4222".to_owned()],
            replicas: 1,
            prefix: "chat".to_owned(),
            server_name: None,
            keep: None,
            keep_bytes: None,
            credentials: None,
            root_certificates: None,
            certificate: None,
        }
    }

    /// The NATS servers, such as `nats://10.0.0.1:4222` or `tls://user:password@nats.example.org`. Any of them will do;
    /// others of the same cluster are learned from it. Default: `nats://127.0.0.1:4222`.
    #[must_use]
    pub fn with_servers<S: Into<String>>(mut self, servers: impl IntoIterator<Item = S>) -> Self {
        self.servers = servers.into_iter().map(Into::into).collect();
        self
    }

    /// How many NATS servers keep each message: 1, or 3 or 5 to survive the loss of one or two of them. Default 1. It
    /// holds for streams that are made.
    #[must_use]
    pub fn with_replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// What people call this server in `/who` at the others. Default: a number that it draws. All servers have the same
    /// options but this one.
    #[must_use]
    pub fn with_server_name(mut self, server_name: impl Into<Option<String>>) -> Self {
        self.server_name = server_name.into();
        self
    }

    /// The prefix of the names of all streams, so that several clusters may use one NATS. Default `chat`.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Older messages are deleted. Default: none are. It holds for streams that are made.
    #[must_use]
    pub fn with_keep(mut self, keep: impl Into<Option<Duration>>) -> Self {
        self.keep = keep.into();
        self
    }

    /// Bytes of each room's stream; the oldest messages make room for new ones. Default: no limit but that of NATS. It
    /// holds for streams that are made.
    #[must_use]
    pub fn with_keep_bytes(mut self, keep_bytes: impl Into<Option<u64>>) -> Self {
        self.keep_bytes = keep_bytes.into();
        self
    }

    /// A credentials file (`.creds`), as `nsc` makes it.
    #[must_use]
    pub fn with_credentials(mut self, path: impl Into<Option<PathBuf>>) -> Self {
        self.credentials = path.into();
        self
    }

    /// Certificates that sign those of the NATS servers, beside the system's own.
    #[must_use]
    pub fn with_root_certificates(mut self, path: impl Into<Option<PathBuf>>) -> Self {
        self.root_certificates = path.into();
        self
    }

    /// The certificate and key that this server shows to NATS.
    #[must_use]
    pub fn with_certificate(mut self, certificate_and_key: impl Into<Option<(PathBuf, PathBuf)>>) -> Self {
        self.certificate = certificate_and_key.into();
        self
    }
}
