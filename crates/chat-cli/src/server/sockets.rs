//! Everything that a server listens on: bound here, or handed over by another process.

#[cfg(unix)]
pub(crate) mod files;
#[cfg(unix)]
pub(crate) mod handed;
pub(crate) mod listen;
#[cfg(unix)]
pub(crate) mod take_over;

use std::net::TcpListener;
#[cfg(unix)]
use std::{
    io::ErrorKind,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

#[cfg(unix)]
use chat_core::access::BanList;
#[cfg(unix)]
use chat_tcp::UnixFile;

#[cfg(unix)]
use self::handed::Handed;
use self::listen::Bound;
#[cfg(unix)]
use self::listen::Socket;
#[cfg(unix)]
use self::take_over::Predecessor;
use super::metrics;
#[cfg(unix)]
use super::{CannotOpen, bans, no_log_file, printer, privileges};
use crate::args::ServerArgs;
use crate::failure::Failure;
#[cfg(unix)]
use crate::{
    admin,
    operator::{
        control::ControlSocket,
        hand_over::{HandOver, Kind},
    },
};

/// What is open before the first file is written.
pub(super) struct Opened {
    pub(super) sockets: Vec<Bound>,
    #[cfg(unix)]
    pub(super) files: Vec<UnixFile>,
    pub(super) admin: Option<TcpListener>,
    #[cfg(unix)]
    pub(super) control: Option<ControlSocket>,
    /// Serves until this server is ready.
    #[cfg(unix)]
    pub(super) predecessor: Option<Predecessor>,
}

/// Opens everything, and then gives up what it takes to do so.
#[cfg(unix)]
pub(super) fn open(args: &ServerArgs) -> Result<Opened, Failure> {
    let mut handed = Handed::from_environment()?;
    let mut predecessor = None;
    if args.take_over {
        let default = || admin::default_socket(args.addresses().first()?.port);
        let path = args.socket.clone().or_else(default).ok_or_else(|| {
            let hint = "name its control socket: --socket PATH".to_owned();
            Failure::new("there is no server to take over", Some(hint))
        })?;
        if let Some((server, sockets)) = take_over::take_over(&path)? {
            (predecessor, handed) = (Some(server), sockets);
        }
    }
    let sockets = match handed.rooms {
        sockets if sockets.is_empty() => listen::bind_all(args)?,
        sockets => listen::handed(sockets)?,
    };
    let mut files = files::bind_files(args, &handed.files)?;
    files.extend(handed.files);
    let admin = match (handed.admin, &args.admin) {
        (Some(listener), _) => Some(listener),
        (None, address) => address.as_ref().map(metrics::bind).transpose()?,
    };
    let control = match handed.control {
        Some(file) => Some(ControlSocket::over(file)?),
        None => control_socket(args, &sockets)?,
    };
    // One of a service manager stays whose it is.
    let is_ours = |file: &&UnixFile| predecessor.is_some() || !file.stays();
    let control_file = control.iter().map(ControlSocket::file).filter(is_ours);
    privileges::become_user(args, files.iter().chain(control_file))?;
    privileges::confine(args, &files);
    Ok(Opened { sockets, files, admin, control, predecessor })
}

/// Gets ready what can be while another server has the rooms and the history.
#[cfg(unix)]
pub(super) fn rehearse(args: &ServerArgs) -> Result<(), Failure> {
    args.rooms(None, BanList::new(), None).map(|rooms| drop(rooms.first()))?;
    args.bans.as_deref().map_or(Ok(()), bans::check)?;
    match &args.log_file {
        Some(path) => printer::check_file(path).map_err(|error| no_log_file(error, path)),
        None => Ok(()),
    }
}

#[cfg(not(unix))]
pub(super) fn open(args: &ServerArgs) -> Result<Opened, Failure> {
    let admin = args.admin.as_ref().map(metrics::bind).transpose()?;
    Ok(Opened { sockets: listen::bind_all(args)?, admin })
}

/// What the next server may take over.
#[cfg(unix)]
pub(super) fn hand_over(
    sockets: &[Bound],
    files: &[UnixFile],
    admin: Option<&TcpListener>,
    control: Option<&ControlSocket>,
    history: Option<&Path>,
) -> Result<HandOver, Failure> {
    let mut kept: Vec<(Kind, OwnedFd)> = Vec::new();
    for Bound { socket, .. } in sockets {
        kept.push(match socket {
            Socket::Tcp(listener) => (Kind::Tcp, listener.try_clone()?.into()),
            Socket::Udp(socket) => (Kind::Udp, socket.try_clone()?.into()),
        });
    }
    for file in files {
        kept.push((Kind::Unix(file.into()), file.as_fd().try_clone_to_owned()?));
    }
    if let Some(listener) = admin {
        kept.push((Kind::Admin, listener.try_clone()?.into()));
    }
    if let Some(file) = control.map(ControlSocket::file) {
        kept.push((Kind::Control(file.into()), file.as_fd().try_clone_to_owned()?));
    }
    Ok(HandOver::new(kept, history.and_then(|path| path.canonicalize().ok())))
}

/// The control socket that was asked for, or the one that this system has a place for.
#[cfg(unix)]
fn control_socket(args: &ServerArgs, sockets: &[Bound]) -> Result<Option<ControlSocket>, Failure> {
    if args.socket.is_some() {
        return asked_control_socket(args);
    }
    let default = || admin::default_socket(sockets.first()?.place.address.port());
    let Some(path) = default() else { return Ok(None) };
    let bound = ControlSocket::bind(&path);
    Ok(bound.inspect_err(|error| tracing::warn!(%error, "no control socket at {}", path.display())).ok())
}

/// The control socket that was asked for.
#[cfg(unix)]
pub(super) fn asked_control_socket(args: &ServerArgs) -> Result<Option<ControlSocket>, Failure> {
    let bind =
        |path: &PathBuf| ControlSocket::bind(path).map_err(|error| no_control_socket(error, path.clone()));
    args.socket.as_ref().map(bind).transpose()
}

#[cfg(unix)]
fn no_control_socket(error: std::io::Error, path: PathBuf) -> Failure {
    let hint = match error.kind() {
        ErrorKind::AddrInUse => Some("another server has it, or it is no socket; name another file"),
        ErrorKind::NotFound => Some("its directory does not exist"),
        ErrorKind::InvalidInput => Some("the system takes no more than about 100 bytes for its name"),
        _ => None,
    };
    let failed = CannotOpen { what: "control socket", path, source: error };
    Failure::new(failed, hint.map(str::to_owned))
}
