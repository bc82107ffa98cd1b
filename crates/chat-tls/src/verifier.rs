//! Whether a server is the one that a client wants to talk to.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use crate::certificate::Fingerprint;
use crate::client::Unknown;
use crate::error::HandshakeError;

type Judge = dyn Fn(&Unknown<'_>) -> bool + Send + Sync;

/// Trusts a certificate that the roots vouch for, or else the judge. That the server has the certificate's key is
/// proven in either case.
pub(crate) struct Verifier {
    roots: Option<Arc<WebPkiServerVerifier>>,
    judge: Box<Judge>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(crate) fn new(
        roots: Option<Arc<WebPkiServerVerifier>>,
        judge: impl Fn(&Unknown<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        let algorithms = ring::default_provider().signature_verification_algorithms;
        Self { roots, judge: Box::new(judge), algorithms }
    }
}

/// Checks name, chain and dates.
pub(crate) fn roots_verifier(
    roots: RootCertStore,
) -> Result<Arc<WebPkiServerVerifier>, rustls::client::VerifierBuilderError> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider())).build()
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let why = match &self.roots {
            None => "it has another fingerprint".to_owned(),
            Some(roots) => match roots.verify_server_cert(certificate, chain, name, ocsp, now) {
                Ok(verified) => return Ok(verified),
                Err(error) => reason(&error),
            },
        };
        let fingerprint = Fingerprint::of(certificate);
        if (self.judge)(&Unknown { fingerprint, why: &why }) {
            return Ok(ServerCertVerified::assertion());
        }
        let untrusted = OtherError(Arc::new(HandshakeError::Untrusted { fingerprint, why }));
        Err(rustls::Error::InvalidCertificate(CertificateError::Other(untrusted)))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What is wrong with a certificate, for people.
fn reason(error: &rustls::Error) -> String {
    use rustls::CertificateError as Wrong;

    let rustls::Error::InvalidCertificate(wrong) = error else { return error.to_string() };
    match wrong {
        Wrong::Expired | Wrong::ExpiredContext { .. } => "it has expired".to_owned(),
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
            "it is not valid yet; is the clock of this machine right?".to_owned()
        }
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => "it is for another name".to_owned(),
        Wrong::UnknownIssuer => "nobody whom this system trusts has signed it".to_owned(),
        Wrong::Revoked => "it is revoked".to_owned(),
        // That of rustls-webpki, whose words are those of its source.
        Wrong::Other(other) if other.0.to_string() == "CaUsedAsEndEntity" => {
            "it is a CA certificate, not a server's (make it with basicConstraints CA:FALSE)".to_owned()
        }
        Wrong::Other(other) => other.0.to_string(),
        other => other.to_string(),
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("roots", &self.roots).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_for_signing_others_is_told_in_words() {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).expect("it is a CA certificate");
        let verifier = Verifier::new(Some(roots_verifier(roots).expect("roots")), |unknown| {
            assert!(unknown.why.starts_with("it is a CA certificate"), "{}", unknown.why);
            true
        });
        let name = ServerName::try_from("localhost").expect("a name");
        let trusted = verifier.verify_server_cert(certificate.der(), &[], &name, &[], UnixTime::now());
        assert!(trusted.is_ok());
    }
}
