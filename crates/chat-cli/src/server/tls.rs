//! The certificate of `--tls`.

use std::fmt;
use std::path::PathBuf;

use chat_tls::{Certificate, CertificateError, Fingerprint, Tls};

use crate::args::ServerArgs;
use crate::certificate_dates::{Validity, shown, validity};
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
        warn_of_dates(&certificate);
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
            warn_of_dates(&certificate);
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
    let certificate = match asked.as_slice() {
        asked if is_self_signed(asked) => Certificate::self_signed(names(args)),
        [certificate, key] if certificate.as_os_str() != "self-signed" => Certificate::read(certificate, key),
        _ => {
            let hint =
                "chat server tcp --tls CERT.pem KEY.pem, or chat server tcp --tls self-signed".to_owned();
            return Err(Failure::usage(CannotEncrypt::Files, Some(hint)));
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

/// A server with such a certificate still serves those who do not ask for TLS, or know it by its fingerprint.
fn warn_of_dates(certificate: &Certificate) {
    if let Err(failure) = check_dates(certificate) {
        tracing::warn!("{}", failure.causes());
    }
}

/// Whether the certificate is valid now. Warns if it will not be soon.
pub(super) fn check_dates(certificate: &Certificate) -> Result<(), Failure> {
    let Some((from, until)) = certificate.validity() else { return Ok(()) };
    match validity(from, until) {
        Validity::Valid => Ok(()),
        Validity::ExpiresSoon => {
            tracing::warn!("the TLS certificate expires at {}", shown(until));
            Ok(())
        }
        Validity::NotYet => {
            Err(Failure::new(format!("the TLS certificate is not valid before {}", shown(from)), None))
        }
        Validity::Expired => {
            let hint = "renew it; SIGHUP has a running server read it again".to_owned();
            let expired = format!("the TLS certificate expired at {}", shown(until));
            Err(Failure::new(expired, Some(hint)))
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
    let bound = args.addresses().into_iter().map(|address| address.host().to_owned());
    let mut names: Vec<String> = bound.chain(["localhost", "127.0.0.1", "::1"].map(str::to_owned)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[derive(Debug, thiserror::Error)]
enum CannotEncrypt {
    #[error("--tls takes the certificate and its key, two files")]
    Files,
}
