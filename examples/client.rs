//! A client as a library, over TCP or UDP with one API. It says what is typed and prints what it hears.

use std::error::Error;
use std::io::stdin;
use std::sync::Arc;
use std::thread;

use chat_core::{Client, ClientConfig, ClientEnd, ClientEvent};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let transport = arguments.next().unwrap_or_else(|| "tcp".to_owned());
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:5555".to_owned());
    let config = ClientConfig::default().with_history(10);
    let client = Arc::new(match transport.as_str() {
        "tcp" => chat_tcp::connect(address, &config)?,
        "udp" => chat_udp::connect(address, &config)?,
        other => return Err(format!("{other} is no transport: say tcp or udp").into()),
    });
    let speaker = Arc::clone(&client);
    thread::spawn(move || speak(&speaker));
    for event in client.events() {
        match event {
            ClientEvent::Entry { entry, .. } => println!("{}", entry.event),
            ClientEvent::Missed(messages) => println!("(missed {messages} messages)"),
            // Everything that was said is confirmed, so the room has it.
            ClientEvent::Ended(ClientEnd::Left) => return Ok(()),
            ClientEvent::Ended(end) => return Err(end.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Says every line of input, then leaves once everything is confirmed. An error means that the client has ended. Its
/// last event says why.
fn speak(client: &Client) {
    for line in stdin().lines().map_while(Result::ok) {
        if client.say(&line).is_err() {
            return;
        }
    }
    let _ended = client.finish();
}
