//! A transport of your own: a room behind a Unix-domain socket, for the programs of one machine.
//!
//! Run `cargo run -p chat-examples --example unix_socket`, then `nc -U chat.sock` or `socat - UNIX-CONNECT:chat.sock`
//! in other terminals. Ctrl-C ends it. The transport is in `transport/`, and docs/transport.md explains how to write
//! one.

use std::error::Error;

#[cfg(unix)]
mod transport;

#[cfg(unix)]
fn main() -> Result<(), Box<dyn Error>> {
    use chat_core::{Room, RoomConfig};
    use std::time::Duration;

    let path = std::env::args().nth(1).unwrap_or_else(|| "chat.sock".to_owned());
    let room = Room::new(RoomConfig::default());
    let transport =
        transport::UnixTransport::bind(&path, &room).map_err(|error| format!("{path}: {error}"))?;
    let closing = room.clone();
    ctrlc::set_handler(move || closing.close("The server is stopping", Duration::from_secs(5)))?;
    println!("Listening on {path}; join with: nc -U {path}");
    // Run on this thread until the room is closed and everyone was told.
    Ok(chat_core::transport::run(transport)?)
}

#[cfg(not(unix))]
fn main() -> Result<(), Box<dyn Error>> {
    Err("this system has no Unix-domain sockets that mio could poll; chat-tcp works everywhere".into())
}
