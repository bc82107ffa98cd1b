//! TLS for the systems that are measured over it: all servers show one certificate, and all clients trust it.

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use rcgen::{CertifiedKey, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::failure::{Context, Result};

/// The files of a server, in its directory.
pub(crate) const CERTIFICATE: &str = "cert.pem";
pub(crate) const KEY: &str = "key.pem";

/// Made once per run.
static CERTIFIED: LazyLock<std::result::Result<CertifiedKey<KeyPair>, rcgen::Error>> =
    LazyLock::new(|| rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]));

/// Writes the certificate and its key where the server will look for them.
pub(crate) fn write_into(dir: &Path) -> Result<()> {
    let certified = CERTIFIED.as_ref().when("make a certificate")?;
    fs::write(dir.join(CERTIFICATE), certified.cert.pem()).when("write the certificate")?;
    fs::write(dir.join(KEY), certified.signing_key.serialize_pem()).when("write the key")
}

/// A client that trusts the certificate.
pub(crate) fn client() -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CERTIFIED.as_ref().when("make a certificate")?.cert.der().clone())?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    Ok(Arc::new(
        config.with_safe_default_protocol_versions()?.with_root_certificates(roots).with_no_client_auth(),
    ))
}

/// A server that shows the certificate in the current directory.
pub(crate) fn server() -> Result<Arc<ServerConfig>> {
    let certificate = CertificateDer::from_pem_file(CERTIFICATE)?;
    let key = PrivateKeyDer::from_pem_file(KEY)?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions()?.with_no_client_auth();
    Ok(Arc::new(config.with_single_cert(vec![certificate], key)?))
}
