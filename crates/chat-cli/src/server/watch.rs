//! With `-v`: what happens to connections, as diagnostics.

use std::io;
use std::thread::Builder;

use chat_core::{Heard, TryRecvError};
use chat_proto::{Event, Name};
use tracing::field::display;

use super::observers::{Observers, RoomUpdate};

/// Tells what `observers` hear of members until the rooms are over.
///
/// # Errors
///
/// If the system has no thread to give.
pub(super) fn spawn(observers: Observers) -> io::Result<()> {
    Builder::new().name("chat-watch".to_owned()).spawn(move || {
        while observers.ready().recv().is_ok() {
            loop {
                match observers.try_recv() {
                    Ok(RoomUpdate { room, heard, .. }) => {
                        heard.iter().for_each(|heard| tell(room.as_ref(), heard));
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Closed) => return,
                }
            }
        }
    })?;
    Ok(())
}

/// `room` is told if the server has several.
fn tell(room: Option<&Name>, heard: &Heard) {
    let room = room.map(display);
    match heard {
        Heard::Entry(entry) => match &entry.event {
            Event::Joined { author, members, .. } => {
                tracing::info!(peer = %author, members, room, "joined");
            }
            Event::Left { author, reason, members, .. } => {
                tracing::info!(peer = %author, %reason, members, room, "left");
            }
            Event::Renamed { from, to, .. } => tracing::info!(peer = %from, name = %to, room, "renamed"),
            _ => {}
        },
        Heard::Missed(messages) => tracing::info!(messages, room, "more happened than could be told"),
        _ => {}
    }
}
