//! A server's certificate and its key.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rustls::SupportedCipherSuite;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use thiserror::Error;

/// A certificate with its chain, and the private key that belongs to it.
#[derive(Clone, Debug)]
pub struct Certificate(pub(crate) Arc<CertifiedKey>);

impl Certificate {
    /// Reads a certificate, perhaps with others that it depends on, and its private key, from PEM files.
    ///
    /// # Errors
    ///
    /// [`CertificateError`], with the file that is to blame.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        let refused = |path: &Path| {
            let path = path.to_owned();
            move |source| CertificateError::Read { path, source }
        };
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(refused(certificate))?;
        if chain.is_empty() {
            return Err(CertificateError::Empty(certificate.to_owned()));
        }
        let key = PrivateKeyDer::from_pem_file(key).map_err(refused(key))?;
        Self::of(chain, key)
    }

    /// Makes a certificate that vouches for itself, with a new key. Clients must be told its
    /// [fingerprint](Self::fingerprint) in a way that they trust.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Make`] if one of the names is not a name.
    pub fn self_signed(names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, CertificateError> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let made = rcgen::generate_simple_self_signed(names)?;
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        Self::of(vec![made.cert.der().clone()], key)
    }

    fn of(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, CertificateError> {
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider())?;
        Ok(Self(Arc::new(key)))
    }

    /// The time from which and until which it is valid, in seconds of Unix time. `None` if that cannot be read from it.
    #[must_use]
    pub fn validity(&self) -> Option<(i64, i64)> {
        let (_, certificate) = x509_parser::parse_x509_certificate(self.0.cert.first()?).ok()?;
        let validity = certificate.validity();
        Some((validity.not_before.timestamp(), validity.not_after.timestamp()))
    }

    /// The SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` shows it.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.0.cert.first().map_or(&[], |first| first.as_ref()))
    }
}

/// rustls hands out the hash of its provider: no second crate is needed for it.
fn sha256(bytes: &[u8]) -> [u8; 32] {
    let SupportedCipherSuite::Tls13(suite) = ring::cipher_suite::TLS13_AES_128_GCM_SHA256 else {
        unreachable!("it is a suite of TLS 1.3");
    };
    let mut hash = [0; 32];
    hash.copy_from_slice(suite.common.hash_provider.hash(bytes).as_ref());
    hash
}

/// The SHA-256 of a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a certificate in DER.
    pub(crate) fn of(certificate: &[u8]) -> Self {
        Self(sha256(certificate))
    }
}

/// Reads 32 bytes in hexadecimal, with or without colons between them.
impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(s: &str) -> Result<Self, FingerprintError> {
        let digits: String = s.chars().filter(|&c| c != ':').collect();
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(FingerprintError);
        }
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte =
                u8::from_str_radix(&digits[2 * place..2 * place + 2], 16).map_err(|_| FingerprintError)?;
        }
        Ok(Self(bytes))
    }
}

/// It is not a fingerprint.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("expected the SHA-256 of a certificate: 64 hexadecimal digits, perhaps with colons between them")]
pub struct FingerprintError;

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// Why there is no certificate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A file cannot be read, or holds no PEM of the kind that belongs there.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// A file holds no certificate.
    #[error("{} holds no certificate", .0.display())]
    Empty(PathBuf),
    /// The certificate or the key is not of a kind that can be used, or they do not belong together.
    #[error("the certificate and the key cannot be used")]
    Use(#[from] rustls::Error),
    /// No certificate could be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
}
