//! The common part of servers over any kind of socket.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use thiserror::Error;

/// Why a server could not listen.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// The name could not be resolved.
    #[error("cannot resolve the address to listen on")]
    Resolve(#[source] io::Error),
    /// The name resolved to no address at all.
    #[error("there is no address to listen on")]
    NoAddress,
    /// The address is in use, is not an address of this machine, or needs a permission.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was tried.
        address: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// The file of a Unix socket cannot be made, or another server listens at it.
    #[error("cannot listen at {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The system lacks a resource that a poll loop needs.
    #[error("cannot set up a poll loop")]
    Poll(#[source] io::Error),
}

/// Calls `listen` with each of the addresses until one can be listened on.
///
/// # Errors
///
/// [`BindError`], of the address that was tried last.
pub fn bind_first<T>(
    addresses: impl ToSocketAddrs,
    listen: impl FnMut(SocketAddr) -> Result<T, BindError>,
) -> Result<T, BindError> {
    let addresses = addresses.to_socket_addrs().map_err(BindError::Resolve)?;
    let mut last = BindError::NoAddress;
    for result in addresses.map(listen) {
        match result {
            Ok(server) => return Ok(server),
            Err(error) => last = error,
        }
    }
    Err(last)
}
