//! The certificate of `--tls`.

use std::fmt;
use std::path::PathBuf;

use chat_tls::{Certificate, CertificateError, Fingerprint, Tls};

use crate::args::{ServerArgs, TransportKind};
use crate::failure::Failure;

/// What TCP connections are encrypted with.
pub(super) struct Encryption {
    tls: Tls,
    fingerprint: Fingerprint,
    /// The files that the certificate and its key are from.
    files: Option<(PathBuf, PathBuf)>,
}

impl Encryption {
    /// Reads or makes the certificate that is asked for, if one is.
    pub(super) fn open(args: &ServerArgs) -> Result<Option<Self>, Failure> {
        let Some(asked) = &args.tls else { return Ok(None) };
        if !args.transports.contains(&TransportKind::Tcp) {
            let hint = "add it, such as chat server tcp udp --tls self-signed".to_owned();
            return Err(Failure::new(CannotEncrypt::NoTcp, Some(hint)));
        }
        let files = match asked.as_slice() {
            [one] if one.as_os_str() == "self-signed" => None,
            [certificate, key] if certificate.as_os_str() != "self-signed" => {
                Some((certificate.clone(), key.clone()))
            }
            _ => {
                let hint =
                    "chat server tcp --tls CERT.pem KEY.pem, or chat server tcp --tls self-signed".to_owned();
                return Err(Failure::new(CannotEncrypt::Files, Some(hint)));
            }
        };
        let certificate = match &files {
            Some((certificate, key)) => Certificate::read(certificate, key),
            None => Certificate::self_signed(names(args)),
        };
        let certificate = certificate.map_err(|error| {
            let hint = match error {
                CertificateError::Use(_) => Some("the key must be the certificate's own".to_owned()),
                _ => None,
            };
            Failure::new(error, hint)
        })?;
        let fingerprint = certificate.fingerprint();
        Ok(Some(Self { tls: Tls::new(certificate).only(args.tls_only), fingerprint, files }))
    }

    pub(super) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Reads the files again. If that fails the server goes on with the certificate that it has.
    pub(super) fn reload(&self) {
        let Some((certificate, key)) = &self.files else { return };
        match Certificate::read(certificate, key) {
            Ok(certificate) => {
                tracing::info!(fingerprint = %certificate.fingerprint(), "the TLS certificate is read again");
                self.tls.replace(certificate);
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "the TLS certificate stays as it was");
            }
        }
    }
}

/// The line that says what certificate there is.
impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[*] TLS certificate: SHA-256 {}", self.fingerprint)
    }
}

/// The names for a certificate of our own: this machine's own, and those that are listened on.
fn names(args: &ServerArgs) -> Vec<String> {
    let bound = args.bind.iter().map(|address| address.host().to_owned());
    let mut names: Vec<String> = bound.chain(["localhost", "127.0.0.1", "::1"].map(str::to_owned)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[derive(Debug, thiserror::Error)]
enum CannotEncrypt {
    #[error("--tls is for TCP, and the room is not open over it")]
    NoTcp,
    #[error("--tls takes the certificate and its key, two files")]
    Files,
}
