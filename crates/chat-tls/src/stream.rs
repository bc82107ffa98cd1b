//! A connection that may turn out to be TLS.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use chat_tcp::TcpSocket;
use chat_tcp::chat_stream::Stream;
use rustls::{ServerConfig, ServerConnection};

use crate::session::Session;

/// The first byte of a TLS connection: a handshake record (RFC 8446, section 5.1). No text begins with it, nor do
/// frames.
const HANDSHAKE: u8 = 0x16;

/// A connection of a server that speaks TLS: its first byte shows whether the peer does.
#[derive(Debug)]
pub struct TlsStream(State);

#[derive(Debug)]
enum State {
    /// The peer has not sent a byte. The socket is there until the state changes.
    Unknown {
        socket: Option<TcpSocket>,
        config: Arc<ServerConfig>,
        only: bool,
    },
    Plain(TcpSocket),
    /// Boxed, as most of the memory that TLS takes is in it, and plain members share the enum.
    Tls(Box<Session>),
}

impl TlsStream {
    pub(crate) fn new(socket: TcpSocket, config: Arc<ServerConfig>, only: bool) -> Self {
        Self(State::Unknown { socket: Some(socket), config, only })
    }

    /// Looks at the first byte, if it is there. True if it is known what the peer speaks.
    fn recognise(&mut self) -> io::Result<bool> {
        let State::Unknown { socket, config, only } = &mut self.0 else { return Ok(true) };
        let Some(unknown) = socket else { return Err(ErrorKind::NotConnected.into()) };
        let mut first = [0];
        let count = loop {
            match unknown.peek(&mut first) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                result => break result?,
            }
        };
        let is_tls = count == 1 && first[0] == HANDSHAKE;
        if *only && !is_tls {
            return Err(io::Error::new(ErrorKind::InvalidData, "the peer does not speak TLS"));
        }
        let tls = if is_tls {
            Some(ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?)
        } else {
            None
        };
        if let Some(socket) = socket.take() {
            self.0 = match tls {
                Some(tls) => State::Tls(Box::new(Session::new(socket, tls.into()))),
                None => State::Plain(socket),
            };
        }
        Ok(true)
    }
}

impl Stream for TlsStream {
    /// A peer that has joined as a plain listener cannot begin TLS any more. The first packet of one that would may be
    /// lost, and TCP sends it again after a second (RFC 6298).
    const SILENT_AFTER: Duration = Duration::from_millis(1_500);

    fn open(&mut self) -> io::Result<bool> {
        if !self.recognise()? {
            return Ok(false);
        }
        if let State::Tls(session) = &mut self.0 { session.shake_hands() } else { Ok(true) }
    }

    fn silent(&mut self) -> bool {
        if let State::Unknown { socket, only: false, .. } = &mut self.0
            && let Some(socket) = socket.take()
        {
            self.0 = State::Plain(socket);
        }
        matches!(self.0, State::Plain(_))
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        match &mut self.0 {
            State::Plain(socket) => socket.shutdown_write(),
            State::Tls(session) => session.shutdown_write(),
            State::Unknown { .. } => Ok(()),
        }
    }
}

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            State::Plain(socket) => socket.read(buffer),
            State::Tls(session) => session.read(buffer),
            State::Unknown { .. } => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            State::Plain(socket) => socket.write(bytes), // cheaper than writev(2), and there may be many members
            State::Tls(session) => session.write(bytes),
            State::Unknown { .. } => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.0 {
            State::Plain(socket) => socket.write_vectored(slices),
            State::Tls(session) => session.write_vectored(slices),
            State::Unknown { .. } => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            State::Tls(session) => session.flush(),
            State::Plain(_) | State::Unknown { .. } => Ok(()),
        }
    }
}
