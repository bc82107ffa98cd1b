//! The layer that a server is bound over.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use chat_tcp::{Layer, TcpSocket};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::certificate::Certificate;
use crate::stream::TlsStream;

/// Lets the peers of a server speak TLS 1.2 or 1.3. Clones are handles to the same certificate.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    only: bool,
}

impl Tls {
    /// Offers TLS with this certificate, beside the plain connection.
    #[must_use]
    pub fn new(certificate: Certificate) -> Self {
        let current = Arc::new(Current(RwLock::new(certificate)));
        let resolver: Arc<Current> = Arc::clone(&current);
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        // The versions are rustls's own, and the provider is one that has them.
        let mut config = match config.with_safe_default_protocol_versions() {
            Ok(config) => config.with_no_client_auth().with_cert_resolver(resolver),
            Err(error) => unreachable!("ring speaks TLS: {error}"),
        };
        // A connection lasts for hours: its handshake need not be cheaper the second time, and a table of sessions is
        // memory that any peer could fill.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Self { config: Arc::new(config), current, only: false }
    }

    /// Whether peers must speak TLS. If so, others are closed without a byte, and silent ones after 10 s.
    #[must_use]
    pub fn only(mut self, only: bool) -> Self {
        self.only = only;
        self
    }

    /// Takes another certificate for all handshakes from now on. Open connections keep theirs.
    pub fn replace(&self, certificate: Certificate) {
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = certificate;
    }
}

impl Layer for Tls {
    type Stream = TlsStream;

    fn wrap(&self, socket: TcpSocket) -> io::Result<TlsStream> {
        Ok(TlsStream::new(socket, Arc::clone(&self.config), self.only))
    }
}

/// The certificate that is shown now.
#[derive(Debug)]
struct Current(RwLock<Certificate>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).0))
    }
}
