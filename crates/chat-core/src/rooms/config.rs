//! The configuration of all rooms of a server.

use std::sync::Arc;

use chat_proto::Name;

use crate::config::RoomConfig;

/// The configuration of all rooms of a server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RoomsConfig {
    pub(crate) room: Arc<RoomConfig>,
    pub(crate) names: Vec<Name>,
    pub(crate) open_max: usize,
    pub(crate) open_per_address_max: usize,
    pub(crate) logs_bytes_max: usize,
}

impl RoomsConfig {
    /// Adds a permanent room. A peer that names no room begins in the first one. Default: one, `lobby`.
    #[must_use]
    pub fn with_room(mut self, name: Name) -> Self {
        self.names.push(name);
        self
    }

    /// The configuration of each room. Its limits of members hold for all rooms together. Its gate and bans are shared.
    #[must_use]
    pub fn with_room_config(mut self, room: RoomConfig) -> Self {
        self.room = Arc::new(room);
        self
    }

    /// Further rooms that members may have open at once. Default: none.
    #[must_use]
    pub fn with_open_max(mut self, open_max: usize) -> Self {
        self.open_max = open_max;
        self
    }

    /// Rooms among them that one IPv4 address, or IPv6 /64 network, may have opened. Loopback is exempt as from the
    /// other limits ([`RoomConfig::with_limit_loopback`]). Default: 10.
    #[must_use]
    pub fn with_open_per_address_max(mut self, open_per_address_max: usize) -> Self {
        self.open_per_address_max = open_per_address_max;
        self
    }

    /// The value of [`with_open_per_address_max`](Self::with_open_per_address_max).
    #[must_use]
    pub fn open_per_address_max(&self) -> usize {
        self.open_per_address_max
    }

    /// Bytes that the logs of all rooms may hold together, and each encoded copy of them (one per wire format and I/O
    /// thread). Each room gets an equal share, at most what [`RoomConfig::with_log_bytes_max`] says. Default 64 MiB. A
    /// share is never smaller than [`RoomConfig::LOG_BYTES_MIN`].
    #[must_use]
    pub fn with_logs_bytes_max(mut self, logs_bytes_max: usize) -> Self {
        self.logs_bytes_max = logs_bytes_max;
        self
    }
}

impl Default for RoomsConfig {
    fn default() -> Self {
        Self {
            room: Arc::default(),
            names: Vec::new(),
            open_max: 0,
            open_per_address_max: 10,
            logs_bytes_max: 64 * 1024 * 1024,
        }
    }
}
