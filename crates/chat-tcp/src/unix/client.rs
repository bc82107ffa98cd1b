//! A client over a Unix socket.

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};

use chat_core::client::User;
use chat_core::{Client, ClientConfig, ConnectError};
use mio::net::UnixStream;
use mio::{Interest, Poll};

use super::stream::UnixSocket;
use crate::client::{Dial, SOCKET, connect_by};

/// As [`connect`](crate::connect), to the server that listens at a file of this machine.
///
/// # Errors
///
/// [`ConnectError::File`], or [`ConnectError::System`].
pub fn connect_unix(path: impl AsRef<Path>, config: &ClientConfig) -> Result<Client, ConnectError> {
    connect_by(UnixDial { path: path.as_ref().to_owned() }, config)
}

struct UnixDial {
    path: PathBuf,
}

impl Dial for UnixDial {
    type Stream = UnixSocket;

    fn dial(&mut self, poll: &mut Poll, _user: &User) -> Result<UnixSocket, ConnectError> {
        let connect = || -> io::Result<UnixStream> {
            // Waits only if thousands of others wait to be accepted.
            let socket = StdUnixStream::connect(&self.path)?;
            socket.set_nonblocking(true)?;
            Ok(UnixStream::from_std(socket))
        };
        let refused = |source| ConnectError::File { path: self.path.clone(), source };
        let mut socket = connect().map_err(refused)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut socket, SOCKET, interest).map_err(ConnectError::System)?;
        Ok(UnixSocket(socket))
    }
}
