//! The listening socket and its file.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::park_timeout;

use mio::event::Source;
use mio::net::{UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::acceptor::Listener;
use crate::limits::{LISTEN_BACKLOG, LOCK_PAUSE, LOCK_TRIES_MAX};

/// A Unix socket that is listened on, and its file. Dropping it and all its clones removes the file, unless another
/// server has replaced it, or another process looks after it ([`set_stays`](Self::set_stays)).
#[derive(Debug)]
pub struct UnixFile {
    socket: UnixListener,
    file: Arc<OnDisk>,
}

#[derive(Debug)]
struct OnDisk {
    path: PathBuf,
    /// The file's number: another server may have put its own in the place of ours.
    inode: u64,
    /// Another process looks after it.
    stays: AtomicBool,
}

impl UnixFile {
    /// Listens at `path`, with a file that has this `mode`: a user that may write to it may connect. A socket that a
    /// server has left there is replaced, one that listens is not. The directory is locked meanwhile, so that of two
    /// servers that start at once one gets the file.
    ///
    /// # Errors
    ///
    /// Those of the system; [`AddrInUse`](ErrorKind::AddrInUse) if something is there, or the directory stays locked.
    pub fn bind(path: &Path, mode: u32) -> io::Result<Self> {
        let _until_it_listens = lock_directory(path)?;
        let (socket, address) = (Socket::new(Domain::UNIX, Type::STREAM, None)?, SockAddr::unix(path)?);
        match socket.bind(&address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && is_stale(path) => {
                fs::remove_file(path)?;
                socket.bind(&address)?;
            }
            result => result?,
        }
        // Nobody can connect before `listen`, and so nobody whom the mode keeps out.
        set_mode(path, mode)?;
        socket.listen(LISTEN_BACKLOG)?;
        Self::over(socket.into(), path)
    }

    /// A socket that another process has opened, and that listens at `path`.
    ///
    /// # Errors
    ///
    /// Those of the system; [`NotFound`](ErrorKind::NotFound) if the file is gone.
    pub fn over(socket: StdUnixListener, path: &Path) -> io::Result<Self> {
        let inode = fs::symlink_metadata(path)?.ino();
        socket.set_nonblocking(true)?;
        // Holds in another directory, too.
        let path = std::path::absolute(path)?;
        let file = OnDisk { path, inode, stays: AtomicBool::default() };
        Ok(Self { socket: UnixListener::from_std(socket), file: Arc::new(file) })
    }

    /// Another handle on the same socket and file, for [`set_stays`](Self::set_stays), or for another process to listen
    /// on.
    ///
    /// # Errors
    ///
    /// If the system has no descriptor to give.
    pub fn try_clone(&self) -> io::Result<Self> {
        let socket = StdUnixListener::from(self.socket.as_fd().try_clone_to_owned()?);
        Ok(Self { socket: UnixListener::from_std(socket), file: Arc::clone(&self.file) })
    }

    /// Whether the file stays when the last handle is dropped, because another process looks after it.
    pub fn set_stays(&self, stays: bool) {
        self.file.stays.store(stays, Ordering::Release);
    }

    /// Whether another process looks after the file.
    #[must_use]
    pub fn stays(&self) -> bool {
        self.file.stays.load(Ordering::Acquire)
    }

    /// Where it is: an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }
}

impl AsFd for UnixFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        let is_ours = || fs::symlink_metadata(&self.path).is_ok_and(|file| file.ino() == self.inode);
        if !self.stays.load(Ordering::Acquire) && is_ours() {
            // If it cannot be removed, the next server finds it stale.
            let _left = fs::remove_file(&self.path);
        }
    }
}

/// Follows no link: a user that may write to the directory could have put one there that leads to a file of somebody
/// else.
#[allow(clippy::useless_conversion, reason = "on some systems a mode has 16 bits")]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    let mode = Mode::from_bits_truncate(mode.try_into().unwrap_or_default());
    Ok(fchmodat(AT_FDCWD, path, mode, FchmodatFlags::NoFollowSymlink)?)
}

