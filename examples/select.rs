//! One thread waits for a room and for the program's own channels at the same time.

use std::error::Error;
use std::io::stdin;
use std::thread;
use std::time::Duration;

use chat_core::{Room, RoomConfig, TryRecvError};
use chat_tcp::{TcpConfig, TcpServer};
use crossbeam_channel::{bounded, select, tick};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5555".to_owned());
    let room = Room::new(RoomConfig::default());
    // A local member hears what is said after it joined. So it joins before anyone else can.
    let host = room.join("host")?;
    let server = TcpServer::bind(address, &room, &TcpConfig::default())?;
    println!("Listening on {}", server.local_addr());
    let running = server.spawn()?;

    let (typed, lines) = bounded(16);
    thread::spawn(move || stdin().lines().map_while(Result::ok).try_for_each(|line| typed.send(line)));
    let every_minute = tick(Duration::from_secs(60));
    loop {
        select! {
            // A token says that there may be something to hear. The entries themselves wait in the room's log.
            recv(host.ready()) -> _ => match host.try_recv() {
                Ok(heard) => println!("{heard}"),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Closed) => break,
            },
            recv(lines) -> line => match line {
                Ok(line) => drop(host.say(&line)?),
                Err(_) => break, // the end of input
            },
            recv(every_minute) -> _ => room.notice(&format!("{} are here", room.stats().members))?,
        }
    }
    room.close("The server is stopping", Duration::from_secs(5));
    running.join()?;
    Ok(())
}
