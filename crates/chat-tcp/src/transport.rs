//! The shell around an endpoint: one poll loop, all system calls.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

use chat_core::{Rooms, Transport, Turn, Waker};
use chat_stream::Endpoint;
use crossbeam_channel::Receiver;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::acceptor::{Acceptor, Dealt};
use crate::config::TcpConfig;
use crate::layer::{Bare, Layer};
use crate::limits::EVENTS_PER_TURN;
use crate::socket;
use crate::stream::{self, TcpSocket};

/// The token of the rooms' wakes.
const WAKE: Token = Token(usize::MAX);
/// The token of the listening socket.
pub(crate) const LISTEN: Token = Token(usize::MAX - 1);

/// One I/O thread's share of a TCP server: a [`Transport`]. Made by
/// [`TcpServer::bind`](crate::TcpServer::bind).
#[derive(Debug)]
pub struct TcpTransport<L: Layer = Bare> {
    poll: Poll,
    events: Events,
    waker: Arc<mio::Waker>,
    acceptor: Option<Acceptor>,
    inbox: Receiver<Dealt>,
    endpoint: Endpoint<L::Stream>,
    layer: L,
    /// The poll has returned as many events as it can at once: there may be more.
    has_more: bool,
    is_closing: bool,
}

impl<L: Layer> TcpTransport<L> {
    pub(crate) fn new(
        rooms: &Rooms,
        config: &TcpConfig,
        inbox: Receiver<Dealt>,
        layer: L,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(mio::Waker::new(poll.registry(), WAKE)?);
        let wake = Arc::clone(&waker);
        let wake = Waker::new(move || {
            if let Err(error) = wake.wake() {
                tracing::error!(%error, "cannot wake an I/O thread");
            }
        });
        let endpoint = Endpoint::new(rooms, wake, config.announce);
        #[cfg(feature = "web")]
        let endpoint = match &config.web {
            Some(web) => endpoint.with_web(web.clone()),
            None => endpoint,
        };
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_PER_TURN),
            waker,
            acceptor: None,
            inbox,
            endpoint,
            layer,
            has_more: false,
            is_closing: false,
        })
    }

    pub(crate) fn registry(&self) -> &mio::Registry {
        self.poll.registry()
    }

    pub(crate) fn mio_waker(&self) -> Arc<mio::Waker> {
        Arc::clone(&self.waker)
    }

    pub(crate) fn set_acceptor(&mut self, acceptor: Acceptor) {
        self.acceptor = Some(acceptor);
    }

    /// Waits for events until `until` at most and tells the endpoint of them.
    fn wait(&mut self, until: Option<Instant>) -> io::Result<Instant> {
        let next = until.into_iter().chain(self.due()).min();
        let timeout = next.map(|next| next.saturating_duration_since(clock()));
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(clock()),
            result => result?,
        }
        self.has_more = self.events.iter().count() == EVENTS_PER_TURN;
        for event in &self.events {
            match event.token() {
                WAKE => {}
                LISTEN => self.acceptor.iter_mut().for_each(Acceptor::on_event),
                Token(token) => {
                    self.endpoint.ready(token, stream::readiness(event));
                }
            }
        }
        Ok(clock())
    }

    fn accept(&mut self, now: Instant) {
        let ours = self.acceptor.as_mut().map_or_else(Vec::new, |acceptor| acceptor.accept(now));
        let dealt: Vec<Dealt> = self.inbox.try_iter().collect();
        for (socket, peer, came) in ours.into_iter().chain(dealt) {
            if let Err(error) = self.adopt(socket, peer, came) {
                tracing::debug!(%peer, %error, "connection failed at the start");
            }
        }
    }

    fn adopt(&mut self, mut socket: TcpStream, address: SocketAddr, came: Instant) -> io::Result<()> {
        socket::set_options(&socket)?;
        let token = Token(self.endpoint.next_token());
        self.poll.registry().register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        self.endpoint.adopt(self.layer.wrap(TcpSocket(socket))?, address, came);
        Ok(())
    }
}

impl<L: Layer> Transport for TcpTransport<L> {
    type Error = io::Error;

    fn turn(&mut self, until: Option<Instant>) -> io::Result<Turn> {
        let now = self.wait(until)?;
        if !self.is_closing {
            self.accept(now);
        }
        let turn = self.endpoint.turn(now);
        if turn != Turn::Open {
            (self.acceptor, self.is_closing) = (None, true);
        }
        Ok(turn)
    }

    fn due(&self) -> Option<Instant> {
        let now = clock();
        let accept = self.acceptor.as_ref().and_then(|acceptor| acceptor.deadline(now));
        [accept, self.endpoint.deadline(now), self.has_more.then_some(now)].into_iter().flatten().min()
    }
}

/// Readable when a [`turn`](Transport::turn) has something to do, before [`due`](Transport::due): for a loop that waits for
/// many things at once. Take no events from it yourself.
#[cfg(unix)]
impl<L: Layer> AsFd for TcpTransport<L> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poll.registry().as_fd()
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell is where the clock is read")]
fn clock() -> Instant {
    Instant::now()
}
