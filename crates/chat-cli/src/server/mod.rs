//! `chat server`.

mod command;
mod operator;
mod printer;
mod wording;

use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use chat_core::{Room, Running};
use chat_tcp::{TcpConfig, TcpServer};
use chat_udp::UdpServer;
use crossbeam_channel::{Sender, bounded};

use crate::address::Address;
use crate::args::{ServerArgs, TransportKind};
use crate::failure::Failure;
use crate::signals::{self, Signal};
use crate::terminal::{self, Clock};

/// How long members may take to read what they are owed when the server stops.
const GRACE: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &ServerArgs, is_interactive: bool) -> Result<ExitCode, Failure> {
    // Each member needs a descriptor, and the usual soft limit is 1,024.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    let room = Room::new(args.room());
    let mut running = Running::new(&room);
    // Before anyone can come, so that they tell of everyone.
    let local = room.join("console".parse().expect("a valid name"))?;
    let log_file = match &args.log_file {
        Some(path) => Some((room.join("log-file".parse().expect("a valid name"))?, path)),
        None => None,
    };
    let listening = listen(args, &room, &mut running)?;
    let (reopen, reopened) = bounded(1);
    let mut printers = Vec::new();
    if let Some((local, path)) = log_file {
        let printer = printer::spawn_file(local, listening.clone(), path.clone(), reopened);
        printers.push(printer.map_err(|error| no_log_file(error, path))?);
    }
    on_signals(&room, reopen)?;
    printers.push(if is_interactive {
        operator::spawn(local, listening, args.look)?
    } else {
        printer::spawn(local, listening, args.timestamps.then(Clock::local))?
    });
    let result = running.join();
    // Whoever reads stdout may have stalled, and must not keep the program from ending.
    let (done, ended) = bounded::<()>(0);
    std::thread::spawn(move || {
        for printer in printers {
            let _panicked = printer.join();
        }
        drop(done);
    });
    let _ended_or_stalled = ended.recv_timeout(Duration::from_secs(1));
    terminal::give_back();
    result.map_err(|error| Failure::new(error, None))?;
    Ok(ExitCode::SUCCESS)
}

/// Opens the room to each transport once, all on the same port number, and returns what the console says of it.
fn listen(args: &ServerArgs, room: &Room, running: &mut Running) -> Result<String, Failure> {
    let mut listening = String::new();
    let mut bind = args.bind.clone();
    let mut transports = args.transports.clone();
    transports.sort_unstable();
    transports.dedup();
    for transport in &transports {
        let address = match transport {
            TransportKind::Tcp => {
                let config = TcpConfig::default().with_announce(args.announce);
                let config = match args.threads {
                    Some(threads) => config.with_threads(usize::from(threads)),
                    None => config,
                };
                let server = TcpServer::bind(bind.clone(), room, &config).map_err(|error| {
                    let kind = if let chat_tcp::BindError::Listen { source, .. } = &error {
                        Some(source.kind())
                    } else {
                        None
                    };
                    no_address(error, kind, &bind)
                })?;
                let address = server.local_addr();
                server.spawn_into(running)?;
                address
            }
            TransportKind::Udp => {
                let server = UdpServer::bind(bind.clone(), room, &args.udp()).map_err(|error| {
                    let kind = if let chat_udp::BindError::Bind { source, .. } = &error {
                        Some(source.kind())
                    } else {
                        None
                    };
                    no_address(error, kind, &bind)
                })?;
                let address = server.local_addr();
                server.spawn_into(running)?;
                address
            }
        };
        bind.port = address.port();
        let note = if transports.len() > 1 { format!(" ({transport})") } else { String::new() };
        listening.push_str(&format!("[*] Listening on {address}{note}\n"));
    }
    Ok(listening)
}

/// The first signal closes the room in order, the second one at once. SIGHUP opens files again.
fn on_signals(room: &Room, reopen: Sender<()>) -> io::Result<()> {
    let room = room.clone();
    let mut is_closing = false;
    signals::on_each(move |signal| match signal {
        Signal::Interrupt | Signal::Terminate => {
            if std::mem::replace(&mut is_closing, true) {
                terminal::give_back();
                std::process::exit(1);
            }
            close(&room);
        }
        // May come twice, from the system and from the shell.
        Signal::TerminalClosed => close(&room),
        Signal::Reload => {
            let _there_already = reopen.try_send(());
        }
    })
}

/// Closes the room in order.
fn close(room: &Room) {
    room.close("The server is stopping", GRACE);
}

fn no_log_file(error: io::Error, path: &Path) -> Failure {
    let hint = match error.kind() {
        ErrorKind::NotFound => "its directory does not exist",
        ErrorKind::PermissionDenied => "this user may not write there",
        ErrorKind::IsADirectory => "name a file in that directory",
        _ => return Failure::new(CannotOpen { path: path.into(), source: error }, None),
    };
    Failure::new(CannotOpen { path: path.into(), source: error }, Some(hint.to_owned()))
}

#[derive(Debug, thiserror::Error)]
#[error("cannot open the log file {}", path.display())]
struct CannotOpen {
    path: PathBuf,
    source: io::Error,
}

/// Why there is no address to listen on, and what to do about it.
fn no_address(
    error: impl Error + Send + Sync + 'static,
    kind: Option<ErrorKind>,
    address: &Address,
) -> Failure {
    let next = address.port.checked_add(1).unwrap_or(5555);
    let hint = match kind {
        Some(ErrorKind::AddrInUse) => Some(format!(
            "another program has this port. Stop it, or choose another port, such as --bind 127.0.0.1:{next} (0 takes any free one)"
        )),
        Some(ErrorKind::AddrNotAvailable) => {
            Some("this machine does not have that address. 0.0.0.0 and [::] stand for all it has".to_owned())
        }
        Some(ErrorKind::PermissionDenied) => Some(
            "ports below 1024 need a permission. Choose a higher one, such as --bind 127.0.0.1:5555"
                .to_owned(),
        ),
        _ => None,
    };
    Failure::new(error, hint)
}
