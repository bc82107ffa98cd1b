//! TLS: whether it is spoken, and what is wrong with the certificate.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme,
    StreamOwned,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use super::{Finding, State, clock, shown, tcp};
use crate::certificate_dates::{self, Validity, validity};

/// Begins TLS, and inside it the protocol.
pub(super) fn examine(address: SocketAddr, host: &str) -> Finding {
    let witness = Arc::new(Witness::default());
    match greet(address, host, &witness) {
        Ok(finding) => match judge(&witness, host) {
            Some(wrong) => Finding::wrong(wrong),
            None => finding,
        },
        Err(why) => match judge(&witness, host) {
            Some(wrong) => Finding::wrong(wrong),
            None => Finding::off(why),
        },
    }
}

fn greet(address: SocketAddr, host: &str, witness: &Arc<Witness>) -> Result<Finding, String> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(witness) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).unwrap_or_else(|_| address.ip().into());
    let connection = ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    let (socket, _) = tcp::connect(address).map_err(|error| error.to_string())?;
    let mut stream = StreamOwned::new(connection, socket);
    while stream.conn.is_handshaking() {
        match stream.conn.complete_io(&mut stream.sock) {
            Ok((0, 0)) => return Err("no TLS there".to_owned()),
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "the TLS handshake");
                return Err("no TLS there".to_owned());
            }
        }
    }
    let began = clock();
    let answer = tcp::greet(stream).map_err(|error| error.to_string())?;
    let took = clock().saturating_duration_since(began);
    let mut finding = tcp::told(&answer, took);
    if finding.state == State::Works {
        finding.words = format!("round trip {}, {}", shown(took), witness.described());
    }
    Ok(finding)
}

/// What is wrong with the certificate that was seen.
fn judge(witness: &Witness, host: &str) -> Option<String> {
    let seen = witness.seen()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&seen).ok()?;
    let (from, until) = dates(&certificate);
    match validity(from, until) {
        Validity::Expired => {
            let until = certificate_dates::shown(until);
            return Some(format!("the certificate expired at {until}: renew it"));
        }
        Validity::NotYet => {
            let from = certificate_dates::shown(from);
            return Some(format!(
                "the certificate is not valid before {from}: is this machine's clock right?"
            ));
        }
        Validity::Valid | Validity::ExpiresSoon => {}
    }
    let names = certificate.subject_alternative_name().ok().flatten().map(|names| &names.value.general_names);
    let is_named = names.into_iter().flatten().any(|name| match name {
        GeneralName::DNSName(name) => is_for(name, host),
        GeneralName::IPAddress(octets) => host.parse().is_ok_and(|ip| match ip {
            std::net::IpAddr::V4(ip) => ip.octets() == **octets,
            std::net::IpAddr::V6(ip) => ip.octets() == **octets,
        }),
        _ => false,
    });
    (!is_named).then(|| format!("the certificate is for another name than {host}"))
}

/// Whether a name of a certificate, perhaps with a star as its first label, stands for the host.
fn is_for(name: &str, host: &str) -> bool {
    name.eq_ignore_ascii_case(host)
        || name.strip_prefix("*.").is_some_and(|rest| {
            host.split_once('.').is_some_and(|(_, domain)| domain.eq_ignore_ascii_case(rest))
        })
}

/// Sees the certificate and accepts it: what is wrong with it is to be told, not to end the handshake.
#[derive(Debug, Default)]
struct Witness(Mutex<Option<Vec<u8>>>);

impl Witness {
    fn seen(&self) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The certificate in a few words.
    fn described(&self) -> String {
        let seen = self.seen().unwrap_or_default();
        let Ok((_, certificate)) = x509_parser::parse_x509_certificate(&seen) else {
            return "its certificate cannot be read".to_owned();
        };
        let (from, until) = dates(&certificate);
        let soon = if validity(from, until) == Validity::ExpiresSoon { ", which is soon" } else { "" };
        let by = if certificate.issuer() == certificate.subject() {
            "signed by itself"
        } else {
            "signed by another"
        };
        format!("certificate {by}, valid until {}{soon}", certificate_dates::shown(until))
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(certificate.to_vec());
        if certificate.is_empty() {
            return Err(Error::InvalidCertificate(CertificateError::BadEncoding));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

fn provider() -> CryptoProvider {
    ring::default_provider()
}

/// The first and the last second in which it is valid.
fn dates(certificate: &X509Certificate<'_>) -> (i64, i64) {
    let validity = certificate.validity();
    (validity.not_before.timestamp(), validity.not_after.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label() {
        assert!(
            is_for("chat.example.org", "Chat.Example.org") && is_for("*.example.org", "chat.example.org")
        );
        assert!(!is_for("*.example.org", "example.org") && !is_for("*.example.org", "a.b.example.org"));
    }
}
