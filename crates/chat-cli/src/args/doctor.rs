//! `chat doctor`.

use clap::Parser;

use crate::address::Address;

/// Tell how a server can be reached, and what is in the way.
///
/// Tries TCP, TLS, WebSocket and UDP at each address of the host, and measures the round trip and the loss. Joins no room: nobody
/// there notices.
#[derive(Debug, Parser)]
#[command(after_help = "\
Examples:
  chat doctor 127.0.0.1:5555
  chat doctor chat.example.org

Exit codes: 0 members can come in, and nothing is wrong; 1 something is, or
nobody can; 2 wrong usage.")]
pub(crate) struct DoctorArgs {
    /// Where the server is
    #[arg(value_name = "HOST:PORT")]
    pub(crate) address: Address,
}
