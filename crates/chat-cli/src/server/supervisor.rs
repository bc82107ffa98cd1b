//! What a service manager is told (`NOTIFY_SOCKET`), if there is one.

use std::io;
use std::thread::{Builder, park_timeout};

use chat_core::Rooms;
use sd_notify::NotifyState;

/// The server serves.
pub(super) fn ready(listening: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("listening on {listening}"))]);
}

/// The server begins to read its configuration again; [`ready`] ends that.
pub(super) fn reloading() {
    let now = NotifyState::monotonic_usec_now();
    tell(&[Some(NotifyState::Reloading), now.ok()].into_iter().flatten().collect::<Vec<_>>());
}

/// The server ends.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Tells that the server is alive as often as it is asked for, as long as every room answers.
///
/// # Errors
///
/// If the system has no thread to give.
pub(super) fn watch(rooms: &Rooms) -> io::Result<()> {
    let Some(timeout) = sd_notify::watchdog_enabled() else { return Ok(()) };
    let rooms = rooms.clone();
    Builder::new().name("chat-watchdog".to_owned()).spawn(move || {
        loop {
            for room in rooms.all() {
                let _answered = room.stats();
            }
            tell(&[NotifyState::Watchdog]);
            park_timeout(timeout / 3);
        }
    })?;
    Ok(())
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "cannot tell the service manager");
    }
}
