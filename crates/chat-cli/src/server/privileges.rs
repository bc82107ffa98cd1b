//! What the server may do: as another user, and with no more files than it needs.

use std::ffi::CString;
use std::os::unix::fs::lchown;
#[cfg(target_os = "linux")]
use std::path::PathBuf;

use chat_tcp::UnixFile;
use nix::unistd::{Uid, User, initgroups, setgid, setuid};

use crate::args::ServerArgs;
use crate::failure::Failure;

/// Becomes the user that is asked for, for good. All threads do. The files of these sockets become the user's.
///
/// # Errors
///
/// If there is no such user, or this one may not become it.
pub(super) fn become_user<'a>(
    args: &ServerArgs,
    sockets: impl Iterator<Item = &'a UnixFile>,
) -> Result<(), Failure> {
    let Some(user) = other_user(args)? else { return Ok(()) };
    let name = CString::new(user.name).map_err(|_| Failure::new("the user's name has a zero byte", None))?;
    for socket in sockets {
        // Whatever is there by now: what a link leads to is not ours.
        lchown(socket.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
    }
    initgroups(&name, user.gid)?;
    setgid(user.gid)?;
    setuid(user.uid)?;
    if !user.uid.is_root() && setuid(Uid::from_raw(0)).is_ok() {
        return Err(Failure::new("the privileges of root cannot be given up", None));
    }
    Ok(())
}

/// The user that is asked for, unless it is this one.
///
/// # Errors
///
/// If there is no such user, or this one may not become it.
pub(super) fn other_user(args: &ServerArgs) -> Result<Option<User>, Failure> {
    let Some(name) = &args.user else { return Ok(None) };
    let no_user = || {
        let hint = format!("`useradd --system {name}` makes one, or name another");
        Failure::new(format!("there is no user '{name}' on this machine"), Some(hint))
    };
    let user = User::from_name(name)?.ok_or_else(no_user)?;
    if Uid::current() == user.uid && Uid::effective() == user.uid {
        return Ok(None);
    }
    if !Uid::effective().is_root() {
        let hint = "leave --user out, or start the server as root".to_owned();
        return Err(Failure::new(format!("only root may become '{name}'"), Some(hint)));
    }
    Ok(Some(user))
}

/// Has the kernel refuse every write outside of the directories of the files that the settings name, and of these sockets (Landlock). Holds for this thread and
/// those that it starts. A kernel that cannot do so is not a reason not to serve.
#[cfg(target_os = "linux")]
pub(super) fn confine(args: &ServerArgs, sockets: &[UnixFile]) {
    use landlock::{
        ABI, AccessFs, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, path_beneath_rules,
    };
    let socket = args.socket.clone().or_else(|| crate::admin::default_socket(0));
    let named = [&args.keep.history, &args.bans, &args.config, &args.log_file, &socket];
    let directory = |path: &PathBuf| {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        parent.map_or_else(|| PathBuf::from("."), PathBuf::from)
    };
    // A name may be a link to elsewhere.
    let sockets: Vec<PathBuf> = sockets.iter().map(|file| file.path().to_owned()).collect();
    let named = named.into_iter().flatten().chain(&sockets);
    let named = named.flat_map(|path| [Some(path.clone()), path.canonicalize().ok()]).flatten();
    let named = named.map(|path| directory(&path));
    // A terminal, and /dev/null.
    let writable: Vec<PathBuf> = named.chain([PathBuf::from("/dev")]).collect();
    let write = AccessFs::from_write(ABI::V3);
    let confined = Ruleset::default()
        .handle_access(write)
        .and_then(Ruleset::create)
        .and_then(|rules| rules.add_rules(path_beneath_rules(writable, write)))
        .and_then(RulesetCreated::restrict_self);
    match confined {
        Ok(status) => tracing::debug!(landlock = ?status.ruleset, "writes are confined"),
        Err(error) => tracing::debug!(%error, "writes are not confined"),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn confine(_: &ServerArgs, _: &[UnixFile]) {}
