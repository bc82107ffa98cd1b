//! TLS for a chat room over TCP, on the same port as everything else, and for its clients.
//!
//! [`Tls`] is a [`Layer`](chat_tcp::Layer) between a server's sockets and the chat. A peer whose first byte begins a
//! TLS handshake gets one, and speaks inside it what it likes: frames or plain lines. Any other peer is served as
//! without this crate, unless the server takes [only TLS](Tls::only). It is a crate of its own, so that a room over
//! plain TCP brings no cryptography along.
//!
//! ```
//! use chat_core::{Room, RoomConfig};
//! use chat_tcp::{TcpConfig, TcpServer};
//! use chat_tls::{Certificate, Tls};
//!
//! let certificate = Certificate::self_signed(["localhost"])?;
//! println!("the fingerprint is {}", certificate.fingerprint());
//! let tls = Tls::new(certificate);
//! let room = Room::new(RoomConfig::default());
//! let server = TcpServer::bind_over("127.0.0.1:0", &room, &TcpConfig::default(), &tls)?;
//! let running = server.spawn()?;
//! // ... the room lives; here it ends at once
//! room.close("That was all", std::time::Duration::from_secs(1));
//! running.join()?;
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```
//!
//! [`TlsClient`] is the other end:
//!
//! ```no_run
//! use chat_core::ClientConfig;
//! use chat_tls::TlsClient;
//!
//! let tls = TlsClient::with_system_roots("chat.example.org")?;
//! let client = chat_tcp::connect_over("chat.example.org:5555", &ClientConfig::default(), &tls)?;
//! client.say("hello")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod certificate;
mod client;
mod error;
mod layer;
mod session;
mod stream;
mod verifier;

pub use certificate::{Certificate, CertificateError, Fingerprint, FingerprintError};
pub use client::{TlsClient, TlsClientError, TlsClientStream, Unknown};
pub use error::HandshakeError;
pub use layer::Tls;
pub use stream::TlsStream;
