//! The poll loop around an endpoint: all system calls are here and in `listener.rs`.

mod listener;

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use chat_core::transport::{Transport, Turn};
use chat_core::{Room, Waker};
use chat_stream::{Endpoint, Readiness, Stream};
use mio::net::UnixStream;
use mio::{Events, Interest, Poll, Token};

use listener::Listener;

const WAKE: Token = Token(usize::MAX);
const LISTEN: Token = Token(usize::MAX - 1);

/// A peer has no address, but a member needs one. It gets a loopback address, because it is on this machine, with a
/// number that no other peer of this process has.
static NEXT_PEER: AtomicU32 = AtomicU32::new(1);

/// Carries a room over a Unix-domain socket: framed clients, and plain ones as over TCP.
#[derive(Debug)]
pub(crate) struct UnixTransport {
    poll: Poll,
    events: Events,
    /// `None` once the room is closing.
    listener: Option<Listener>,
    endpoint: Endpoint<Socket>,
}

impl UnixTransport {
    /// Listens at `path`, even if an earlier server has left its socket there.
    pub(crate) fn bind(path: impl AsRef<Path>, room: &Room) -> io::Result<Self> {
        let poll = Poll::new()?;
        let listener = Listener::bind(path.as_ref(), poll.registry(), LISTEN)?;
        let wake = mio::Waker::new(poll.registry(), WAKE)?;
        // The waker may be called before the wait. Then the poll finds its event and returns at once.
        let waker = Waker::new(move || {
            if let Err(error) = wake.wake() {
                eprintln!("cannot wake the transport: {error}");
            }
        });
        let endpoint = Endpoint::new(room, waker, false).with_tag("unix");
        Ok(Self { poll, events: Events::with_capacity(1024), listener: Some(listener), endpoint })
    }

    /// Waits for events until `until` at most, and records them.
    fn wait(&mut self, until: Option<Instant>) -> io::Result<()> {
        let next = until.into_iter().chain(self.due()).min();
        let timeout = next.map(|next| next.saturating_duration_since(clock()));
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &self.events {
            match event.token() {
                WAKE => {}
                LISTEN => self.listener.iter_mut().for_each(Listener::on_event),
                Token(token) => {
                    let readiness = Readiness {
                        readable: event.is_readable(),
                        ended: event.is_read_closed(),
                        writable: event.is_writable(),
                        hung_up: event.is_error() || event.is_write_closed(),
                    };
                    self.endpoint.ready(token, readiness);
                }
            }
        }
        Ok(())
    }

    fn adopt(&mut self, mut socket: UnixStream, now: Instant) {
        let token = Token(self.endpoint.next_token());
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self.poll.registry().register(&mut socket, token, interest) {
            Ok(()) => self.endpoint.adopt(Socket(socket), next_address(), now),
            Err(error) => eprintln!("a connection has failed at the start: {error}"),
        }
    }
}

impl Transport for UnixTransport {
    type Error = io::Error;

    fn turn(&mut self, until: Option<Instant>) -> io::Result<Turn> {
        self.wait(until)?;
        let now = clock();
        for socket in self.listener.as_mut().map_or_else(Vec::new, |listener| listener.accept(now)) {
            self.adopt(socket, now);
        }
        let turn = self.endpoint.turn(now);
        if turn != Turn::Open {
            self.listener = None; // this also removes its file
        }
        Ok(turn)
    }

    fn due(&self) -> Option<Instant> {
        let now = clock();
        let accept = self.listener.as_ref().and_then(|listener| listener.deadline(now));
        [accept, self.endpoint.deadline(now)].into_iter().flatten().min()
    }
}

/// A socket as the endpoint sees it.
#[derive(Debug)]
struct Socket(UnixStream);

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Socket {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

fn next_address() -> SocketAddr {
    let [a, b, c, d] = NEXT_PEER.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(127, 1, a, b), u16::from_be_bytes([c, d])))
}

#[expect(clippy::disallowed_methods, reason = "the shell is where the clock is read")]
fn clock() -> Instant {
    Instant::now()
}
