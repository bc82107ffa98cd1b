//! The same room over Unix-domain sockets: for the programs of one machine, which the system can tell apart.

mod client;
mod listener;
mod server;
mod stream;

pub use self::client::connect_unix;
pub use self::listener::UnixFile;
pub use self::server::{UnixServer, UnixTransport};
pub use self::stream::UnixSocket;
