//! A member that answers, on any server: `!roll` throws a die, `!count` tells how many messages the bot has heard.

use std::error::Error;

use chat_core::{ClientConfig, ClientEvent};
use chat_proto::{Entry, Event};

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5555".to_owned());
    // A bot should outlive a restart of its server.
    let bot = chat_tcp::connect(address, &ClientConfig::default().with_reconnect(true))?;
    let mut heard = 0_u64;
    for event in bot.events() {
        match event {
            ClientEvent::Connected { welcome, .. } => println!("joined as {}", welcome.you),
            // The bot's own messages come back, too. If it answered those, it could go on for ever.
            ClientEvent::Entry { entry, own: false } => {
                heard += u64::from(entry.event.is_message());
                if let Some(answer) = answer(&entry, heard) {
                    // Do not wait. If too much is on its way already, drop this answer.
                    let _busy = bot.try_say(&answer);
                }
            }
            ClientEvent::Lost { error, retry_in } => println!("{error}; trying again in {retry_in:?}"),
            ClientEvent::Ended(end) => println!("ended: {end}"),
            _ => {}
        }
    }
    Ok(())
}

fn answer(entry: &Entry, heard: u64) -> Option<String> {
    let Event::Said { author, text, .. } = &entry.event else { return None };
    match text.as_str() {
        "!roll" => Some(format!("{author} rolls a {}", 1 + entry.at_ms % 6)),
        "!count" => Some(format!("I have heard {heard} messages")),
        _ => None,
    }
}
