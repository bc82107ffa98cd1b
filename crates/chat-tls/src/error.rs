//! Why a client does not talk to a server.

use std::io::{self, ErrorKind};

use rustls::CertificateError;
use thiserror::Error;

use crate::certificate::Fingerprint;

/// Why a handshake with a server has failed.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// Nobody vouches for the server's certificate.
    #[error("the server's certificate is not trusted: {why}")]
    Untrusted {
        /// The SHA-256 of the certificate.
        fingerprint: Fingerprint,
        /// Why the system's roots do not vouch for it.
        why: String,
    },
    /// The server has ended the connection meanwhile.
    #[error("the server ended the connection instead of beginning TLS")]
    Ended,
    /// The server does not speak TLS.
    #[error("the server does not speak TLS")]
    NotTls,
    /// The two do not agree about TLS, or one of them has broken its rules.
    #[error("the TLS handshake has failed: {0}")]
    Tls(rustls::Error),
}

impl From<rustls::Error> for HandshakeError {
    fn from(error: rustls::Error) -> Self {
        if let rustls::Error::InvalidCertificate(CertificateError::Other(other)) = &error
            && let Some(ours) = other.0.downcast_ref::<Self>()
        {
            return ours.clone();
        }
        match error {
            rustls::Error::InvalidMessage(_) => Self::NotTls,
            error => Self::Tls(error),
        }
    }
}

impl From<HandshakeError> for io::Error {
    fn from(error: HandshakeError) -> Self {
        let kind = match &error {
            HandshakeError::Untrusted { .. } => ErrorKind::PermissionDenied,
            _ => ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}
