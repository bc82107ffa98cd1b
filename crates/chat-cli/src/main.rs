//! `chat`: a chat room in one command.
//!
//! The binary knows flags, terminals and exit codes. Everything else is in the libraries, where an
//! embedder finds it too.

mod address;
mod args;
mod client;
mod console;
mod failure;
mod server;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(if args.verbose { tracing::Level::DEBUG } else { tracing::Level::WARN })
        .with_target(false)
        .init();
    let result = match args.command {
        Command::Server(args) => server::run(&args),
        Command::Client(args) => client::run(&args),
    };
    match result {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
