//! Sockets that another process has opened for this one: a service manager, or the server before it.

use std::env;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;

use chat_tcp::UnixFile;
use listenfd::ListenFd;

use super::listen::Socket;
use super::take_over::Predecessor;
use crate::failure::Failure;
use crate::operator::hand_over::{Kind, OnDisk, SOCKETS_MAX};
use crate::server::CannotOpen;
use crate::terminal::printable;

/// The sockets.
#[derive(Default)]
pub(crate) struct Handed {
    pub(crate) rooms: Vec<Socket>,
    pub(crate) files: Vec<UnixFile>,
    pub(crate) control: Option<UnixFile>,
    pub(crate) admin: Option<TcpListener>,
}

impl Handed {
    /// Those of a service manager (`LISTEN_FDS`). A Unix socket is the control socket, or if it is called `members` theirs; a TCP
    /// socket that is called `admin` is for --admin.
    ///
    /// # Errors
    ///
    /// If one is of a kind that is good for nothing here.
    pub(crate) fn from_environment() -> Result<Self, Failure> {
        check_count()?;
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names: Vec<&str> = names.split(':').collect();
        let mut given = ListenFd::from_env();
        let mut handed = Self::default();
        for index in 0..given.len() {
            let name = names.get(index).copied().unwrap_or_default();
            let of_no_use = |why: &str, hint: &str| {
                let why = format!("socket {} ({name}) of the service manager {why}", index + 1);
                Failure::new(why, Some(hint.to_owned()))
            };
            let is_connection = || of_no_use("is a connection", "its unit must have Accept=no");
            if let Ok(Some(listener)) = given.take_tcp_listener(index) {
                if !listens(&listener) {
                    return Err(is_connection());
                }
                match name {
                    "admin" => handed.admin = Some(listener),
                    _ => handed.rooms.push(Socket::Tcp(listener)),
                }
            } else if let Ok(Some(socket)) = given.take_udp_socket(index) {
                handed.rooms.push(Socket::Udp(socket));
            } else if let Ok(Some(listener)) = given.take_unix_listener(index) {
                if !listens(&listener) {
                    return Err(is_connection());
                }
                match name {
                    "members" => handed.files.push(file_of_manager(listener)?),
                    _ => handed.control = Some(file_of_manager(listener)?),
                }
            } else {
                let hint = "a socket unit may have ListenStream= and ListenDatagram= with a port, and ListenStream= with a \
                    path for `chat admin`, or with FileDescriptorName=members for members";
                return Err(of_no_use("has a type that is not supported", hint));
            }
        }
        Ok(handed)
    }

    /// Those that the server before this one sends. Its files are still its own.
    ///
    /// # Errors
    ///
    /// If this process cannot use one.
    pub(crate) fn from_server(
        sockets: Vec<(Kind, OwnedFd)>,
        predecessor: &mut Predecessor,
    ) -> Result<Self, Failure> {
        let mut handed = Self::default();
        for (kind, socket) in sockets {
            match kind {
                Kind::Tcp => handed.rooms.push(Socket::Tcp(TcpListener::from(socket))),
                Kind::Udp => handed.rooms.push(Socket::Udp(UdpSocket::from(socket))),
                Kind::Unix(file) => handed.files.extend(file_of_server(socket, &file, predecessor)?),
                Kind::Control(file) => handed.control = file_of_server(socket, &file, predecessor)?,
                Kind::Admin => handed.admin = Some(TcpListener::from(socket)),
            }
        }
        Ok(handed)
    }
}

/// `None` if the file is gone: nobody can connect to the socket any more.
fn file_of_server(
    socket: OwnedFd,
    OnDisk { path, stays }: &OnDisk,
    predecessor: &mut Predecessor,
) -> Result<Option<UnixFile>, Failure> {
    let file = match UnixFile::over(UnixListener::from(socket), path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            tracing::warn!("{} is gone, so nobody can connect there", path.display());
            return Ok(None);
        }
        file => file.map_err(|source| {
            let failed = CannotOpen { what: "socket that was handed over", path: path.clone(), source };
            Failure::new(failed, None)
        })?,
    };
    file.set_stays(true);
    if !stays {
        predecessor.leaves(file.try_clone()?);
    }
    Ok(Some(file))
}

/// Whether connections come from it.
#[cfg(target_os = "linux")]
fn listens(socket: impl AsFd) -> bool {
    rustix::net::sockopt::socket_acceptconn(socket).unwrap_or(true)
}

/// Service managers elsewhere hand no connections over.
#[cfg(not(target_os = "linux"))]
fn listens(_: impl AsFd) -> bool {
    true
}

/// Refuses a number of sockets that cannot be, instead of serving none, or trying each of them.
fn check_count() -> Result<(), Failure> {
    let Ok(count) = env::var("LISTEN_FDS") else { return Ok(()) };
    let is_for_us = env::var("LISTEN_PID").map_or(true, |id| id == std::process::id().to_string());
    if is_for_us && !count.parse().is_ok_and(|count: usize| count <= SOCKETS_MAX) {
        let why = format!("LISTEN_FDS is '{}', not a number from 0 to {SOCKETS_MAX}", printable(&count));
        return Err(Failure::new(why, None));
    }
    Ok(())
}

/// The service manager looks after its file.
fn file_of_manager(listener: UnixListener) -> io::Result<UnixFile> {
    let address = listener.local_addr()?;
    let path = address.as_pathname().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let file = UnixFile::over(listener, path)?;
    file.set_stays(true);
    Ok(file)
}
