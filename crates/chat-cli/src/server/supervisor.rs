//! What a service manager is told (`NOTIFY_SOCKET`), if there is one.

use std::io;
use std::thread::{Builder, park_timeout};
use std::time::Duration;

use chat_core::Rooms;
use sd_notify::NotifyState;

/// However short the time of the watchdog is.
const WATCHDOG_PAUSE_MIN: Duration = Duration::from_millis(10);

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
    let Some(timeout) = sd_notify::watchdog_enabled().filter(|timeout| !timeout.is_zero()) else {
        return Ok(());
    };
    let pause = (timeout / 3).max(WATCHDOG_PAUSE_MIN);
    let rooms = rooms.clone();
    Builder::new().name("chat-watchdog".to_owned()).spawn(move || {
        let mut is_failing = false;
        loop {
            for room in rooms.all() {
                let _answered = room.stats();
            }
            match sd_notify::notify(&[NotifyState::Watchdog]) {
                Ok(()) => is_failing = false,
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        warn(&error);
                    }
                }
            }
            park_timeout(pause);
        }
    })?;
    Ok(())
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn(&error);
    }
}

fn warn(error: &io::Error) {
    tracing::warn!(%error, "cannot tell the service manager");
}
