//! A room that goes on where it stopped and can be searched. Run this twice.
//!
//! ```sh
//! cargo run -p chat-examples --example history
//! ```

use chat_core::journal::Filter;
use chat_core::{Heard, Room, RoomConfig};
use chat_store::{Store, StoreConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "example-history.db".to_owned());
    let store = Store::open(path, StoreConfig::default())?;
    let room = Room::restore(RoomConfig::default(), &store)?;
    println!("there were {} messages", room.stats().messages);

    let bot = room.join("bot")?;
    bot.say("the tea is ready")?;
    // Once everyone hears the message, including the bot, it is in the file.
    while let Ok(heard) = bot.recv() {
        match heard {
            Heard::Entry(entry) if entry.event.to_string() == "[bot] the tea is ready" => break,
            Heard::Direct(item) => return Err(format!("not kept: {item}").into()),
            _ => {}
        }
    }
    let filter = Filter { words: Some("tea".to_owned()), author: None };
    for message in room.search(u64::MAX, 3, filter)?.messages {
        println!("{} {}", message.seq, message.event);
    }
    Ok(())
}
