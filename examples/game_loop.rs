//! A game with a chat in it. Once per frame it serves the network and reads what was said. It has no threads and
//! waits only for the next frame.

use std::error::Error;
use std::time::{Duration, Instant};

use chat_core::transport::{Transport, Turn};
use chat_core::{Heard, LocalMember, Room, RoomConfig};
use chat_proto::Event;
use chat_tcp::{TcpConfig, TcpServer};

const FRAME: Duration = Duration::from_millis(16);

/// How much chat is read per frame. The rest waits for the next frame.
const HEARD_PER_FRAME_MAX: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5555".to_owned());
    let room = Room::new(RoomConfig::default());
    let config = TcpConfig::default().with_threads(1);
    let server = TcpServer::bind(address, &room, &config)?;
    println!("The game listens on {}; say jump, or quit", server.local_addr());
    let mut transport = server.into_transports().pop().ok_or("a server has a transport")?;
    let game = room.join("game")?;

    let mut height = 0;
    for frame in 1_u64.. {
        let next = now() + FRAME;
        update(&game, frame, &mut height)?;
        // The rest of the frame belongs to the network. It always gets one turn, however late the frame is.
        loop {
            if transport.turn(Some(next))? == Turn::Done {
                return Ok(());
            }
            if now() >= next {
                break;
            }
        }
    }
    Ok(())
}

/// One step of the world: first what was said since the last step, then gravity.
fn update(game: &LocalMember, frame: u64, height: &mut u32) -> Result<(), Box<dyn Error>> {
    for _ in 0..HEARD_PER_FRAME_MAX {
        let Ok(Heard::Entry(entry)) = game.try_recv() else { break };
        let Event::Said { author, text, .. } = &entry.event else { continue };
        match text.as_str() {
            "jump" => {
                *height = 10;
                game.say(&format!("{author} jumps in frame {frame}"))?;
            }
            "quit" => game.room().close("The game is over", Duration::from_secs(5)),
            _ => {}
        }
    }
    *height = height.saturating_sub(1);
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a game has a clock")]
fn now() -> Instant {
    Instant::now()
}
