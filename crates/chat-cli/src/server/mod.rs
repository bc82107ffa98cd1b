//! `chat server`.

mod command;
mod console;
mod operator;
mod wording;

use std::io::ErrorKind;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chat_core::{Room, Running};
use chat_tcp::{BindError, TcpConfig, TcpServer};

use crate::args::{ServerArgs, TransportKind};
use crate::failure::Failure;
use crate::terminal;

/// How long members may take to read what they are owed when the server stops.
const GRACE: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &ServerArgs, is_interactive: bool) -> Result<ExitCode, Failure> {
    // Each member needs a descriptor, and the usual soft limit is 1,024.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    let room = Room::new(args.room());
    let mut running = Running::new(&room);
    let mut listening = String::new();
    let mut transports = args.transports.clone();
    transports.dedup();
    for transport in &transports {
        match transport {
            TransportKind::Tcp => {
                let mut config = TcpConfig { announce: args.announce, ..TcpConfig::default() };
                config.threads = args.threads.map_or(config.threads, usize::from);
                let server =
                    TcpServer::bind(args.bind.clone(), &room, &config).map_err(|error| taken(error, args))?;
                let note = if transports.len() > 1 { " (tcp)" } else { "" };
                listening.push_str(&format!("[*] Listening on {}{note}\n", server.local_addr()));
                server.spawn_into(&mut running)?;
            }
        }
    }
    let name = "console".parse().expect("a valid name");
    let seat = room.seat(name)?;
    close_on_signal(&room)?;
    let console = if is_interactive {
        operator::spawn(seat, listening, args.look)?
    } else {
        console::spawn(seat, listening)?
    };
    let result = running.join();
    // Whoever reads stdout may have stalled, and must not keep the program from ending.
    let (done, ended) = crossbeam_channel::bounded::<()>(0);
    std::thread::spawn(move || {
        let _panicked = console.join();
        drop(done);
    });
    let _ended_or_stalled = ended.recv_timeout(Duration::from_secs(1));
    terminal::give_back();
    result.map_err(|error| Failure::new(error, None))?;
    Ok(ExitCode::SUCCESS)
}

/// The first signal closes the room in order, the second one at once.
fn close_on_signal(room: &Room) -> Result<(), ctrlc::Error> {
    let room = room.clone();
    let closing = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if closing.swap(true, Ordering::Relaxed) {
            terminal::give_back();
            std::process::exit(1);
        }
        close(&room);
    })
}

/// Closes the room in order.
fn close(room: &Room) {
    room.close("The server is stopping", GRACE);
}

fn taken(error: BindError, args: &ServerArgs) -> Failure {
    let next = args.bind.port.checked_add(1).unwrap_or(5555);
    let hint = match &error {
        BindError::Listen { source, .. } => match source.kind() {
            ErrorKind::AddrInUse => Some(format!(
                "another program has this port. Stop it, or choose another port, such as --bind 127.0.0.1:{next} (0 takes any free one)"
            )),
            ErrorKind::AddrNotAvailable => Some(
                "this machine does not have that address. 0.0.0.0 and [::] stand for all it has".to_owned(),
            ),
            ErrorKind::PermissionDenied => Some(
                "ports below 1024 need a permission. Choose a higher one, such as --bind 127.0.0.1:5555"
                    .to_owned(),
            ),
            _ => None,
        },
        _ => None,
    };
    Failure::new(error, hint)
}
