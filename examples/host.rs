//! A room over TCP and UDP. Its host speaks, listens, kicks and moderates, and adds a command of its own.
//!
//! Type a line to say it, or `/help` for the commands of an operator (`/kick NAME`). The end of input closes the
//! room. Any member may type `/roll 2d6`.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::io::stdin;
use std::thread;
use std::time::Duration;

use chat_core::commands::{Caller, CommandTable, Reply, RoomCommand};
use chat_core::{LocalMember, Moderator, Offer, Room, RoomConfig, Running, Verdict};
use chat_tcp::{TcpConfig, TcpServer};
use chat_udp::{UdpConfig, UdpServer};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5555".to_owned());
    let commands = CommandTable::default().with(RoomCommand::new("roll", "2d6", "Roll dice", roll));
    let config = RoomConfig::default().with_moderator(Moderator::new(moderate)).with_commands(commands);
    let room = Room::new(config);
    // Join before anyone else can, so that this member hears of everyone.
    let ears = room.join("ears")?;
    let listener = thread::spawn(move || listen(&ears));
    let mut running = Running::new(&room);
    let tcp = TcpServer::bind(address, &room, &TcpConfig::default())?;
    let udp = UdpServer::bind(tcp.local_addr(), &room, &UdpConfig::default())?;
    println!("Listening on {}", tcp.local_addr());
    tcp.spawn_into(&mut running)?;
    udp.spawn_into(&mut running)?;

    let host = room.join("host")?;
    host.set_operator(true);
    for line in stdin().lines() {
        let line = line?;
        match line.strip_prefix('/') {
            Some(command) => host.command(command)?.lines.iter().for_each(|answer| println!("{answer}")),
            None => drop(host.say(&line)?),
        }
    }
    room.close("The host has gone home", Duration::from_secs(5));
    running.join()?;
    listener.join().map_err(|_| "the listener has panicked")?;
    Ok(())
}

/// Prints everything until the room is closed and everything is read.
fn listen(ears: &LocalMember) {
    while let Ok(heard) = ears.recv() {
        println!("{heard}");
    }
}

/// Rolls up to 20 dice of up to 100 sides.
fn roll(_: &Caller<'_>, dice: &str) -> Reply {
    let numbers =
        dice.split_once('d').and_then(|(count, sides)| Some((count.parse().ok()?, sides.parse().ok()?)));
    let Some((count @ 1..=20, sides @ 1..=100)) = numbers else {
        return Reply::line("Type /roll 2d6: two dice of six sides");
    };
    let throw = |_: u64| RandomState::new().hash_one(dice) % sides + 1;
    Reply::say(format!("rolls {dice}: {}", (0..count).map(throw).sum::<u64>()))
}

/// Refuses texts with one word, and replaces another word by a nicer one.
fn moderate(offer: &Offer<'_>) -> Verdict {
    match offer.text.as_str() {
        said if said.contains("spam") => Verdict::refuse("no spam in here"),
        said if said.contains("damn") => Verdict::change(&said.replace("damn", "dear")),
        _ => Verdict::Accept,
    }
}
