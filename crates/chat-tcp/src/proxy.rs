//! The PROXY protocol: a proxy in front of the server tells whose connection it forwards.
//!
//! Version 2, and version 1 because nginx speaks no other. The specification is `proxy-protocol.txt` of `HAProxy`.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chat_core::access::Identity;
use chat_proto::Network;
use chat_stream::{Speaks, Stream};

use crate::layer::Layer;
use crate::limits::{HEADER_BYTES_MAX, HEADER_LINE_BYTES_MAX};
use crate::stream::TcpSocket;

/// How a header of version 2 begins.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Version 2, and its two commands.
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;

/// A layer that takes the address of a peer from the header that a proxy sends before everything else, so that limits,
/// bans and authors are those of the real peer. The bytes after the header go to the `layer` inside: TLS, for example.
///
/// Every connection from `networks` must begin with a header. A header from elsewhere is not believed: anybody could
/// send one.
///
/// ```
/// use chat_core::{Room, RoomConfig};
/// use chat_tcp::{Bare, Proxied, TcpConfig, TcpServer};
///
/// let room = Room::new(RoomConfig::default().with_limit_loopback(true));
/// let proxied = Proxied::new(["127.0.0.1".parse()?], Bare);
/// let server = TcpServer::bind_over("127.0.0.1:0", &room, &TcpConfig::default(), &proxied)?;
/// # drop(server);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Proxied<L> {
    networks: Arc<[Network]>,
    layer: L,
}

impl<L: Layer> Proxied<L> {
    /// Believes the headers of proxies in these networks.
    pub fn new(networks: impl IntoIterator<Item = Network>, layer: L) -> Self {
        Self { networks: networks.into_iter().collect(), layer }
    }
}

impl<L: Layer> Layer for Proxied<L> {
    type Stream = ProxiedStream<L>;

    fn wrap(&self, socket: TcpSocket) -> io::Result<ProxiedStream<L>> {
        let ip = socket.0.peer_addr()?.ip().to_canonical();
        let state = match self.networks.iter().any(|network| network.contains(ip)) {
            true => State::Header(Some((socket, self.layer.clone()))),
            false => State::Open(self.layer.wrap(socket)?),
        };
        Ok(ProxiedStream { state, address: None, is_late: false })
    }
}

/// A connection that a proxy may have forwarded.
#[derive(Debug)]
pub struct ProxiedStream<L: Layer> {
    state: State<L>,
    /// The real peer's, if the header has told it.
    address: Option<SocketAddr>,
    /// The header took longer than a listener is silent.
    is_late: bool,
}

#[derive(Debug)]
enum State<L: Layer> {
    /// The header is not complete. The socket is there until the state changes.
    Header(Option<(TcpSocket, L)>),
    Open(L::Stream),
}

impl<L: Layer> ProxiedStream<L> {
    /// Takes the header from the socket. False if it is not complete.
    fn take_header(&mut self) -> io::Result<bool> {
        let State::Header(waiting) = &mut self.state else { return Ok(true) };
        let Some((socket, _)) = waiting else { return Err(ErrorKind::NotConnected.into()) };
        let mut bytes = [0; HEADER_BYTES_MAX];
        let count = loop {
            match socket.peek(&mut bytes) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                result => break result?,
            }
        };
        let Some(Header { bytes: length, address }) = Header::read(&bytes[..count])? else {
            return Ok(false);
        };
        // They are there, so this does not block.
        socket.read_exact(&mut bytes[..length])?;
        self.address = address;
        if let Some((socket, layer)) = waiting.take() {
            self.state = State::Open(layer.wrap(socket)?);
        }
        Ok(true)
    }

    fn stream(&mut self) -> io::Result<&mut L::Stream> {
        match &mut self.state {
            State::Open(stream) => Ok(stream),
            State::Header(_) => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl<L: Layer> Stream for ProxiedStream<L> {
    const SHORT_READ_IS_ALL: bool = L::Stream::SHORT_READ_IS_ALL;
    const SILENT_AFTER: Duration = L::Stream::SILENT_AFTER;

    fn open(&mut self) -> io::Result<bool> {
        if !self.take_header()? {
            return Ok(false);
        }
        let is_late = self.is_late;
        let stream = self.stream()?;
        Ok(stream.open()? || is_late && stream.silent())
    }

    fn silent(&mut self) -> bool {
        match &mut self.state {
            State::Open(stream) => stream.silent(),
            // A proxy that waits for its own client's first bytes.
            State::Header(_) => {
                self.is_late = true;
                false
            }
        }
    }

    fn speaks(&self) -> Speaks {
        match &self.state {
            State::Open(stream) => stream.speaks(),
            State::Header(_) => Speaks::Any,
        }
    }

    fn identity(&self, address: SocketAddr) -> Identity {
        let address = self.address.unwrap_or(address);
        match &self.state {
            State::Open(stream) => stream.identity(address),
            State::Header(_) => address.into(),
        }
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Open(stream) => stream.shutdown_write(),
            State::Header(_) => Ok(()),
        }
    }
}

impl<L: Layer> Read for ProxiedStream<L> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream()?.read(buffer)
    }
}

