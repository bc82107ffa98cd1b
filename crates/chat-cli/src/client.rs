//! `chat client`: a terminal to a room, or a filter between stdin, stdout and a room.

mod command;
#[cfg(test)]
mod hostile_names;
mod interactive;
mod pipe;
mod settings;
mod tls;

use std::io::{self, ErrorKind, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use chat_core::client::Ended;
use chat_core::{Client, ClientConfig, ClientEnd};
use crossbeam_channel::bounded;

use self::pipe::Filtered;
use self::settings::Settings;
use crate::args::ClientArgs;
use crate::failure::Failure;
use crate::signals;
use crate::terminal;
use crate::transport;

/// Messages of the past that are asked for on a terminal; the server gives at most its own limit.
const HISTORY_ON_A_TERMINAL: u16 = 100;

/// How long leaving may take after a signal, whatever is stuck: the network, stdout or the terminal.
const LEAVE_TIMEOUT: Duration = Duration::from_millis(2_800);

pub(crate) fn run(args: &ClientArgs, is_interactive: bool) -> Result<ExitCode, Failure> {
    let is_interactive = is_interactive && !args.json && !terminal::is_in_background();
    // A server that is not ours has neither names nor rooms.
    let settings = if args.plain { Settings::default() } else { Settings::read()? };
    let config = ClientConfig::default()
        .with_history(args.history.unwrap_or(if is_interactive { HISTORY_ON_A_TERMINAL } else { 0 }))
        .with_plain(args.plain)
        .with_reconnect(is_interactive || args.reconnect)
        .with_retry_first(args.reconnect)
        .with_name(args.name.clone().or(settings.name))
        .with_room(args.room.clone().or(settings.room));
    let layer = tls::layer(args)?;
    let client = transport::connect(args.transport, &args.address, &config, layer.as_ref())?;
    let client = Arc::new(client);
    if is_interactive {
        let (signal, signalled) = bounded(1);
        leave_on_signal(move || {
            let _there_already = signal.try_send(());
        })?;
        let result = interactive::run(&client, args, &signalled);
        let result = result.map_err(|error| Failure::new(format!("the terminal is gone: {error}"), None));
        return exit(result?, args, None);
    }
    let speaker = Arc::clone(&client);
    let signalled = leave_on_signal(move || speaker.leave())?;
    if io::stdin().is_terminal() && !args.json {
        pipe::tell(&format!("Joining {}. Type a line to say it; Ctrl-D leaves.", args.address));
    }
    let Filtered { end, faults } = pipe::run(&client, args)
        .map_err(|error| Failure::new(format!("cannot write to stdout: {error}"), None))?;
    if matches!(end, ClientEnd::Left) && !faults.is_empty() {
        return Err(Failure::new(faults.join("; "), None));
    }
    let code = signalled.load(Ordering::Relaxed);
    exit(end, args, (code != 0 && !io::stdin().is_terminal()).then_some(code))
}

/// What the program tells its caller.
fn exit(end: ClientEnd, args: &ClientArgs, signalled: Option<u8>) -> Result<ExitCode, Failure> {
    let ClientArgs { transport, address, .. } = args;
    if let Some(failure) = tls::failure(&end, args) {
        return Err(failure);
    }
    let hint = match &end {
        ClientEnd::Left => return Ok(signalled.map_or(ExitCode::SUCCESS, ExitCode::from)),
        ClientEnd::NotFramed { .. } | ClientEnd::NoAnswer => {
            Some(format!("if it is a plain text server: chat client {transport} {address} --plain"))
        }
        ClientEnd::Lost { error, .. } if error.kind() == ErrorKind::ConnectionReset && !args.tls => {
            Some("if the server takes only TLS: --tls".to_owned())
        }
        ClientEnd::OtherVersion { .. } => Some("update the older of the two".to_owned()),
        _ => None,
    };
    Err(Failure::new(end, hint))
}

/// The first signal leaves in order, the second one at once. The result is the exit code that the signal asks for,
/// or 0.
fn leave_on_signal(leave: impl Fn() + Send + 'static) -> io::Result<Arc<AtomicU8>> {
    let signalled = Arc::new(AtomicU8::new(0));
    let code = Arc::clone(&signalled);
    signals::Watched::new()?.on_each(move |signal| {
        if code.swap(signal.exit_code(), Ordering::Relaxed) != 0 {
            terminal::give_back();
            std::process::exit(i32::from(signal.exit_code()));
        }
        leave();
        std::thread::spawn(|| {
            let _elapsed = crossbeam_channel::after(LEAVE_TIMEOUT).recv();
            // A terminal that takes nothing must not keep us.
            let (given_back, is_given_back) = bounded::<()>(0);
            std::thread::spawn(move || {
                terminal::give_back();
                drop(given_back);
            });
            let _given_back_or_stuck = is_given_back.recv_timeout(Duration::from_millis(100));
            pipe::tell("Left without knowing whether everything was said, or writing all that was heard");
            std::process::exit(1);
        });
    })?;
    Ok(signalled)
}

/// Asks something of the client without waiting: its thread may be waiting for us to take events.
fn ask(client: &Arc<Client>, what: impl FnOnce(&Client) -> Result<(), Ended> + Send + 'static) {
    let client = Arc::clone(client);
    std::thread::spawn(move || what(&client));
}

/// The end of a client whose thread has gone without telling why.
fn failed() -> ClientEnd {
    ClientEnd::Lost { error: io::Error::other("the client has failed"), unconfirmed: 0 }
}
