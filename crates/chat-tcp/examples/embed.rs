//! A room over TCP inside a program of one's own: the program is a member too.

use chat_core::{Room, RoomConfig};
use chat_tcp::{TcpConfig, TcpServer};

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let room = Room::new(RoomConfig::default());
    let host = room.join("host")?; // a membership inside this process
    let running = TcpServer::bind("127.0.0.1:5555", &room, &TcpConfig::default())?.spawn()?;
    host.say("welcome")?;
    while let Ok(heard) = host.recv() {
        println!("{heard}");
    }
    running.join()?;
    Ok(())
}
