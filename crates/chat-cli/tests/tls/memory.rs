//! What a member that speaks TLS costs the server.

use std::net::TcpStream;
use std::sync::Arc;

use chat_testkit::uninterrupted;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned};

use super::*;

const MEMBERS: u64 = 300;

#[derive(Debug)]
struct AnyServer;

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// The private memory of a process, in bytes.
fn held_by(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.expect("the kernel tells") * 1024
}

/// Members that have received an answer and say nothing more.
fn join(server: &Server, config: &Arc<ClientConfig>, members: u64) -> Vec<impl Sized> {
    let join = |_| {
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = ClientConnection::new(Arc::clone(config), name).expect("it can be");
        let socket = TcpStream::connect(server.address).expect("it listens");
        socket.set_read_timeout(Some(support::PATIENCE)).expect("not zero");
        let mut member = StreamOwned::new(tls, socket);
        member.write_all(b"/who\n").expect("it reads");
        let mut answer = Vec::new();
        while !answer.windows(8).any(|words| words == b" present") {
            let mut piece = [0; 1024];
            let count = uninterrupted(|| member.read(&mut piece)).expect("it answers");
            answer.extend_from_slice(&piece[..count]);
        }
        member
    };
    (0..members).map(join).collect()
}

#[test]
fn an_idle_member_inside_tls_takes_at_most_12_kib() {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer))
        .with_no_client_auth();
    let (config, server) = (Arc::new(config), server(&["--threads", "1"]));
    let _first = join(&server, &config, 30);
    let before = held_by(&server.process);
    let _members = join(&server, &config, MEMBERS);
    let each = held_by(&server.process).saturating_sub(before) / MEMBERS;
    println!("{each} bytes each");
    assert!(each <= 12 * 1024, "{each} bytes each");
}
