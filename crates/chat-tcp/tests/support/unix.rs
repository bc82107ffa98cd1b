//! A Unix socket, with peers that speak lines.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use chat_core::Room;
use chat_tcp::{TcpConfig, UnixServer, UnixTransport};
use chat_testkit::conformance::{Heard, Medium, Peer, Promises};

pub(crate) struct Unix;

pub(crate) struct UnixPeer {
    socket: UnixStream,
    unread: Vec<u8>,
}

impl Medium for Unix {
    type Transport = UnixTransport;
    type Address = PathBuf;
    type Peer = UnixPeer;

    fn promises(&self) -> Promises {
        // Both ends of a Unix socket are on this machine, which notices no difference between a goodbye and a loss. Its
        // buffer holds a few hundred KiB.
        Promises::default().with_echo(false).with_unread_bytes_max(1024 * 1024)
    }

    fn open(&self, room: &Room) -> (UnixTransport, PathBuf) {
        static OPENED: AtomicUsize = AtomicUsize::new(0);
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("chat-conformance-{}-{number}", std::process::id()));
        let config = TcpConfig::default().with_threads(1);
        let server = UnixServer::bind(&path, 0o600, room, &config).unwrap();
        (server.into_transports().pop().unwrap(), path)
    }

    fn connect(&self, path: &PathBuf) -> UnixPeer {
        let mut socket = UnixStream::connect(path).unwrap();
        // The peer says nothing but shows its protocol. An error means that it was refused.
        let _refused = socket.write_all(b"\n");
        UnixPeer { socket, unread: Vec::new() }
    }
}

impl Peer for UnixPeer {
    fn say(&mut self, line: &[u8], deadline: Instant) -> bool {
        self.socket.set_write_timeout(Some(super::left(deadline))).unwrap();
        self.socket.write_all(&[line, b"\n"].concat()).is_ok()
    }

    fn hear(&mut self, deadline: Instant) -> Option<Heard> {
        loop {
            if let Some(line) = super::next_line(&mut self.unread) {
                return Some(line);
            }
            let mut buffer = [0; 1024];
            self.socket.set_read_timeout(Some(super::left(deadline))).unwrap();
            match super::read(&mut self.socket, &mut buffer, deadline)? {
                0 => return Some(Heard::End),
                count => self.unread.extend_from_slice(&buffer[..count]),
            }
        }
    }

    fn end(self) {}

    fn vanish(self) {}
}
