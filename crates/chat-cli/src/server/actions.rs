//! What signals and operators have a server do: end in order, or read its files again.

use std::sync::Arc;
use std::time::Duration;

use chat_core::Room;

use super::bans::BanFile;
use super::reload::Reloader;
#[cfg(unix)]
use super::supervisor;
use crate::operator::ServerActions;

/// How long members may take to read what they are owed when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// The same when another server takes over. A client that is told tries again after 100 ms, and the listening sockets keep it
/// waiting until the next server accepts.
#[cfg(unix)]
const TAKE_OVER_GRACE: Duration = Duration::from_millis(300);

/// What a server can be asked to do.
pub(super) struct Actions {
    pub(super) room: Room,
    pub(super) reloader: Arc<Reloader>,
    pub(super) bans: Option<BanFile>,
}

impl ServerActions for Actions {
    fn reload(&self) -> Result<String, String> {
        self.reloader.reload()
    }

    fn store_bans(&self) -> Result<(), String> {
        self.bans.as_ref().map_or(Ok(()), BanFile::finish)
    }

    fn close(&self) {
        close(&self.room, "The server is stopping", GRACE);
    }

    #[cfg(unix)]
    fn close_for_next(&self) {
        close(&self.room, "The server restarts", TAKE_OVER_GRACE);
    }
}

/// Closes the room in order, and the server's other rooms.
fn close(room: &Room, farewell: &str, grace: Duration) {
    #[cfg(unix)]
    supervisor::stopping();
    match room.rooms() {
        Some(rooms) => rooms.close(farewell, grace),
        None => room.close(farewell, grace),
    }
}
