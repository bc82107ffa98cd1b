//! The TLS session of one peer, between its socket and the chat.

use std::io::{self, ErrorKind, IoSlice, Read, Write};

use chat_tcp::TcpSocket;
use chat_tcp::chat_stream::Stream;
use rustls::Connection;

/// Bytes that are encrypted before the socket takes them. It is what a slow member's session holds at most, besides one
/// record; large enough that a batch is few records.
const CIPHERTEXT_BYTES_MAX: usize = 32 * 1024;

#[derive(Debug)]
pub(crate) struct Session {
    socket: TcpSocket,
    tls: Connection,
}

impl Session {
    pub(crate) fn new(socket: TcpSocket, mut tls: Connection) -> Self {
        tls.set_buffer_limit(Some(CIPHERTEXT_BYTES_MAX));
        Self { socket, tls }
    }

    /// Goes on with the handshake. True once it is done.
    pub(crate) fn shake_hands(&mut self) -> io::Result<bool> {
        loop {
            if !self.send_all()? {
                return Ok(false);
            }
            if !self.tls.is_handshaking() {
                return Ok(true);
            }
            match self.receive() {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes bytes from the socket, and what they mean. Returns how many.
    fn receive(&mut self) -> io::Result<usize> {
        let count = self.tls.read_tls(&mut self.socket)?;
        if let Err(error) = self.tls.process_new_packets() {
            let _ = self.send_all(); // the alert that says so, if the socket takes it
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        Ok(count)
    }

    /// Gives the socket what is encrypted. True if that is all.
    fn send_all(&mut self) -> io::Result<bool> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Tells the peer that this is the end, so that it can be told from an end that somebody else has made.
    pub(crate) fn shutdown_write(&mut self) -> io::Result<()> {
        self.tls.send_close_notify();
        let _ = self.send_all()?; // everything else is written, so there is room for these 24 bytes
        self.socket.shutdown_write()
    }
}

impl Read for Session {
    /// An end without `close_notify` is an error: somebody in between could have made it.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // For people: the words of the library point to its manual.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Err(io::Error::new(error.kind(), "the connection was cut before the end of TLS"));
                }
                result => return result,
            }
            self.receive()?;
        }
    }
}

impl Write for Session {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.send_all()? {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = self.tls.writer().write_vectored(slices)?;
        let _ = self.send_all()?; // the rest is for `flush`
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.send_all()? { Ok(()) } else { Err(ErrorKind::WouldBlock.into()) }
    }
}