impl<L: Layer> Write for ProxiedStream<L> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream()?.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream()?.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.state {
            State::Open(stream) => stream.flush(),
            State::Header(_) => Ok(()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    /// Its length.
    bytes: usize,
    /// The real peer's, unless the connection is the proxy's own or of another kind.
    address: Option<SocketAddr>,
}

impl Header {
    /// Reads the header that `input` begins with; `None` if there must be more of it.
    fn read(input: &[u8]) -> io::Result<Option<Self>> {
        let is_second = input.iter().zip(SIGNATURE).all(|(byte, of_signature)| byte == of_signature);
        if is_second { Self::read_binary(input) } else { Self::read_line(input) }
    }

    /// Version 2: signature, command, family, length, addresses, TLVs (section 2.2).
    fn read_binary(input: &[u8]) -> io::Result<Option<Self>> {
        let Some((&[command, family, high, low], rest)) =
            input.get(SIGNATURE.len()..).and_then(|rest| rest.split_first_chunk::<4>())
        else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let bytes = SIGNATURE.len() + 4 + length;
        if !matches!(command, LOCAL | PROXY) || bytes > HEADER_BYTES_MAX {
            return Err(wrong());
        }
        let Some(block) = rest.get(..length) else { return Ok(None) };
        let address = match (command, family) {
            // TCP over IPv4: two addresses, two ports.
            (PROXY, 0x11) => {
                let block = block.first_chunk::<12>().ok_or_else(wrong)?;
                let [a, b, c, d, _, _, _, _, high, low, _, _] = *block;
                Some(SocketAddr::from(([a, b, c, d], u16::from_be_bytes([high, low]))))
            }
            // TCP over IPv6.
            (PROXY, 0x21) => {
                let (ip, ports) = block.split_first_chunk::<16>().ok_or_else(wrong)?;
                let &[high, low] = ports.get(16..18).and_then(<[u8]>::first_chunk).ok_or_else(wrong)?;
                let ip = IpAddr::from(Ipv6Addr::from(*ip)).to_canonical();
                Some(SocketAddr::from((ip, u16::from_be_bytes([high, low]))))
            }
            // The proxy's own connection, or of a kind that has no such address.
            _ => None,
        };
        Ok(Some(Self { bytes, address }))
    }

