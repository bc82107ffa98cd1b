//! `chat server`.

mod actions;
mod bans;
mod check;
mod cluster;
mod contradictions;
mod metrics;
mod observers;
mod password;
mod printer;
#[cfg(unix)]
mod privileges;
mod reload;
mod rooms;
mod sockets;
#[cfg(unix)]
mod supervisor;
mod tls;
mod watch;

#[cfg(unix)]
use std::io::IsTerminal;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use chat_core::{LocalMember, Running};
use chat_nats::Cluster;
use chat_store::Store;
#[cfg(unix)]
use chat_tcp::UnixFile;
use crossbeam_channel::{bounded, never};

use self::actions::Actions;
use self::bans::BanFile;
use self::observers::{Observers, observe};
use self::reload::Reloader;
use self::rooms::Kept;
use self::sockets::Opened;
use self::sockets::listen::{self, Place};
#[cfg(unix)]
use self::sockets::take_over::Predecessor;
use self::tls::Encryption;
use crate::args::{LookArgs, ServerArgs};
use crate::diagnostics;
use crate::failure::Failure;
use crate::history;
use crate::operator::console::{self, Console};
#[cfg(unix)]
use crate::operator::control::ControlSocket;
use crate::operator::member::Session;
use crate::operator::{Desk, QUEUE_MAX, ServerActions};
#[cfg(unix)]
use crate::operator::{hand_over::HandOver, stdin};
use crate::settings::{self, Settings};
use crate::signals::{Signal, Watched};
use crate::stdio;
use crate::terminal::{self, Clock};

/// Signals that come so soon after the first one are the same request: `timeout` signals a program and then its process group.
const SAME_SIGNAL: Duration = Duration::from_millis(500);

