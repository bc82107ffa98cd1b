//! TCP: what listens, and whether it is a room.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use chat_proto::{PREFACE, PrefaceDecoder, VERSION};

use super::{Finding, PATIENCE, clock, shown};

/// Bytes of an answer that are looked at.
const ANSWER_BYTES_MAX: usize = 512;

/// What is said of an address, and whether anything listens.
pub(super) struct Tcp {
    pub(super) finding: Finding,
    pub(super) is_there: bool,
}

/// Connects, and begins the protocol.
pub(super) fn examine(address: SocketAddr) -> Tcp {
    let socket = match connect(address) {
        Ok((socket, _)) => socket,
        Err(error) => return Tcp { finding: unreachable(&error), is_there: false },
    };
    let began = clock();
    let finding = match greet(socket) {
        Ok(answer) => told(&answer, clock().saturating_duration_since(began)),
        Err(error) => Finding::wrong(format!("connected, and then: {error}")),
    };
    Tcp { finding, is_there: true }
}

/// A connection, and how long it took.
pub(super) fn connect(address: SocketAddr) -> io::Result<(TcpStream, Duration)> {
    let began = clock();
    let socket = TcpStream::connect_timeout(&address, PATIENCE)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok((socket, clock().saturating_duration_since(began)))
}

/// Why there is no connection.
fn unreachable(error: &io::Error) -> Finding {
    Finding::wrong(match error.kind() {
        ErrorKind::ConnectionRefused => {
            "nothing listens there: the server does not run, or has another port or address".to_owned()
        }
        ErrorKind::TimedOut | ErrorKind::WouldBlock => {
            "no answer: a firewall drops what is sent there, or the host is down".to_owned()
        }
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            format!("cannot be reached: {error}")
        }
        _ => error.to_string(),
    })
}

/// Sends the preface; returns what comes back, at least its length unless the other side ends or is silent.
pub(super) fn greet(mut stream: impl Read + Write) -> io::Result<Answer> {
    stream.write_all(&PREFACE)?;
    stream.flush()?;
    let (mut bytes, mut piece) = (Vec::new(), [0; ANSWER_BYTES_MAX]);
    while bytes.len() < PREFACE.len() {
        match stream.read(&mut piece) {
            Ok(0) => return Ok(Answer { bytes, is_ended: true }),
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                return Ok(Answer { bytes, is_ended: true });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Answer { bytes, is_ended: false })
}

/// What came back.
pub(super) struct Answer {
    bytes: Vec<u8>,
    is_ended: bool,
}

/// What an answer to the preface says of the other side.
pub(super) fn told(answer: &Answer, took: Duration) -> Finding {
    let mut bytes = &answer.bytes[..];
    match PrefaceDecoder::default().next(&mut bytes) {
        Ok(Some(VERSION)) => Finding::works(format!("round trip {}", shown(took))),
        Ok(Some(version)) => Finding::wrong(format!(
            "the server speaks version {version} of the protocol, and this program version {VERSION}: update the older one"
        )),
        _ if answer.bytes.is_empty() && answer.is_ended => Finding::wrong(
            "what listens there closes the connection: it is no chat server, or bans this address",
        ),
        _ if answer.bytes.is_empty() => Finding::wrong(
            "what listens there says nothing: it is no chat server, or one that is stopped or overloaded",
        ),
        _ => Finding::wrong(format!("another program listens there; it says: {}", first_line(&answer.bytes))),
    }
}

/// Asks for a WebSocket, as a browser does.
pub(super) fn examine_web(address: SocketAddr, host: &str) -> Finding {
    let ask = || -> io::Result<Vec<u8>> {
        let (mut socket, _) = connect(address)?;
        // The key of RFC 6455, section 1.3.
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {host}:{}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            address.port()
        );
        socket.write_all(request.as_bytes())?;
        let mut answer = vec![0; ANSWER_BYTES_MAX];
        let count = socket.read(&mut answer)?;
        answer.truncate(count);
        Ok(answer)
    };
    match ask() {
        Ok(answer) if answer.starts_with(b"HTTP/1.1 101 ") => Finding::works("the upgrade is accepted"),
        Ok(answer) if answer.starts_with(b"HTTP/") => {
            Finding::off(format!("HTTP is answered, and the upgrade is not: {}", first_line(&answer)))
        }
        _ => Finding::off("no HTTP there"),
    }
}

/// The beginning of what another program says.
fn first_line(bytes: &[u8]) -> String {
    const CHARS_MAX: usize = 60;
    let text = String::from_utf8_lossy(bytes);
    text.lines().next().unwrap_or_default().chars().take(CHARS_MAX).collect()
}
