//! A room over TCP and UDP whose host speaks, listens, kicks and moderates.
//!
//! Type a line to say it, `/kick ADDRESS` to put someone out; the end of input closes the room.

use std::error::Error;
use std::io::stdin;
use std::thread;
use std::time::Duration;

use chat_core::{Heard, LocalMember, Moderator, Offer, Room, RoomConfig, Running, Verdict};
use chat_proto::Text;
use chat_tcp::{TcpConfig, TcpServer};
use chat_udp::{UdpConfig, UdpServer};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5555".to_owned());
    let room = Room::new(RoomConfig::default().with_moderator(Moderator::new(moderate)));
    // Taken before anyone can come, so that it hears of everyone.
    let ears = room.join("ears".parse()?)?;
    let listener = thread::spawn(move || listen(&ears));
    let mut running = Running::new(&room);
    let tcp = TcpServer::bind(address, &room, &TcpConfig::default())?;
    let udp = UdpServer::bind(tcp.local_addr(), &room, &UdpConfig::default())?;
    println!("Listening on {}", tcp.local_addr());
    tcp.spawn_into(&mut running)?;
    udp.spawn_into(&mut running)?;

    let host = room.join("host".parse()?)?;
    for line in stdin().lines() {
        let line = line?;
        match line.strip_prefix("/kick ") {
            Some(peer) => match peer.parse() {
                Ok(peer) => {
                    room.kick(peer, "the host has had enough").unwrap_or_else(|error| println!("{error}"));
                }
                Err(error) => println!("{peer}: {error}"),
            },
            None => drop(host.say(&line)?),
        }
    }
    room.close("The host has gone home", Duration::from_secs(5));
    running.join()?;
    listener.join().map_err(|_| "the listener has panicked")?;
    Ok(())
}

/// Prints everything until the room is closed and all is read.
fn listen(ears: &LocalMember) {
    while let Ok(heard) = ears.recv() {
        match heard {
            Heard::Entry(entry) => println!("{}", entry.event),
            Heard::Missed(messages) => println!("(missed {messages} messages)"),
        }
    }
}

/// Answers a command, keeps one word out, and makes another one nicer.
fn moderate(offer: &Offer<'_>) -> Verdict {
    let text = |text: &str| Text::one_line(text).unwrap_or_default();
    match offer.text.as_str() {
        "/help" => Verdict::Refuse(text("Type a line, and everyone sees it")),
        said if said.contains("spam") => Verdict::Refuse(text("no spam in here")),
        said if said.contains("damn") => Verdict::Change(text(&said.replace("damn", "dear"))),
        _ => Verdict::Accept,
    }
}
