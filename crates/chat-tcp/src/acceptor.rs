//! Accepts connections and distributes them among the I/O threads.

use std::fmt::Debug;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Sender, TrySendError};
use mio::event::Source;
use mio::net::{TcpListener, TcpStream};

use crate::limits::{ACCEPT_BACKOFF, ACCEPT_WARNING_PERIOD, ACCEPTS_PER_TURN};

/// A listening socket.
pub(crate) trait Listener: Source + Debug + Send + 'static {
    type Socket: Source + Debug + Send + 'static;

    /// Accepts a connection, from the peer at this address.
    fn accept(&self) -> io::Result<(Self::Socket, SocketAddr)>;
}

impl Listener for TcpListener {
    type Socket = TcpStream;

    fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.accept()
    }
}

/// A connection on its way to the thread that will serve it, and when it was accepted.
pub(crate) type Dealt<S> = (S, SocketAddr, Instant);

/// Another I/O thread that takes its share.
#[derive(Debug)]
pub(crate) struct Share<S> {
    pub(crate) inbox: Sender<Dealt<S>>,
    pub(crate) waker: Arc<mio::Waker>,
}

/// The listening socket, owned by one of the threads.
#[derive(Debug)]
pub(crate) struct Acceptor<L: Listener> {
    listener: L,
    /// There may be connections waiting. The poll is edge-triggered, so this stays true until
    /// `accept` says that there is none.
    ready: bool,
    /// The system had no descriptor left. There is no event when it has one again.
    resting_until: Option<Instant>,
    /// When the last warning about it was logged.
    warned: Option<Instant>,
    others: Vec<Share<L::Socket>>,
    /// Whose turn it is; 0 is the accepting thread itself.
    turn: usize,
}

impl<L: Listener> Acceptor<L> {
    pub(crate) fn new(listener: L, others: Vec<Share<L::Socket>>) -> Self {
        Self { listener, ready: true, resting_until: None, warned: None, others, turn: 0 }
    }

    pub(crate) fn on_event(&mut self) {
        self.ready = true;
    }

    /// The latest time to call [`accept`](Self::accept).
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        self.resting_until.or(self.ready.then_some(now))
    }

    /// Accepts waiting connections, up to a turn's share. Returns the connections that this thread must
    /// serve; the others are on their way to their threads.
    pub(crate) fn accept(&mut self, now: Instant) -> Vec<Dealt<L::Socket>> {
        let mut ours = Vec::new();
        if !self.ready || self.resting_until.is_some_and(|until| until > now) {
            return ours;
        }
        self.resting_until = None;
        for _ in 0..ACCEPTS_PER_TURN {
            match self.listener.accept() {
                Ok((socket, peer)) => ours.extend(self.deal((socket, peer, now))),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => {
                        self.ready = false;
                        break;
                    }
                    // The peer was gone before we accepted it.
                    ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted => {}
                    _ => {
                        self.rest(&error, now);
                        break;
                    }
                },
            }
        }
        ours
    }

    /// Hands a connection to the thread whose turn it is. Returns it if that is this thread, or if the inbox is
    /// full.
    fn deal(&mut self, dealt: Dealt<L::Socket>) -> Option<Dealt<L::Socket>> {
        let turn = self.turn;
        self.turn = (turn + 1) % (self.others.len() + 1);
        let Some(share) = turn.checked_sub(1).map(|other| &self.others[other]) else {
            return Some(dealt);
        };
        match share.inbox.try_send(dealt) {
            Ok(()) => {
                if let Err(error) = share.waker.wake() {
                    tracing::warn!(%error, "cannot wake an I/O thread for a new connection");
                }
                None
            }
            Err(TrySendError::Full(dealt) | TrySendError::Disconnected(dealt)) => Some(dealt),
        }
    }

    fn rest(&mut self, error: &io::Error, now: Instant) {
        // When a member leaves, one connection can be accepted, and then there is again no descriptor.
        if self.warned.is_none_or(|warned| now.saturating_duration_since(warned) >= ACCEPT_WARNING_PERIOD) {
            self.warned = Some(now);
            tracing::warn!(%error, "cannot accept connections for now; they wait in the system's queue");
        }
        self.resting_until = Some(now + ACCEPT_BACKOFF);
    }
}