/// Keeps other servers from the directory of `path`: one that is bound and does not listen yet looks like one that has
/// ended. `None` if this user may not read the directory, which then cannot be locked.
fn lock_directory(path: &Path) -> io::Result<Option<File>> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let Ok(directory) = File::open(parent.unwrap_or_else(|| Path::new("."))) else { return Ok(None) };
    for _ in 0..LOCK_TRIES_MAX {
        match directory.try_lock() {
            Ok(()) => return Ok(Some(directory)),
            Err(fs::TryLockError::WouldBlock) => park_timeout(LOCK_PAUSE),
            Err(fs::TryLockError::Error(_)) => return Ok(None), // not every file system has locks
        }
    }
    Err(ErrorKind::AddrInUse.into())
}

/// Whether the socket there was left by a server that has ended without removing it. A file that is put there while
/// this asks is not stale.
fn is_stale(path: &Path) -> bool {
    let socket = || fs::symlink_metadata(path).ok().filter(|file| file.file_type().is_socket());
    let Some(before) = socket() else { return false };
    StdUnixStream::connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
        && socket().is_some_and(|after| (after.dev(), after.ino()) == (before.dev(), before.ino()))
}

impl Listener for UnixFile {
    type Socket = UnixStream;

    fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (socket, _unnamed) = self.socket.accept()?;
        Ok((socket, stand_in()))
    }
}

/// A peer has no address, but a member needs one: a loopback one, since it is on this machine, with a number that no
/// other peer of this process has for the next 2^32 connections.
fn stand_in() -> SocketAddr {
    static NEXT_PEER: AtomicU32 = AtomicU32::new(1);
    let [a, b, c, d] = NEXT_PEER.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(127, 1, a, b), u16::from_be_bytes([c, d])))
}

impl Source for UnixFile {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.socket.register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.socket.reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.socket.deregister(registry)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn of_servers_that_start_at_one_path_at_once_one_gets_it() {
        const SERVERS: usize = 4;
        let path = std::env::temp_dir().join(format!("chat-listener-{}-once", std::process::id()));
        for _ in 0..200 {
            // A server that was killed leaves it like this.
            drop(StdUnixListener::bind(&path).expect("nobody is there"));
            let together = Barrier::new(SERVERS);
            let files: Vec<UnixFile> = thread::scope(|scope| {
                let bind = || {
                    together.wait();
                    UnixFile::bind(&path, 0o600)
                };
                let threads: Vec<_> = (0..SERVERS).map(|_| scope.spawn(bind)).collect();
                threads
                    .into_iter()
                    .filter_map(|thread| thread.join().expect("it does not panic").ok())
                    .collect()
            });
            assert_eq!(files.len(), 1);
            StdUnixStream::connect(&path).expect("it listens there");
        }
    }

    #[test]
    fn the_mode_of_what_a_link_leads_to_stays() {
        let name = |what| std::env::temp_dir().join(format!("chat-listener-{}-{what}", std::process::id()));
        let (file, link) = (name("file"), name("link"));
        fs::write(&file, "somebody else's").expect("it is new");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("it is ours");
        symlink(&file, &link).expect("it is new");
        let result = set_mode(&link, 0o666);
        let mode = fs::metadata(&file).map(|file| file.permissions().mode() & 0o777);
        let direct = set_mode(&file, 0o644);
        let changed = fs::metadata(&file).map(|file| file.permissions().mode() & 0o777);
        let _removed = (fs::remove_file(&link), fs::remove_file(&file));
        assert!(cfg!(not(target_os = "linux")) || result.is_err(), "a link has no mode on Linux");
        assert_eq!(mode.expect("it is there"), 0o600);
        direct.expect("it is ours");
        assert_eq!(changed.expect("it is there"), 0o644);
    }
}