    /// Version 1: `PROXY TCP4 <from> <to> <port> <port>` in a line (section 2.1).
    fn read_line(input: &[u8]) -> io::Result<Option<Self>> {
        let start = b"PROXY ";
        if !input.iter().zip(start).all(|(byte, of_start)| byte == of_start) {
            return Err(wrong());
        }
        let Some(end) = input.iter().take(HEADER_LINE_BYTES_MAX).position(|&byte| byte == b'\n') else {
            return if input.len() < HEADER_LINE_BYTES_MAX { Ok(None) } else { Err(wrong()) };
        };
        let line = std::str::from_utf8(&input[..end]).ok().and_then(|line| line.strip_suffix('\r'));
        let words: Vec<&str> = line.ok_or_else(wrong)?.split(' ').collect();
        let address = match words[..] {
            [_, "UNKNOWN", ..] => None,
            [_, family @ ("TCP4" | "TCP6"), from, _, port, _] => {
                let ip: IpAddr = from.parse().map_err(|_| wrong())?;
                if ip.is_ipv4() != (family == "TCP4") {
                    return Err(wrong());
                }
                Some(SocketAddr::new(ip.to_canonical(), port.parse().map_err(|_| wrong())?))
            }
            _ => return Err(wrong()),
        };
        Ok(Some(Self { bytes: end + 1, address }))
    }
}

fn wrong() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "the proxy sent no header of the PROXY protocol")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let length = u16::try_from(block.len()).unwrap().to_be_bytes();
        [SIGNATURE.as_slice(), &[command, family], &length, block].concat()
    }

    /// The header is recognised when its last byte has come, and not before.
    fn address(header: &[u8]) -> Option<SocketAddr> {
        for end in 1..header.len() {
            assert_eq!(Header::read(&header[..end]).unwrap(), None, "{end}");
        }
        let with_text = [header, b"hello\n"].concat();
        let read = Header::read(&with_text).unwrap().unwrap();
        assert_eq!(read.bytes, header.len());
        read.address
    }

    #[test]
    fn the_address_is_that_of_the_source() {
        let v4 = [192, 0, 2, 7, 10, 0, 0, 1, 0x1F, 0x90, 0x15, 0xB3];
        let expected = Some("192.0.2.7:8080".parse().unwrap());
        assert_eq!(address(&v2(PROXY, 0x11, &v4)), expected);
        let tlv = [3, 0, 4, 1, 2, 3, 4]; // skipped
        assert_eq!(address(&v2(PROXY, 0x11, &[v4.as_slice(), &tlv].concat())), expected);
        assert_eq!(address(b"PROXY TCP4 192.0.2.7 10.0.0.1 8080 5555\r\n"), expected);
        let mut v6 = [0; 36];
        v6[..16].copy_from_slice(&"2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
        v6[32..34].copy_from_slice(&[0x1F, 0x90]);
        let expected = Some("[2001:db8::1]:8080".parse().unwrap());
        assert_eq!(address(&v2(PROXY, 0x21, &v6)), expected);
        assert_eq!(address(b"PROXY TCP6 2001:db8::1 ::1 8080 5555\r\n"), expected);
    }

    #[test]
    fn a_proxys_own_connection_keeps_its_address() {
        assert_eq!(address(&v2(LOCAL, 0, &[])), None);
        assert_eq!(address(&v2(LOCAL, 0x11, &[0; 12])), None, "what it says beside that is ignored");
        assert_eq!(address(&v2(PROXY, 0x31, &[0; 216])), None, "a Unix socket");
        assert_eq!(address(b"PROXY UNKNOWN\r\n"), None);
    }

    #[test]
    fn everything_else_is_refused_as_soon_as_it_shows() {
        let short = v2(PROXY, 0x11, &[0; 11]);
        let long = v2(PROXY, 0x11, &[0; HEADER_BYTES_MAX]);
        for wrong in [
            b"hello\n".as_slice(),
            b"\r\n\r\nhello",
            b"\xF5",
            b"PROXY TCP4 192.0.2.7\r\n",
            b"PROXY TCP4 2001:db8::1 ::1 8080 5555\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 80800 5555\r\n",
            b"PROXY TCP4 192.0.2.7 10.0.0.1 8080 5555\n",
            &v2(0x11, 0x11, &[0; 12]),
            &v2(0x22, 0x11, &[0; 12]),
            &short,
            &long[..16],
            &[b"PROXY ".as_slice(), &[b'x'; HEADER_LINE_BYTES_MAX]].concat(),
        ] {
            assert!(Header::read(wrong).is_err(), "{}", wrong.escape_ascii());
        }
    }
}
