//! A UDP server: one socket and its transport.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use chat_core::transport::bind_first;
use chat_core::{BindError, Rooms, Running};

use crate::config::UdpConfig;
use crate::socket::{self, Socket};
use crate::transport::UdpTransport;

/// A bound socket and the [`UdpTransport`] that serves it, ready to run.
///
/// ```
/// use chat_core::{Room, RoomConfig};
/// use chat_udp::{UdpConfig, UdpServer};
///
/// let room = Room::new(RoomConfig::default());
/// let server = UdpServer::bind("127.0.0.1:0", &room, &UdpConfig::default())?;
/// println!("listening on {}", server.local_addr());
/// let running = server.spawn()?;
/// // ... the room lives; here it ends at once
/// room.close("That was all", std::time::Duration::from_secs(1));
/// running.join()?;
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
#[derive(Debug)]
pub struct UdpServer {
    rooms: Rooms,
    address: SocketAddr,
    transport: UdpTransport,
}

impl UdpServer {
    /// Binds the first of the addresses that is free, for a room or for all [`Rooms`] of a server. Port 0 takes any
    /// free port; to share a number with TCP bind that first, and here the port it got. Datagrams are taken once the
    /// transport runs.
    ///
    /// # Errors
    ///
    /// [`BindError`], with the address that was tried last.
    pub fn bind(
        address: impl ToSocketAddrs,
        rooms: impl Into<Rooms>,
        config: &UdpConfig,
    ) -> Result<Self, BindError> {
        let rooms = rooms.into();
        bind_first(address, |address| Self::bind_to(address, &rooms, config))
    }

    fn bind_to(address: SocketAddr, rooms: &Rooms, config: &UdpConfig) -> Result<Self, BindError> {
        let socket = socket::bind(address).map_err(|source| BindError::Listen { address, source })?;
        Self::over(socket, rooms, config)
    }

    /// Serves a socket that is bound already: one of [`bind`](crate::bind), of a service manager, or of the process
    /// before this one.
    ///
    /// # Errors
    ///
    /// [`BindError`], if the system refuses.
    pub fn over(
        socket: std::net::UdpSocket,
        rooms: impl Into<Rooms>,
        config: &UdpConfig,
    ) -> Result<Self, BindError> {
        let rooms = rooms.into();
        let socket = Socket::over(socket).map_err(BindError::Poll)?;
        let address = socket.local_addr().map_err(BindError::Poll)?;
        let transport = UdpTransport::new(&rooms, config, socket, address).map_err(BindError::Poll)?;
        Ok(Self { rooms, address, transport })
    }

    /// The address that the server listens on, with the real port where 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Runs the transport on a thread of its own until the first room is closed.
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
        running.spawn("chat-udp", self.transport)
    }

    /// The transport, for a loop of your own.
    #[must_use]
    pub fn into_transport(self) -> UdpTransport {
        self.transport
    }
}
