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
}

impl Encryption {
    /// Reads or makes the certificate that is asked for, if one is.
    pub(super) fn open(args: &ServerArgs) -> Result<Option<Self>, Failure> {
        let Some(certificate) = certificate(args)? else { return Ok(None) };
        let fingerprint = certificate.fingerprint();
        Ok(Some(Self { tls: Tls::new(certificate).only(args.tls_only), fingerprint }))
    }

    pub(super) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Reads the files again, or others. If that fails the server goes on with the certificate that it has.
    pub(super) fn reload(&self, args: &ServerArgs) -> Result<(), Failure> {
        // One that is made anew would have another fingerprint, which nobody knows.
        if args.tls.as_deref().is_none_or(is_self_signed) {
            return Ok(());
        }
        if let Some(certificate) = certificate(args)? {
            tracing::info!(fingerprint = %certificate.fingerprint(), "the TLS certificate is read again");
            self.tls.replace(certificate);
        }
        Ok(())
    }
}

/// Whether the certificate is to be made.
fn is_self_signed(asked: &[PathBuf]) -> bool {
    matches!(asked, [one] if one.as_os_str() == "self-signed")
}

/// The certificate that is asked for, if one is.
pub(super) fn certificate(args: &ServerArgs) -> Result<Option<Certificate>, Failure> {
    let Some(asked) = &args.tls else { return Ok(None) };
    if !args.transports.contains(&TransportKind::Tcp) {
        let hint = "add it, such as chat server tcp udp --tls self-signed".to_owned();
        return Err(Failure::new(CannotEncrypt::NoTcp, Some(hint)));
    }
    let certificate = match asked.as_slice() {
        asked if is_self_signed(asked) => Certificate::self_signed(names(args)),
        [certificate, key] if certificate.as_os_str() != "self-signed" => Certificate::read(certificate, key),
        _ => {
            let hint =
                "chat server tcp --tls CERT.pem KEY.pem, or chat server tcp --tls self-signed".to_owned();
            return Err(Failure::new(CannotEncrypt::Files, Some(hint)));
        }
    };
    let certificate = certificate.map_err(|error| {
        let hint = match error {
            CertificateError::Use(_) => Some("the key must be the certificate's own".to_owned()),
            _ => None,
        };
        Failure::new(error, hint)
    })?;
    Ok(Some(certificate))
}

/// The line that says what certificate there is.
impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[*] TLS certificate: SHA-256 {}", self.fingerprint)
    }
}

/// The names for a certificate of our own: this machine's own, and those that are listened on.
fn names(args: &ServerArgs) -> Vec<String> {
    let bound = args.addresses().into_iter().map(|address| address.host().to_owned());
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