pub(crate) fn run(args: &ServerArgs, settings: Settings, is_interactive: bool) -> Result<ExitCode, Failure> {
    if args.print_config {
        stdio::print(&settings::print(&settings))?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.check {
        return check::run(args, &settings);
    }
    has_transport(args)?;
    contradictions::check(args, &settings)?;
    // What follows may take a while.
    let signals = Watched::new()?;
    // Each member needs a descriptor, and the usual soft limit is 1,024.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    let password = args.operator_password_file.as_deref().map(password::read).transpose()?;
    let cluster = cluster::config(&args.cluster)?;
    let encryption = Encryption::open(args)?;
    // What only root may do comes first: it may not be root any more when it writes its first file.
    let Opened {
        sockets,
        #[cfg(unix)]
        files,
        admin,
        #[cfg(unix)]
        control,
        #[cfg(unix)]
        mut predecessor,
    } = sockets::open(args)?;
    #[cfg(unix)]
    if predecessor.is_some() {
        sockets::rehearse(args)?;
    }
    #[cfg(unix)]
    take_history(args, &mut predecessor)?;
    let places: Vec<Place> = sockets.iter().map(|bound| bound.place).collect();
    let port = places.first().map(|place| place.address.port());
    let kept = Kept::open(args, password, cluster, port)?;
    // From here on only the system could fail.
    #[cfg(unix)]
    predecessor.map_or(Ok(()), Predecessor::end)?;
    let bans = kept.keep_decisions(args)?;
    let Kept { rooms, bans: ban_list, store, cluster } = kept;
    let room = rooms.first();
    let mut running = Running::new(&rooms);
    // Before anyone can come, so that they tell of everyone.
    let stdout = (!is_interactive).then(Observers::new);
    let log_file = args.log_file.as_ref().map(|path| (Observers::new(), path));
    // With -v.
    let watch = tracing::enabled!(tracing::Level::DEBUG).then(Observers::new);
    let all = [stdout.as_ref(), log_file.as_ref().map(|(observers, _)| observers), watch.as_ref()];
    observe(&rooms, all.into_iter().flatten());
    watch.map_or(Ok(()), watch::spawn)?;
    let local = is_interactive.then(|| room.join("console")).transpose()?;
    #[cfg(unix)]
    let history = store.as_ref().map(Store::path);
    #[cfg(unix)]
    let hand_over = sockets::hand_over(&sockets, &files, admin.as_ref(), control.as_ref(), history)?;
    #[cfg(unix)]
    let hand_over = Arc::new(hand_over);
    let mut first = announcement(
        args,
        &places,
        #[cfg(unix)]
        &files,
        encryption.as_ref(),
        cluster.as_ref(),
    );
    let listening = places.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (reopen, reopened) = bounded(1);
    let reloader = Arc::new(Reloader {
        rooms: rooms.clone(),
        encryption,
        files: [Some(reopen), bans.as_ref().map(BanFile::changed)].into_iter().flatten().collect(),
        listening: listening.clone(),
        started: settings.clone(),
        settings: Mutex::new((args.clone(), settings)),
    });
    // Before anyone can come, so that a member always gets a goodbye.
    let actions =
        Arc::new(Actions { room: room.clone(), reloader: Arc::clone(&reloader), bans: bans.clone() });
    on_signals(signals, Arc::clone(&actions))?;
    let tls = reloader.encryption.as_ref().map(Encryption::tls);
    listen::serve(sockets, args, tls, &rooms, &mut running)?;
    #[cfg(unix)]
    sockets::files::serve_files(&files, args, &rooms, &mut running)?;
    if let Some(listener) = admin {
        first.push_str(&format!("[*] Metrics on http://{}/metrics\n", listener.local_addr()?));
        metrics::serve(listener, &rooms, &args.rooms, &ban_list)?;
    }
    let mut printers = Vec::new();
    if let Some((observers, path)) = log_file {
        let printer = printer::spawn_file(observers, first.clone(), path.clone(), reopened);
        printers.push(printer.map_err(|error| no_log_file(error, path))?);
    }
    let desk = Desk {
        room: room.clone(),
        listening: listening.clone(),
        #[cfg(unix)]
        hand_over: Arc::clone(&hand_over),
        server: actions,
    };
    #[cfg(unix)]
    if let Some(control) = &control {
        control.serve(desk.clone())?;
    }
    if let Some(local) = local {
        printers.push(console(local, first, desk, args.look)?);
    } else if let Some(observers) = stdout {
        #[cfg(unix)]
        if io::stdin().is_terminal() {
            stdin::spawn(desk)?;
        }
        printers.push(printer::spawn(observers, first, args.timestamps.then(Clock::local))?);
    }
    #[cfg(unix)]
    {
        supervisor::ready(&listening);
        supervisor::watch(&rooms)?;
    }
    let result = running.join();
    if let Some(bans) = bans {
        let stored = bans.finish();
        stored.unwrap_or_else(|why| tracing::warn!("{why}"));
    }
    if let Some(store) = store {
        store.close();
    }
    #[cfg(unix)]
    leave_to_next(&hand_over, files, control.as_ref());
    wait_for(printers);
    terminal::give_back();
    result.map_err(|error| Failure::new(error, None))?;
    Ok(ExitCode::SUCCESS)
}

/// A history has one writer: the server before this one ends first, if this one can go on with it.
#[cfg(unix)]
fn take_history(args: &ServerArgs, predecessor: &mut Option<Predecessor>) -> Result<(), Failure> {
    if let Some(history) = &args.keep.history
        && let Some(server) = predecessor.take_if(|server| server.has(history))
    {
        history::rehearse(history)?;
        server.end()?;
    }
    Ok(())
}

/// The server after this one, if there is one, has the socket files now; otherwise they are removed.
#[cfg(unix)]
fn leave_to_next(hand_over: &HandOver, files: Vec<UnixFile>, control: Option<&ControlSocket>) {
    if hand_over.is_ending() {
        files.iter().chain(control.map(ControlSocket::file)).for_each(|file| file.set_stays(true));
        hand_over.finish();
    }
    drop(files);
}

/// A configuration file may leave the transports out.
fn has_transport(args: &ServerArgs) -> Result<(), Failure> {
    if args.transports.is_empty() {
        let hint = "the file may say: transport = [\"tcp\", \"udp\"]".to_owned();
        return Err(Failure::usage("no transport is named that members may come over", Some(hint)));
    }
    Ok(())
}

/// What a server says first: where the room is open, and to whom.
fn announcement(
    args: &ServerArgs,
    places: &[Place],
    #[cfg(unix)] files: &[UnixFile],
    encryption: Option<&Encryption>,
    cluster: Option<&Cluster>,
) -> String {
    let mut lines: String = places.iter().map(|place| format!("[*] Listening on {place}\n")).collect();
    #[cfg(unix)]
    lines.extend(files.iter().map(|file| format!("[*] Listening on {}\n", file.path().display())));
    lines.extend(encryption.map(Encryption::to_string));
    if args.web {
        let urls = places.iter().filter_map(|place| place.url(args.tls.is_some()));
        lines.extend(urls.map(|url| format!("[*] Open {url} in a browser\n")));
    }
    if let Some(cluster) = cluster {
        lines.push_str(&format!("[*] Rooms are shared over {}\n", cluster.servers()));
    }
    lines
}

/// Waits until everything is printed. The reader of stdout may have stalled, and must not keep the program from ending.
fn wait_for(printers: Vec<JoinHandle<()>>) {
    let (done, ended) = bounded::<()>(0);
    std::thread::spawn(move || {
        for printer in printers {
            let _panicked = printer.join();
        }
        drop(done);
    });
    let _ended_or_stalled = ended.recv_timeout(Duration::from_secs(1));
}

/// The console on the server's own terminal.
fn console(local: LocalMember, first: String, desk: Desk, look: LookArgs) -> io::Result<JoinHandle<()>> {
    let (requests, requested) = bounded(QUEUE_MAX);
    let (updates, updated) = bounded(QUEUE_MAX);
    // Here, so that the caller learns of a failure.
    let console = Console::take(console::Place::Server, look, requests, updated)?;
    Builder::new().name("chat-session".to_owned()).spawn(move || {
        let session = Session::new(desk, |update| updates.send(update).is_ok());
        session.watch(local).run(&requested, || None);
    })?;
    Builder::new().name("chat-console".to_owned()).spawn(move || {
        if let Err(error) = console.run(&first, &never()) {
            tracing::warn!(%error, "the terminal is gone; the room goes on without its console");
        }
    })
}

/// The first signal closes the room in order, a later one ends the program at once. SIGHUP reads files again.
fn on_signals(signals: Watched, server: Arc<Actions>) -> io::Result<()> {
    let mut closing_since: Option<Instant> = None;
    signals.on_each(move |signal| match signal {
        Signal::Interrupt | Signal::Terminate => match closing_since {
            None => {
                closing_since = Some(clock());
                server.close();
            }
            Some(since) if since.elapsed() < SAME_SIGNAL => {}
            Some(_) => {
                terminal::give_back();
                tracing::warn!("ended at once, after a second signal");
                diagnostics::flush();
                std::process::exit(1);
            }
        },
        // May come twice, from the system and from the shell.
        Signal::TerminalClosed => server.close(),
        Signal::Reload => match server.reload() {
            Ok(told) => tracing::info!("{told}"),
            Err(wrong) => tracing::error!("{wrong}"),
        },
    })
}

#[expect(clippy::disallowed_methods, reason = "the shell is where the clock is read")]
fn clock() -> Instant {
    Instant::now()
}

fn no_log_file(error: io::Error, path: &Path) -> Failure {
    let hint = match error.kind() {
        ErrorKind::NotFound => "its directory does not exist",
        ErrorKind::PermissionDenied => "this user may not write there",
        ErrorKind::IsADirectory => "name a file in that directory",
        _ => "",
    };
    let hint = (!hint.is_empty()).then(|| hint.to_owned());
    Failure::new(CannotOpen { what: "log file", path: path.into(), source: error }, hint)
}

#[derive(Debug, thiserror::Error)]
#[error("cannot open the {what} {}", path.display())]
struct CannotOpen {
    what: &'static str,
    path: PathBuf,
    source: io::Error,
}
