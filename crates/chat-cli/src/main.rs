//! `chat`: a chat room in one command.
//!
//! The binary knows flags, terminals and exit codes. Everything else is in the libraries, where an
//! embedder finds it too.

mod address;
#[cfg(unix)]
mod admin;
mod args;
mod byte_order_mark;
mod certificate_dates;
mod client;
mod counted;
mod diagnostics;
mod doctor;
mod failure;
mod generate;
mod history;
mod operator;
mod room_commands;
mod server;
mod settings;
mod signals;
mod sink;
mod stdio;
mod terminal;
mod transport;
mod usage_hints;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::args::{Args, Command, LogFormat};
use crate::failure::Failure;
use crate::settings::{Settings, Unusable};

fn main() -> ExitCode {
    let typed: Vec<OsString> = std::env::args_os().collect();
    let arguments: Vec<String> =
        typed.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let result = match settings::read(typed) {
        Ok((args, settings)) => run(args, settings),
        Err(Unusable::Usage(error)) => return usage_hints::explain(*error, &arguments),
        Err(Unusable::File(refused)) => {
            let hint = "`chat server --print-config` prints a file with all settings".to_owned();
            Err(Failure::new(refused, Some(hint)))
        }
    };
    diagnostics::flush();
    result.unwrap_or_else(|failure| failure.report())
}

fn run(args: Args, settings: Settings) -> Result<ExitCode, Failure> {
    let format = match &args.command {
        Command::Server(args) => args.log_format,
        _ => LogFormat::Text,
    };
    diagnostics::init(args.verbose, format)?;
    let is_interactive = terminal::is_interactive();
    match args.command {
        Command::Server(args) => server::run(&args, settings, is_interactive),
        Command::Client(args) => client::run(&args, is_interactive),
        #[cfg(unix)]
        Command::Admin(args) => admin::run(&args, is_interactive),
        Command::Doctor(args) => doctor::run(&args),
        Command::History(args) => history::run(&args),
        Command::Completions(args) => generate::completions(&args),
        Command::Man(args) => generate::man(&args),
    }
}
