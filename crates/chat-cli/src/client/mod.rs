//! `chat client`: a terminal to a room, or a filter between stdin, stdout and a room.

mod command;
mod filter;
mod interactive;
mod json;
mod mention;
mod pending;
mod status;
mod view;

use std::io::{self, ErrorKind, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use chat_core::{Client, ClientConfig, ClientEnd, Ended};
use crossbeam_channel::bounded;

use crate::args::ClientArgs;
use crate::failure::Failure;
use crate::signals;
use crate::terminal;
use crate::transport;

/// Messages of the past that are asked for on a terminal; the server gives at most its own limit.
const HISTORY_ON_A_TERMINAL: u16 = 100;

pub(crate) fn run(args: &ClientArgs, is_interactive: bool) -> Result<ExitCode, Failure> {
    let is_interactive = is_interactive && !args.json && !terminal::is_in_background();
    let config = ClientConfig::default()
        .with_history(args.history.unwrap_or(if is_interactive { HISTORY_ON_A_TERMINAL } else { 0 }))
        .with_plain(args.plain)
        .with_reconnect(is_interactive || args.reconnect);
    let client = Arc::new(transport::connect(args.transport, &args.address, &config)?);
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
    let signalled = leave_on_signal(move || {
        speaker.leave();
    })?;
    if io::stdin().is_terminal() && !args.json {
        filter::tell(&format!("Connected to {}. Type a line to say it; Ctrl-D leaves.", args.address));
    }
    match filter::run(&client, args) {
        Ok(end) => {
            let code = signalled.load(Ordering::Relaxed);
            exit(end, args, (code != 0 && !io::stdin().is_terminal()).then_some(code))
        }
        // Whoever reads our output has enough of it.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::new(format!("cannot write to stdout: {error}"), None)),
    }
}

/// What the program tells its caller.
fn exit(end: ClientEnd, args: &ClientArgs, signalled: Option<u8>) -> Result<ExitCode, Failure> {
    match end {
        ClientEnd::Left => Ok(signalled.map_or(ExitCode::SUCCESS, ExitCode::from)),
        end @ ClientEnd::NotFramed { .. } => {
            let ClientArgs { transport, address, .. } = args;
            let hint = format!("if it is a plain text server: chat client {transport} {address} --plain");
            Err(Failure::new(end, Some(hint)))
        }
        end => Err(Failure::new(end, None)),
    }
}

/// The first signal leaves in order, the second one at once. The result is the exit code that the signal asks for,
/// or 0.
fn leave_on_signal(leave: impl Fn() + Send + 'static) -> io::Result<Arc<AtomicU8>> {
    let signalled = Arc::new(AtomicU8::new(0));
    let code = Arc::clone(&signalled);
    signals::on_each(move |signal| {
        if code.swap(signal.exit_code(), Ordering::Relaxed) != 0 {
            terminal::give_back();
            std::process::exit(i32::from(signal.exit_code()));
        }
        leave();
    })?;
    Ok(signalled)
}

/// Asks something of the client without waiting: its thread may be waiting for us to take events.
fn ask(client: &Arc<Client>, what: fn(&Client) -> Result<(), Ended>) {
    let client = Arc::clone(client);
    std::thread::spawn(move || what(&client));
}

/// The end of a client whose thread has gone without telling why.
fn failed() -> ClientEnd {
    ClientEnd::Lost { error: io::Error::other("the client has failed"), unconfirmed: 0 }
}
