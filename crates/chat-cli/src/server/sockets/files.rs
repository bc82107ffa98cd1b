//! Opens the room at files: Unix sockets.

use std::io::ErrorKind;
use std::path::Path;

use chat_core::{BindError, Rooms, Running};
use chat_tcp::{TcpConfig, UnixFile, UnixServer};

use crate::address::{Address, Target};
use crate::args::{DEFAULT_ADDRESS, ServerArgs, TransportKind};
use crate::failure::Failure;

/// Binds the Unix sockets, but for those that another process has `handed` over.
pub(crate) fn bind_files(args: &ServerArgs, handed: &[UnixFile]) -> Result<Vec<UnixFile>, Failure> {
    let (files, is_asked) = (args.files(), args.transports.contains(&TransportKind::Unix));
    if let (false, Some(path)) = (is_asked, files.first()) {
        let hint = format!("chat server unix --bind {}", path.display());
        return Err(Failure::usage(format!("{} is a file, which is for unix", path.display()), Some(hint)));
    }
    if is_asked && files.is_empty() && handed.is_empty() {
        let hint = "with a / in it, such as --bind ./chat.sock".to_owned();
        return Err(Failure::usage("unix needs a file to listen at", Some(hint)));
    }
    let bind = |path: &Path| {
        UnixFile::bind(path, args.mode).map_err(|source| {
            let hint = match source.kind() {
                ErrorKind::AddrInUse => {
                    Some("another server listens there, or it is no socket; name another file")
                }
                ErrorKind::NotFound => Some("its directory does not exist"),
                ErrorKind::PermissionDenied => Some("this user may not write there"),
                ErrorKind::InvalidInput => Some("the system takes no more than about 100 bytes for its name"),
                _ => None,
            };
            let failed = BindError::File { path: path.to_owned(), source };
            Failure::new(failed, hint.map(str::to_owned))
        })
    };
    let is_handed = |path: &Path| {
        std::path::absolute(path).is_ok_and(|path| handed.iter().any(|file| file.path() == path))
    };
    files.into_iter().filter(|path| !is_handed(path)).map(bind).collect()
}

/// Whether all that is listened at are files.
pub(crate) fn no_addresses(args: &ServerArgs) -> Result<(), Failure> {
    let mut asked = args.bind.iter().filter_map(Target::address);
    // One that nobody asked for stands alone.
    let is_asked = |address: &&Address| args.bind.len() > 1 || address.to_string() != DEFAULT_ADDRESS;
    let Some(address) = asked.find(is_asked) else { return Ok(()) };
    let hint = format!("a file is written with a / in it, such as --bind ./{}", address.host());
    Err(Failure::usage(format!("unix listens at files, and {} is none", address.host()), Some(hint)))
}

/// Opens the room over the Unix sockets. Their files are there as long as `files`.
pub(crate) fn serve_files(
    files: &[UnixFile],
    args: &ServerArgs,
    rooms: &Rooms,
    running: &mut Running,
) -> Result<(), Failure> {
    // One machine's own programs are few.
    let config = TcpConfig::default().with_announce(args.announce).with_threads(1);
    for file in files {
        UnixServer::over(file.try_clone()?, rooms, &config)?.spawn_into(running)?;
    }
    Ok(())
}
