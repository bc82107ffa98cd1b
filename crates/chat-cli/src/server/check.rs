//! `--check`: whether a server would start, and what is wrong if not.

use std::path::Path;
use std::process::ExitCode;

use chat_core::access::BanList;

use super::sockets::{self, listen};
use super::{bans, cluster, contradictions, metrics, password, tls};
#[cfg(unix)]
use super::{no_log_file, printer, privileges};
use crate::args::ServerArgs;
use crate::failure::Failure;
use crate::history;
use crate::settings::Settings;
use crate::stdio;

/// Tries everything that a start does, without a trace.
pub(super) fn run(args: &ServerArgs, settings: &Settings) -> Result<ExitCode, Failure> {
    let is_running = is_running(args);
    let no_rooms = args.rooms(None, BanList::new(), None).map(|rooms| drop(rooms.first()));
    let checks = [
        super::has_transport(args),
        contradictions::check(args, settings),
        no_rooms.map_err(Failure::from),
        args.operator_password_file.as_deref().map(password::read).transpose().map(drop),
        certificate(args),
        args.bans.as_deref().map_or(Ok(()), bans::check),
        store(args),
        #[cfg(unix)]
        args.log_file
            .as_deref()
            .map_or(Ok(()), |path| printer::check_file(path).map_err(|error| no_log_file(error, path))),
        #[cfg(unix)]
        privileges::other_user(args).map(drop),
        cluster(args),
        if is_running { Ok(()) } else { addresses(args) },
    ];
    let wrong: Vec<Failure> = checks.into_iter().filter_map(Result::err).collect();
    for failure in &wrong {
        failure.report();
    }
    if is_running {
        stdio::print("a server with these settings runs: its addresses were not tried\n")?;
    }
    if wrong.is_empty() {
        stdio::print("nothing is wrong\n")?;
    }
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether a server has the control socket of these settings.
#[cfg(unix)]
fn is_running(args: &ServerArgs) -> bool {
    let default = || crate::admin::default_socket(args.addresses().first()?.port);
    let socket = args.socket.clone().or_else(default);
    socket.is_some_and(|path| std::os::unix::net::UnixStream::connect(path).is_ok())
}

#[cfg(not(unix))]
fn is_running(_: &ServerArgs) -> bool {
    false
}

/// Reads the history if there is one already. To open it as a server does would leave a file behind, perhaps of another user.
fn store(args: &ServerArgs) -> Result<(), Failure> {
    match &args.keep.history {
        Some(path) if !path.exists() => directory(path, "history"),
        _ => history::check(&args.keep),
    }
}

/// Whether there is a directory for the file that the `what` will be in.
fn directory(path: &Path, what: &str) -> Result<(), Failure> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or_else(|| Path::new("."));
    if directory.is_dir() {
        return Ok(());
    }
    Err(Failure::new(format!("there is no directory {} for the {what}", directory.display()), None))
}

/// Connects to the cluster for a moment.
fn cluster(args: &ServerArgs) -> Result<(), Failure> {
    cluster::config(&args.cluster)?
        .map_or(Ok(()), |config| cluster::connect(config, &args.cluster, None).map(drop))
}

/// Binds the addresses for a moment, all at once: two of them may be the same.
fn addresses(args: &ServerArgs) -> Result<(), Failure> {
    let _bound = listen::bind_all(args)?;
    #[cfg(unix)]
    let _files = (sockets::files::bind_files(args, &[])?, sockets::asked_control_socket(args)?);
    args.admin.as_ref().map_or(Ok(()), |address| metrics::bind(address).map(drop))
}

fn certificate(args: &ServerArgs) -> Result<(), Failure> {
    tls::certificate(args)?.map_or(Ok(()), |certificate| tls::check_dates(&certificate))
}
