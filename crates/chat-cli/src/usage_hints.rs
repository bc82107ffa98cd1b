//! Tips: what to type when an argument is not understood.

use std::io;
use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::args::Args;
use crate::failure::Failure;

/// Prints what is wrong with the command line, and what people usually mean by it.
pub(crate) fn explain(mut error: clap::Error, arguments: &[String]) -> ExitCode {
    let misunderstood = match error.kind() {
        ErrorKind::UnknownArgument => error.get(ContextKind::InvalidArg),
        ErrorKind::InvalidValue => error.get(ContextKind::InvalidValue),
        _ => None,
    };
    if let Some(ContextValue::String(misunderstood)) = misunderstood {
        match tip(misunderstood, arguments) {
            Some(tip) => {
                error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
            }
            // clap advises to pass a flag that it does not know as a value.
            None => drop(error.remove(ContextKind::Suggested)),
        }
    }
    let is_help = !error.use_stderr();
    match error.print() {
        Err(failed) if is_help && failed.kind() != io::ErrorKind::BrokenPipe => {
            return Failure::new(format!("cannot write to stdout: {failed}"), None).report();
        }
        // If the reader is gone, or stderr, there is nobody to tell.
        _ => {}
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// What to type instead of an argument that is not understood.
fn tip(unknown: &str, arguments: &[String]) -> Option<String> {
    let is_port = |text: &str| text.parse::<u16>().is_ok();
    let index = arguments.iter().position(|argument| argument.split('=').next() == Some(unknown))?;
    let given = arguments[index]
        .split_once('=')
        .map(|(_, value)| value)
        .or_else(|| arguments.get(index + 1).filter(|next| !next.starts_with('-')).map(String::as_str));
    match (arguments.get(1).map(String::as_str)?, unknown) {
        ("client", port) if is_port(port) && index > 3 => {
            Some(format!("write host and port as one: {}", joined(&arguments[index - 1], port)))
        }
        ("client", "udp" | "tcp") => Some("a client takes one transport".to_owned()),
        ("client", "--port" | "-p") => {
            let port = given.filter(|port| is_port(port)).unwrap_or("5555");
            let transport = arguments.get(2).map_or("tcp", String::as_str);
            Some(format!("the port belongs to the address: chat client {transport} HOST:{port}"))
        }
        ("client", "--host" | "-h" | "--bind") => {
            Some("the address stands alone: chat client tcp HOST:PORT".to_owned())
        }
        ("server", "--port" | "-p") => {
            let port = given.filter(|port| is_port(port)).unwrap_or("5555");
            Some(format!("the port belongs to the address: --bind 127.0.0.1:{port}"))
        }
        ("server", "--host" | "--listen" | "--address") => {
            Some(format!("'--bind {}' is the address to listen on", given.unwrap_or("127.0.0.1:5555")))
        }
        ("client", address) if index == 2 && (address.contains([':', '.']) || address == "localhost") => {
            Some(format!("the transport stands before the address: chat client tcp {address}"))
        }
        ("server", address) if address.contains([':', '.']) || is_port(address) => {
            let address = if is_port(address) { joined("127.0.0.1", address) } else { address.to_owned() };
            Some(format!("'--bind {address}' is the address to listen on"))
        }
        (command, flag) => {
            let owner = owner(flag)?;
            (owner != command).then(|| format!("'{flag}' is for 'chat {owner}'"))
        }
    }
}

/// The command that has this flag.
fn owner(flag: &str) -> Option<String> {
    let flag = flag.strip_prefix("--")?;
    let chat = Args::command();
    let mut commands = chat.get_subcommands();
    let owner =
        commands.find(|command| command.get_arguments().any(|known| known.get_long() == Some(flag)))?;
    Some(owner.get_name().to_owned())
}

fn joined(host: &str, port: &str) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
