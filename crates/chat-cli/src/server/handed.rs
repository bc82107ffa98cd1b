//! Sockets that another process has opened for this one: a service manager, or the server before it.

use std::env;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;
use serde::{Deserialize, Serialize};

use super::listen::Socket;
use crate::failure::Failure;

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Members come over it.
    Tcp,
    /// Members come over it.
    Udp,
    /// `chat admin`.
    Control,
    /// `--admin`.
    Admin,
}

/// The sockets.
#[derive(Default)]
pub(super) struct Handed {
    pub(super) rooms: Vec<Socket>,
    pub(super) control: Option<UnixListener>,
    pub(super) admin: Option<TcpListener>,
}

impl Handed {
    /// Those of a service manager (`LISTEN_FDS`). A Unix socket is the control socket; one that is called `admin` is for --admin.
    ///
    /// # Errors
    ///
    /// If one is of a kind that is good for nothing here.
    pub(super) fn from_environment() -> Result<Self, Failure> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names: Vec<&str> = names.split(':').collect();
        let mut given = ListenFd::from_env();
        let mut handed = Self::default();
        for index in 0..given.len() {
            let name = names.get(index).copied().unwrap_or_default();
            if let Ok(Some(listener)) = given.take_tcp_listener(index) {
                match name {
                    "admin" => handed.admin = Some(listener),
                    _ => handed.rooms.push(Socket::Tcp(listener)),
                }
            } else if let Ok(Some(socket)) = given.take_udp_socket(index) {
                handed.rooms.push(Socket::Udp(socket));
            } else if let Ok(Some(listener)) = given.take_unix_listener(index) {
                handed.control = Some(listener);
            } else {
                let hint = "a socket unit may have ListenStream= and ListenDatagram= with a port, and ListenStream= with a \
                    path for `chat admin`";
                let why = format!("the socket '{name}' of the service manager is of no kind that is served");
                return Err(Failure::new(why, Some(hint.to_owned())));
            }
        }
        Ok(handed)
    }

    /// Those that the server before this one sends.
    pub(super) fn from_server(sockets: impl IntoIterator<Item = (Kind, OwnedFd)>) -> Self {
        let mut handed = Self::default();
        for (kind, socket) in sockets {
            match kind {
                Kind::Tcp => handed.rooms.push(Socket::Tcp(TcpListener::from(socket))),
                Kind::Udp => handed.rooms.push(Socket::Udp(UdpSocket::from(socket))),
                Kind::Control => handed.control = Some(UnixListener::from(socket)),
                Kind::Admin => handed.admin = Some(TcpListener::from(socket)),
            }
        }
        handed
    }
}
