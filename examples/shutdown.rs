//! The host ends the room in order on Ctrl-C or SIGTERM. Everyone gets all messages and a goodbye.

use std::error::Error;
use std::time::Duration;

use chat_core::{Room, RoomConfig};
use chat_tcp::{TcpConfig, TcpServer};

/// How long members may take to read the rest.
const GRACE: Duration = Duration::from_secs(5);

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5555".to_owned());
    let room = Room::new(RoomConfig::default());
    let server = TcpServer::bind(address, &room, &TcpConfig::default())?;
    let address = server.local_addr();
    let running = server.spawn()?;

    let closing = room.clone();
    // This returns at once. It only says that the room is closing. Nobody can join any more, and nothing more is
    // said.
    ctrlc::set_handler(move || closing.close("See you tomorrow", GRACE))?;
    println!("Listening on {address}; Ctrl-C ends it");

    // Every member was sent all messages and the reason why it must go. A member that did not read them in time was
    // cut off.
    running.join()?;
    let stats = room.stats();
    println!("{} messages were said by {} members", stats.messages, stats.joined);
    Ok(())
}
