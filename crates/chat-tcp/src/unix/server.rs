//! A server at a file of this machine.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use chat_core::transport::{Transport, Turn};
use chat_core::{BindError, Rooms, Running};

use super::listener::UnixFile;
use super::stream::UnixSocket;
use crate::config::TcpConfig;
use crate::transport::{self, PollLoop};

/// A listening Unix socket and the [`UnixTransport`]s that serve its connections, ready to run. Peers are as over TCP:
/// framed, or plain lines. A member without a name is shown as the user that the system says it is: `[uid:1000]`, and
/// where there are several of one user `[uid:1000/unix]`, `[uid:1000/unix-2]`.
///
/// They are on this machine, so what is exempt for loopback is exempt for them.
///
/// ```
/// use chat_core::{Room, RoomConfig};
/// use chat_tcp::{TcpConfig, UnixServer};
///
/// let path = std::env::temp_dir().join(format!("chat-doc-{}.sock", std::process::id()));
/// let room = Room::new(RoomConfig::default());
/// let server = UnixServer::bind(&path, 0o600, &room, &TcpConfig::default())?;
/// let running = server.spawn()?;
/// // ... the room lives; here it ends at once
/// room.close("That was all", std::time::Duration::from_secs(1));
/// running.join()?;
/// assert!(!path.exists());
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
#[derive(Debug)]
pub struct UnixServer {
    rooms: Rooms,
    path: PathBuf,
    transports: Vec<UnixTransport>,
}

/// One I/O thread's share of a server at a Unix socket: a [`Transport`]. Made by [`UnixServer::bind`].
#[derive(Debug)]
pub struct UnixTransport(PollLoop<UnixFile, UnixSocket>);

impl UnixServer {
    /// Listens at `path`, as [`UnixFile::bind`] does. The file is removed when the room closes.
    ///
    /// # Errors
    ///
    /// [`BindError::File`] or [`BindError::Poll`].
    pub fn bind(
        path: impl AsRef<Path>,
        mode: u32,
        rooms: impl Into<Rooms>,
        config: &TcpConfig,
    ) -> Result<Self, BindError> {
        let path = path.as_ref();
        let file = UnixFile::bind(path, mode);
        Self::over(file.map_err(|source| BindError::File { path: path.to_owned(), source })?, rooms, config)
    }

    /// As [`bind`](Self::bind), with a socket that listens already.
    ///
    /// # Errors
    ///
    /// [`BindError::Poll`]
    pub fn over(file: UnixFile, rooms: impl Into<Rooms>, config: &TcpConfig) -> Result<Self, BindError> {
        let (path, rooms) = (file.path().to_owned(), rooms.into());
        let transports = transport::threads(&rooms, config, "unix", file, |socket| Ok(UnixSocket(socket)))?;
        Ok(Self { rooms, path, transports: transports.into_iter().map(UnixTransport).collect() })
    }

    /// The file that the server listens at.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As [`TcpServer::spawn`](crate::TcpServer::spawn).
    ///
    /// # Errors
    ///
    /// If the system has no thread to give.
    pub fn spawn(self) -> io::Result<Running> {
        let mut running = Running::new(&self.rooms);
        self.spawn_into(&mut running)?;
        Ok(running)
    }

    /// As [`TcpServer::spawn_into`](crate::TcpServer::spawn_into).
    ///
    /// # Errors
    ///
    /// If the system has no thread to give.
    pub fn spawn_into(self, running: &mut Running) -> io::Result<()> {
        for (index, transport) in self.transports.into_iter().enumerate() {
            running.spawn(&format!("chat-unix-{index}"), transport)?;
        }
        Ok(())
    }

    /// As [`TcpServer::into_transports`](crate::TcpServer::into_transports).
    #[must_use]
    pub fn into_transports(self) -> Vec<UnixTransport> {
        self.transports
    }
}

impl Transport for UnixTransport {
    type Error = io::Error;

    fn turn(&mut self, until: Option<Instant>) -> io::Result<Turn> {
        self.0.turn(until)
    }

    fn due(&self) -> Option<Instant> {
        self.0.due()
    }
}

/// As for [`TcpTransport`](crate::TcpTransport).
impl AsFd for UnixTransport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
