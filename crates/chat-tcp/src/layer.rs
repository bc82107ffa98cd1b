//! Layers between a connection's socket and the chat, TLS for example.

use std::fmt::Debug;
use std::io;

use chat_stream::Stream;

use crate::stream::TcpSocket;

/// Wraps the socket of each connection: with TLS, for example. A server is [bound](crate::TcpServer::bind_over) over
/// one, and a client [connects](crate::connect_over) over one, with a new stream for each attempt. A handshake belongs
/// into [`Stream::open`]; the peer is not a member before that. What it shows about the peer is [`Stream::identity`].
///
/// Each I/O thread has a clone of its own.
pub trait Layer: Clone + Debug + Send + 'static {
    /// The stream that the chat reads from and writes to.
    type Stream: Stream + Debug + Send;

    /// Wraps a socket. Nothing was read from it or written to it before.
    ///
    /// # Errors
    ///
    /// What is wrong; the connection is closed.
    fn wrap(&self, socket: TcpSocket) -> io::Result<Self::Stream>;
}

/// No layer: the chat is on the socket itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bare;

impl Layer for Bare {
    type Stream = TcpSocket;

    fn wrap(&self, socket: TcpSocket) -> io::Result<TcpSocket> {
        Ok(socket)
    }
}
