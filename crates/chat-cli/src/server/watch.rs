//! With `-v`: what happens to connections, as diagnostics.
//!
//! A local member of the room like any other, so that nobody waits for it.

use std::io;
use std::thread::Builder;

use chat_core::{Heard, LocalMember};
use chat_proto::Event;

/// Tells what `local` hears of members until the room is over.
///
/// # Errors
///
/// If the system has no thread to give.
pub(super) fn spawn(local: LocalMember) -> io::Result<()> {
    Builder::new().name("chat-watch".to_owned()).spawn(move || {
        while let Ok(heard) = local.recv() {
            match heard {
                Heard::Entry(entry) => match &entry.event {
                    Event::Joined { author, members, .. } => {
                        tracing::info!(peer = %author, members, "joined");
                    }
                    Event::Left { author, reason, members, .. } => {
                        tracing::info!(peer = %author, %reason, members, "left");
                    }
                    _ => {}
                },
                Heard::Missed(messages) => tracing::info!(messages, "more happened than could be told"),
                _ => {}
            }
        }
    })?;
    Ok(())
}
