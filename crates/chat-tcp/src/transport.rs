//! The shell around an endpoint: one poll loop, all system calls.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Instant;

use chat_core::transport::{Transport, Turn};
use chat_core::{BindError, Rooms, Waker};
use chat_stream::{Endpoint, Stream};
#[cfg(feature = "web")]
use crossbeam_channel::Sender;
use crossbeam_channel::{Receiver, bounded};
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};

use crate::acceptor::{Acceptor, Dealt, Listener, Share};
use crate::config::TcpConfig;
use crate::layer::{Bare, Layer};
use crate::limits::{DEALT_MAX, EVENTS_PER_TURN};
use crate::stream;

/// The token of the rooms' wakes.
const WAKE: Token = Token(usize::MAX);
/// The token of the listening socket.
const LISTEN: Token = Token(usize::MAX - 1);

/// The poll loops of a server, one for each I/O thread. The first one accepts, and keeps its own share.
pub(crate) fn threads<L: Listener, S: Stream + Send>(
    rooms: &Rooms,
    config: &TcpConfig,
    tag: &'static str,
    mut listener: L,
    wrap: impl Fn(L::Socket) -> io::Result<S> + Clone + Send + 'static,
) -> Result<Vec<PollLoop<L, S>>, BindError> {
    let mut others = Vec::new();
    let mut loops = Vec::new();
    for _ in 0..config.threads.max(1) {
        let (inbox, dealt) = bounded(DEALT_MAX);
        let poll_loop = PollLoop::new(rooms, config, tag, dealt, wrap.clone()).map_err(BindError::Poll)?;
        others.push(Share { inbox, waker: Arc::clone(&poll_loop.waker) });
        loops.push(poll_loop);
    }
    others.remove(0);
    let first = &mut loops[0];
    let registry = first.poll.registry();
    registry.register(&mut listener, LISTEN, Interest::READABLE).map_err(BindError::Poll)?;
    first.acceptor = Some(Acceptor::new(listener, others));
    Ok(loops)
}

/// One I/O thread: a poll loop around an endpoint, and perhaps the listening socket.
#[derive(Debug)]
pub(crate) struct PollLoop<L: Listener, S> {
    poll: Poll,
    events: Events,
    waker: Arc<mio::Waker>,
    acceptor: Option<Acceptor<L>>,
    inbox: Receiver<Dealt<L::Socket>>,
    /// Connections whose WebSocket another web server has opened.
    #[cfg(feature = "web")]
    upgraded: Option<Receiver<(L::Socket, SocketAddr)>>,
    endpoint: Endpoint<S>,
    wrap: Wrap<L::Socket, S>,
    /// The poll has returned as many events as it can at once: there may be more.
    has_more: bool,
    is_closing: bool,
}

/// Makes a stream of a new socket.
struct Wrap<T, S>(Box<dyn Fn(T) -> io::Result<S> + Send>);

impl<T, S> fmt::Debug for Wrap<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wrap")
    }
}

impl<L: Listener, S: Stream + Send> PollLoop<L, S> {
    /// `tag` is the tag of the transport; `wrap` makes a stream of a new socket.
    fn new(
        rooms: &Rooms,
        config: &TcpConfig,
        tag: &'static str,
        inbox: Receiver<Dealt<L::Socket>>,
        wrap: impl Fn(L::Socket) -> io::Result<S> + Send + 'static,
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
            #[cfg(feature = "web")]
            upgraded: None,
            endpoint: endpoint.with_tag(tag),
            wrap: Wrap(Box::new(wrap)),
            has_more: false,
            is_closing: false,
        })
    }

    /// The way for connections whose WebSocket another web server has opened.
    #[cfg(feature = "web")]
    pub(crate) fn upgraded(&mut self) -> (Sender<(L::Socket, SocketAddr)>, Arc<mio::Waker>) {
        let (sender, receiver) = bounded(DEALT_MAX);
        self.upgraded = Some(receiver);
        (sender, Arc::clone(&self.waker))
    }

    #[cfg(feature = "web")]
    fn adopt_upgraded(&mut self, now: Instant) {
        let upgraded: Vec<(L::Socket, SocketAddr)> =
            self.upgraded.iter().flat_map(Receiver::try_iter).collect();
        for (socket, address) in upgraded {
            match self.stream(socket) {
                Ok(stream) => self.endpoint.adopt_websocket(stream, address, now),
                Err(error) => tracing::debug!(peer = %address, %error, "connection failed at the start"),
            }
        }
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
        let dealt: Vec<Dealt<L::Socket>> = self.inbox.try_iter().collect();
        for (socket, peer, came) in ours.into_iter().chain(dealt) {
            if let Err(error) = self.adopt(socket, peer, came) {
                tracing::debug!(%peer, %error, "connection failed at the start");
            }
        }
    }

    fn adopt(&mut self, socket: L::Socket, address: SocketAddr, came: Instant) -> io::Result<()> {
        let stream = self.stream(socket)?;
        self.endpoint.adopt(stream, address, came);
        Ok(())
    }

    /// The stream of a new socket, whose events are reported as those of the next peer.
    fn stream(&self, mut socket: L::Socket) -> io::Result<S> {
        let token = Token(self.endpoint.next_token());
        self.poll.registry().register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        (self.wrap.0)(socket)
    }
}

impl<L: Listener, S: Stream + Send> Transport for PollLoop<L, S> {
    type Error = io::Error;

    fn turn(&mut self, until: Option<Instant>) -> io::Result<Turn> {
        let now = self.wait(until)?;
        if !self.is_closing {
            self.accept(now);
            #[cfg(feature = "web")]
            self.adopt_upgraded(now);
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

#[cfg(unix)]
impl<L: Listener, S> AsFd for PollLoop<L, S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poll.registry().as_fd()
    }
}

/// One I/O thread's share of a TCP server: a [`Transport`]. Made by
/// [`TcpServer::bind`](crate::TcpServer::bind).
#[derive(Debug)]
pub struct TcpTransport<L: Layer = Bare>(pub(crate) PollLoop<TcpListener, L::Stream>);

impl<L: Layer> Transport for TcpTransport<L> {
    type Error = io::Error;

    fn turn(&mut self, until: Option<Instant>) -> io::Result<Turn> {
        self.0.turn(until)
    }

    fn due(&self) -> Option<Instant> {
        self.0.due()
    }
}

/// Readable when a [`turn`](Transport::turn) has something to do, before [`due`](Transport::due): for a loop that waits
/// for many things at once. Take no events from it yourself.
#[cfg(unix)]
impl<L: Layer> AsFd for TcpTransport<L> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell is where the clock is read")]
fn clock() -> Instant {
    Instant::now()
}
