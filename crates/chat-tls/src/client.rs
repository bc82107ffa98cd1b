//! The layer that a client connects over.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;

use chat_tcp::chat_stream::Stream;
use chat_tcp::{Layer, TcpSocket};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use thiserror::Error;

use crate::certificate::Fingerprint;
use crate::error::HandshakeError;
use crate::session::Session;
use crate::verifier::{Verifier, roots_verifier};

/// Speaks TLS 1.2 or 1.3 with a server, as the layer of [`chat_tcp::connect_over`]. Clones share the configuration.
///
/// A connection that cannot be opened ends the client with
/// [`ClientEnd::NotOpened`](chat_tcp::chat_core::ClientEnd::NotOpened), and its cause is a [`HandshakeError`].
#[derive(Clone, Debug)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    host: ServerName<'static>,
}

/// A certificate that the roots do not vouch for, which the judge decides about.
#[derive(Debug)]
#[non_exhaustive]
pub struct Unknown<'a> {
    /// The fingerprint of the certificate that the server has shown.
    pub fingerprint: Fingerprint,
    /// Why the roots do not vouch for it.
    pub why: &'a str,
}

impl TlsClient {
    /// Trusts a server whose certificate is for `host`, a name or an address, and that the system's roots vouch for.
    ///
    /// # Errors
    ///
    /// [`TlsClientError`]
    pub fn with_system_roots(host: &str) -> Result<Self, TlsClientError> {
        Self::with_judge(host, |_| false)
    }

    /// Trusts the server that shows the certificate with this fingerprint, whatever else the certificate says.
    ///
    /// # Errors
    ///
    /// [`TlsClientError::Host`]
    pub fn with_fingerprint(host: &str, fingerprint: Fingerprint) -> Result<Self, TlsClientError> {
        Self::new(host, Verifier::new(None, move |unknown| unknown.fingerprint == fingerprint))
    }

    /// Trusts a server as [`with_system_roots`](Self::with_system_roots) does, and asks `judge` about any other
    /// certificate: true trusts it. It is asked during the handshake, on the client's thread.
    ///
    /// # Errors
    ///
    /// [`TlsClientError`]
    pub fn with_judge(
        host: &str,
        judge: impl Fn(&Unknown<'_>) -> bool + Send + Sync + 'static,
    ) -> Result<Self, TlsClientError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        // Without any, the judge decides about every certificate.
        let roots = (!roots.is_empty()).then(|| roots_verifier(roots)).transpose();
        let roots = roots.map_err(|error| TlsClientError::Roots(io::Error::other(error)))?;
        Self::new(host, Verifier::new(roots, judge))
    }

    fn new(host: &str, verifier: Verifier) -> Result<Self, TlsClientError> {
        let name = host.split('%').next().unwrap_or(host).to_owned(); // an IPv6 address with its interface
        let name = ServerName::try_from(name).map_err(|_| TlsClientError::Host(host.to_owned()))?;
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let mut config = match config.with_safe_default_protocol_versions() {
            Ok(config) => {
                config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
            }
            Err(error) => unreachable!("ring speaks TLS: {error}"),
        };
        // So that each connection shows its certificate.
        config.resumption = Resumption::disabled();
        Ok(Self { config: Arc::new(config), host: name })
    }
}

/// Why there is no [`TlsClient`].
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsClientError {
    /// No certificate can be for such a host.
    #[error("'{0}' is neither a name nor an address that a certificate can be for")]
    Host(String),
    /// The system's roots cannot be used.
    #[error("the certificates that this system trusts cannot be used")]
    Roots(#[source] io::Error),
}

impl Layer for TlsClient {
    type Stream = TlsClientStream;

    fn wrap(&self, socket: TcpSocket) -> io::Result<TlsClientStream> {
        let tls = ClientConnection::new(Arc::clone(&self.config), self.host.clone());
        let tls = tls.map_err(io::Error::other)?;
        Ok(TlsClientStream(Box::new(Session::new(socket, tls.into()))))
    }
}

/// A client's connection to a server, encrypted.
pub struct TlsClientStream(Box<Session>);

impl fmt::Debug for TlsClientStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsClientStream")
    }
}

impl Stream for TlsClientStream {
    fn open(&mut self) -> io::Result<bool> {
        match self.0.shake_hands() {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(HandshakeError::Ended.into()),
            Err(error) => match error.downcast::<rustls::Error>() {
                Ok(error) => Err(HandshakeError::from(error).into()),
                Err(error) => Err(error),
            },
            result => result,
        }
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.shutdown_write()
    }
}

impl Read for TlsClientStream {
    /// An end that the server has not made itself is told apart: what came before it may not be everything.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => {
                io::Error::new(ErrorKind::ConnectionAborted, "the connection was cut off: TLS did not end")
            }
            _ => error,
        })
    }
}

impl Write for TlsClientStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
