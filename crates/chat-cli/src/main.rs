//! `chat`: a chat room in one command.
//!
//! The binary knows flags, terminals and exit codes. Everything else is in the libraries, where an
//! embedder finds it too.

mod address;
mod args;
mod client;
mod diagnostics;
mod failure;
mod generate;
mod server;
mod signals;
mod terminal;
mod transport;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

fn main() -> ExitCode {
    let args = Args::parse();
    let is_interactive = terminal::is_interactive();
    let colour = match &args.command {
        Command::Server(args) => args.look.colour(),
        Command::Client(args) => args.look.colour(),
        Command::Completions(_) | Command::Man(_) => false,
    };
    // Whoever takes the terminal draws the lines himself.
    diagnostics::init(args.verbose, colour && !is_interactive && io::stderr().is_terminal());
    let result = match args.command {
        Command::Server(args) => server::run(&args, is_interactive),
        Command::Client(args) => client::run(&args, is_interactive),
        Command::Completions(args) => generate::completions(&args),
        Command::Man(args) => generate::man(&args),
    };
    match result {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
