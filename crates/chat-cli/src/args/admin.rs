//! `chat admin`.

use std::path::PathBuf;

use clap::Parser;

use super::LookArgs;

/// Look after a running server.
///
/// Has a server on this machine do a command of its console, such as `who`, `ban` or `say`; `help` lists
/// them. Without a command it is the console itself: a line that begins with `/` is a command, every other one is said to
/// everyone. The same holds for the lines of a pipe. Ctrl-D leaves; the server goes on.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  chat admin                               # the console of your only server
  chat admin who
  chat admin kick 192.0.2.7:50312 no spam please
  chat admin say 'The server restarts at five'
  printf '/ban 192.0.2.7\\n/bans\\n' | chat admin
  chat admin --socket /run/chat/control stats

Exit codes: 0 done; 1 refused, or no server (the reason is on stderr); 2 wrong
usage.")]
pub(crate) struct AdminArgs {
    /// The server's control socket [default: that of your only server]
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// A command of the console, with or without its slash
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
    #[command(flatten)]
    pub(crate) look: LookArgs,
}
