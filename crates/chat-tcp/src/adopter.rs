//! Connections whose WebSocket a web server of the embedder has opened.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chat_stream::Stream;
use crossbeam_channel::Sender;
use mio::net::TcpListener;
use thiserror::Error;

use crate::transport::PollLoop;

/// A connection on its way to the thread that will serve it.
type Upgraded = (mio::net::TcpStream, SocketAddr);

/// Takes over connections whose WebSocket another web server of this process has opened; made by
/// [`TcpServer::adopter`](crate::TcpServer::adopter). A clone is a handle.
///
/// `examples/web_server.rs` does this behind axum.
#[derive(Clone, Debug)]
pub struct Adopter(Arc<Threads>);

#[derive(Debug)]
struct Threads {
    inboxes: Vec<(Sender<Upgraded>, Arc<mio::Waker>)>,
    /// Whose turn it is.
    turn: AtomicUsize,
}

/// Why a connection was not taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// The system refuses to serve the socket, or to wake the thread that would.
    #[error("the socket cannot be served")]
    Socket(#[from] io::Error),
    /// Too many wait to be served, or the server has ended.
    #[error("too many connections wait to be served")]
    Full,
}

impl Adopter {
    /// One that hands connections to these loops in turn.
    pub(crate) fn before<S: Stream + Send>(
        mut loops: Vec<PollLoop<TcpListener, S>>,
    ) -> (Self, Vec<PollLoop<TcpListener, S>>) {
        let inboxes = loops.iter_mut().map(PollLoop::upgraded).collect();
        (Self(Arc::new(Threads { inboxes, turn: AtomicUsize::new(0) })), loops)
    }

    /// Serves the peer at `address`, whose request was answered with 101 and from which nothing was read since. The web
    /// server that answered it must have checked its `Origin`.
    ///
    /// # Errors
    ///
    /// [`AdoptError`]; then the connection is closed.
    pub fn adopt_websocket(&self, socket: TcpStream, address: SocketAddr) -> Result<(), AdoptError> {
        socket.set_nonblocking(true)?;
        let turn = self.0.turn.fetch_add(1, Ordering::Relaxed) % self.0.inboxes.len();
        let (inbox, waker) = &self.0.inboxes[turn];
        let upgraded = (mio::net::TcpStream::from_std(socket), address);
        inbox.try_send(upgraded).map_err(|_| AdoptError::Full)?;
        Ok(waker.wake()?)
    }
}
