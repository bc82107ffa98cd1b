//! A room without any network: the threads of one program talk.

use std::error::Error;
use std::thread;

use chat_core::{Heard, LocalMember, Room, RoomConfig};
use chat_proto::Event;

fn main() -> Result<(), Box<dyn Error>> {
    let room = Room::new(RoomConfig::default());
    // A local member hears what is said after it joined. So all join before anyone speaks.
    let log = room.join("log")?;
    let workers = [room.join("ann")?, room.join("bob")?, room.join("eve")?];
    thread::scope(|scope| {
        for worker in workers {
            scope.spawn(move || work(&worker));
        }
        // Everyone sees the same messages in the same order. This thread prints them.
        let mut done = 0;
        while done < 3 {
            let Ok(Heard::Entry(entry)) = log.recv() else { break };
            println!("{} {}", entry.seq, entry.event);
            done += usize::from(matches!(&entry.event, Event::Said { text, .. } if text.as_str() == "done"));
        }
    });
    Ok(())
}

fn work(local: &LocalMember) {
    for part in 1..=3 {
        // The only error is a room that closes.
        let _closing = local.say(&format!("part {part} of mine is ready"));
    }
    let _closing = local.say("done");
}
