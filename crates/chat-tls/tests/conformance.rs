//! TLS keeps the contract of a transport, for plain peers inside it.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_core::Room;
use chat_tcp::{TcpConfig, TcpServer, TcpTransport};
use chat_testkit::conformance::{Heard, Medium, Peer, Promises};
use chat_tls::{Certificate, Tls};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

chat_testkit::conformance_tests!(Encrypted);

/// Bytes that the system holds for a peer that does not read (`tcp_wmem` and `tcp_rmem`), with what TLS adds.
const UNREAD_BYTES_MAX: usize = 12 * 1024 * 1024;

/// Lines in TLS, as `openssl s_client` sends and shows them.
struct Encrypted;

struct TlsPeer {
    stream: StreamOwned<ClientConnection, TcpStream>,
    unread: Vec<u8>,
}

/// Takes any certificate: which server this is does not matter here.
#[derive(Debug)]
struct Anyone(CryptoProvider);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn client_config() -> Arc<ClientConfig> {
    let provider = rustls::crypto::ring::default_provider();
    let config = ClientConfig::builder_with_provider(Arc::new(provider.clone()));
    let config = config.with_safe_default_protocol_versions().unwrap().dangerous();
    Arc::new(config.with_custom_certificate_verifier(Arc::new(Anyone(provider))).with_no_client_auth())
}

#[expect(clippy::disallowed_methods, reason = "real sockets take real time")]
fn now() -> Instant {
    Instant::now()
}

impl Medium for Encrypted {
    type Transport = TcpTransport<Tls>;
    type Address = SocketAddr;
    type Peer = TlsPeer;

    fn promises(&self) -> Promises {
        Promises::default().with_echo(false).with_unread_bytes_max(UNREAD_BYTES_MAX)
    }

    fn open(&self, room: &Room) -> (TcpTransport<Tls>, SocketAddr) {
        let tls = Tls::new(Certificate::self_signed(["localhost"]).unwrap());
        let config = TcpConfig::default().with_threads(1);
        let server = TcpServer::bind_over("127.0.0.1:0", room, &config, &tls).unwrap();
        let address = server.local_addr();
        (server.into_transports().pop().unwrap(), address)
    }

    fn connect(&self, address: &SocketAddr) -> TlsPeer {
        let socket = TcpStream::connect(address).unwrap();
        let session = ClientConnection::new(client_config(), "localhost".try_into().unwrap()).unwrap();
        let mut peer = TlsPeer { stream: StreamOwned::new(session, socket), unread: Vec::new() };
        // The peer says nothing but shows its protocol. An error means that it was refused.
        let _refused = peer.stream.write_all(b"\n");
        peer
    }
}

impl TlsPeer {
    /// Neither reading nor writing takes longer.
    fn be_done_by(&self, deadline: Instant) {
        let left = Some(deadline.saturating_duration_since(now()).max(Duration::from_millis(1)));
        self.stream.sock.set_read_timeout(left).unwrap();
        self.stream.sock.set_write_timeout(left).unwrap();
    }
}

impl Peer for TlsPeer {
    fn say(&mut self, line: &[u8], deadline: Instant) -> bool {
        self.be_done_by(deadline);
        self.stream.write_all(&[line, b"\n"].concat()).and_then(|()| self.stream.flush()).is_ok()
    }

    fn hear(&mut self, deadline: Instant) -> Option<Heard> {
        loop {
            if let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Some(Heard::from_line(std::str::from_utf8(&line[..end]).unwrap()));
            }
            let mut buffer = [0; 1024];
            self.be_done_by(deadline);
            match self.stream.read(&mut buffer) {
                Ok(0) => return Some(Heard::End),
                Ok(count) => self.unread.extend_from_slice(&buffer[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if now() >= deadline {
                        return None;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Some(Heard::End),
            }
        }
    }

    fn end(mut self) {
        self.stream.conn.send_close_notify();
        self.stream.flush().unwrap();
    }

    fn vanish(self) {}
}
