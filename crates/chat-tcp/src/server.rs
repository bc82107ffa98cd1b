//! A TCP server: one listening socket and the I/O threads' transports.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use chat_core::transport::bind_first;
use chat_core::{BindError, Rooms, Running};
use mio::net::TcpListener;

#[cfg(feature = "web")]
use crate::adopter::Adopter;
use crate::config::TcpConfig;
use crate::layer::{Bare, Layer};
use crate::socket_options;
use crate::stream::TcpSocket;
use crate::transport::{self, TcpTransport};

/// A listening socket and the [`TcpTransport`]s that serve its connections, ready to run.
///
/// ```
/// use chat_core::{Room, RoomConfig};
/// use chat_tcp::{TcpConfig, TcpServer};
///
/// let room = Room::new(RoomConfig::default());
/// let server = TcpServer::bind("127.0.0.1:0", &room, &TcpConfig::default())?;
/// println!("listening on {}", server.local_addr());
/// let running = server.spawn()?;
/// // ... the room lives; here it ends at once
/// room.close("That was all", std::time::Duration::from_secs(1));
/// running.join()?;
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
#[derive(Debug)]
pub struct TcpServer<L: Layer = Bare> {
    rooms: Rooms,
    address: SocketAddr,
    transports: Vec<TcpTransport<L>>,
    #[cfg(feature = "web")]
    adopter: Adopter,
}

impl TcpServer {
    /// Listens on the first of the addresses that is free, for a room or for all [`Rooms`] of a server. Port 0 takes
    /// any free port. Connections are accepted once the transports run.
    ///
    /// # Errors
    ///
    /// [`BindError`], with the address that was tried last.
    pub fn bind(
        address: impl ToSocketAddrs,
        rooms: impl Into<Rooms>,
        config: &TcpConfig,
    ) -> Result<Self, BindError> {
        Self::bind_over(address, rooms, config, &Bare)
    }
}

impl<L: Layer> TcpServer<L> {
    /// As [`bind`](TcpServer::bind), with `layer` between each connection's socket and the chat.
    ///
    /// # Errors
    ///
    /// As [`bind`](TcpServer::bind).
    pub fn bind_over(
        address: impl ToSocketAddrs,
        rooms: impl Into<Rooms>,
        config: &TcpConfig,
        layer: &L,
    ) -> Result<Self, BindError> {
        let rooms = rooms.into();
        bind_first(address, |address| Self::listen(address, &rooms, config, layer))
    }

    fn listen(address: SocketAddr, rooms: &Rooms, config: &TcpConfig, layer: &L) -> Result<Self, BindError> {
        let listener =
            socket_options::listen(address).map_err(|source| BindError::Listen { address, source })?;
        Self::over(listener, rooms, config, layer)
    }

    /// Serves a socket that listens already: one of [`listen`](crate::listen), of a service manager, or of the process
    /// before this one.
    ///
    /// # Errors
    ///
    /// [`BindError`], if the system refuses.
    pub fn over(
        listener: std::net::TcpListener,
        rooms: impl Into<Rooms>,
        config: &TcpConfig,
        layer: &L,
    ) -> Result<Self, BindError> {
        let rooms = &rooms.into();
        let address = listener.local_addr().map_err(BindError::Poll)?;
        listener.set_nonblocking(true).map_err(BindError::Poll)?;
        let layer = layer.clone();
        let wrap = move |socket| {
            socket_options::set_options(&socket)?;
            layer.wrap(TcpSocket(socket))
        };
        let loops = transport::threads(rooms, config, "tcp", TcpListener::from_std(listener), wrap)?;
        #[cfg(feature = "web")]
        let (adopter, loops) = Adopter::before(loops);
        let transports = loops.into_iter().map(TcpTransport).collect();
        Ok(Self {
            rooms: rooms.clone(),
            address,
            transports,
            #[cfg(feature = "web")]
            adopter,
        })
    }

    /// The address that the server listens on, with the real port where 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Takes over connections whose WebSocket another web server of this process has opened. They need no
    /// [`TcpConfig::with_web`].
    #[cfg(feature = "web")]
    #[must_use]
    pub fn adopter(&self) -> Adopter {
        self.adopter.clone()
    }

    /// Runs each transport on a thread of its own until the first room is closed.
    ///
    /// # Errors
    ///
    /// If the system has no thread to give.
    pub fn spawn(self) -> io::Result<Running> {
        let mut running = Running::new(&self.rooms);
        self.spawn_into(&mut running)?;
        Ok(running)
    }

    /// As [`spawn`](Self::spawn), beside other transports of the same rooms.
    ///
    /// # Errors
    ///
    /// If the system has no thread to give.
    pub fn spawn_into(self, running: &mut Running) -> io::Result<()> {
        for (index, transport) in self.transports.into_iter().enumerate() {
            running.spawn(&format!("chat-tcp-{index}"), transport)?;
        }
        Ok(())
    }

    /// The transports, for a loop of your own. All of them must run: the first accepts connections and
    /// deals them to the others.
    #[must_use]
    pub fn into_transports(self) -> Vec<TcpTransport<L>> {
        self.transports
    }
}
