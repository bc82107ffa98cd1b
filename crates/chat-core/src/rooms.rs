//! The rooms of one server.

pub(crate) mod config;
mod making;
pub(crate) mod open_rooms;
pub(crate) mod pending_room;

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, PoisonError, Weak};
use std::time::Duration;

use chat_proto::{Name, PeerAddr, Text};

use crate::access::admission::Admission;
use crate::access::opening::Opening;
use crate::config::RoomConfig;
use crate::error::RoomError;
use crate::journal::{JournalError, Journals};
use crate::limits::ROOMS_MAX;
use crate::room::Room;
use crate::rooms::config::RoomsConfig;
use crate::rooms::open_rooms::OpenRooms;
use crate::rooms::pending_room::{PendingRoom, open_now};
use crate::stats::{Stats, TransportStats};
use crate::sync::Mutex;
use crate::world::World;

/// The rooms of one server, each with its own log, names, topic and history. They share the limits of members, the gate
/// and the bans.
///
/// `Rooms` is a handle: clones share the rooms. A transport serves all of them; a member is in one at a time.
/// Configured rooms are permanent. If the server allows it ([`RoomsConfig::with_open_max`]), the first member that
/// joins another room opens it, and the room vanishes with its last member.
///
/// A single [`Room`] converts into `Rooms`, so a server with one room never needs this type.
///
/// ```
/// use chat_core::{Rooms, RoomsConfig};
///
/// let config = RoomsConfig::default().with_room("lobby".parse()?).with_room("dev".parse()?).with_open_max(10);
/// let rooms = Rooms::new(config)?;
/// assert_eq!(rooms.first().name().map(ToString::to_string).as_deref(), Some("lobby"));
/// let games = rooms.open(&"games".parse()?)?; // made now
/// assert_eq!(rooms.list().len(), 3);
/// drop(games); // nobody is in it
/// assert_eq!(rooms.list().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Rooms(Arc<Inner>);

/// One room. `Display` is its line in `/rooms`: `dev, 2 members: the topic`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomInfo {
    /// Its name; `None` for a room that is the only one.
    pub name: Option<Name>,
    /// How many members are in it, local ones not counted.
    pub members: usize,
    /// Its topic.
    pub topic: Option<Text>,
}

pub(crate) struct Inner {
    /// [`Rooms::reconfigure`] changes the part about each room.
    config: Mutex<RoomsConfig>,
    admission: Arc<Admission>,
    /// The permanent rooms, in the order in which they were configured.
    configured: Vec<Room>,
    /// Where each is among them, by the skeleton of its name.
    by_skeleton: HashMap<String, usize>,
    /// Makes the world of each room.
    world: Box<dyn Fn() -> World + Send + Sync>,
    journals: Option<Arc<dyn Journals>>,
    /// The rooms that members have opened. Its members keep a room alive.
    open: Mutex<OpenRooms>,
    /// Called with each room that is opened.
    on_open: OnceLock<Box<OnOpen>>,
    /// Handles on those among them that stay without members.
    added: Mutex<Vec<Room>>,
}

type OnOpen = dyn Fn(&Room) + Send + Sync;

impl Rooms {
    /// The rooms that are configured, empty.
    ///
    /// # Errors
    ///
    /// [`RoomError::TooMany`] for more than [`ROOMS_MAX`] rooms, those that may be opened included;
    /// [`RoomError::Twice`] if two have the same name, or names that look alike.
    pub fn new(config: RoomsConfig) -> Result<Self, RoomError> {
        Self::in_worlds(config, World::real)
    }

    /// Like [`new`](Self::new), with each room in a world of your own, as in [`Room::in_world`].
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn in_worlds(
        config: RoomsConfig,
        world: impl Fn() -> World + Send + Sync + 'static,
    ) -> Result<Self, RoomError> {
        Self::build(config, Box::new(world), None)
    }

    /// The rooms that are configured, each of which goes on where it stopped, as [`Room::restore`] does it. Rooms that
    /// members have opened do so when they are opened again.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and [`RoomError::Journal`] if the past of a room cannot be read.
    pub fn restore(config: RoomsConfig, journals: Arc<dyn Journals>) -> Result<Self, RoomError> {
        Self::build(config, Box::new(World::real), Some(journals))
    }

    fn build(
        mut config: RoomsConfig,
        world: Box<dyn Fn() -> World + Send + Sync>,
        journals: Option<Arc<dyn Journals>>,
    ) -> Result<Self, RoomError> {
        if config.names.is_empty() {
            config.names.push("lobby".parse().expect("it is a name"));
        }
        let rooms_max = config.names.len() + config.open_max;
        if rooms_max > ROOMS_MAX {
            return Err(RoomError::TooMany { rooms: rooms_max });
        }
        let mut by_skeleton = HashMap::new();
        for (place, name) in config.names.iter().enumerate() {
            for skeleton in name.lookalikes() {
                if by_skeleton.insert(skeleton, place).is_some_and(|other| other != place) {
                    return Err(RoomError::Twice { name: name.clone() });
                }
            }
        }
        let share = (config.logs_bytes_max / rooms_max).max(RoomConfig::LOG_BYTES_MIN);
        let room = Arc::make_mut(&mut config.room);
        room.log_bytes_max = room.log_bytes_max.min(share);
        let admission = Arc::new(Admission::new(&config.room));
        let mut failed = None;
        let rooms = Self(Arc::new_cyclic(|rooms| {
            let make = |name: &Name| {
                let (admission, rooms) = (Arc::clone(&admission), rooms.clone());
                let log_bytes_max = config.room.log_bytes_max;
                let open = |journals| open_now(journals, Some(name.clone()), log_bytes_max);
                let opened = journals.as_deref().map(open).transpose()?;
                Ok(Room::in_rooms(Arc::clone(&config.room), world(), name.clone(), admission, rooms, opened))
            };
            let configured = config.names.iter().map(make).collect::<Result<Vec<Room>, JournalError>>();
            let configured = configured.unwrap_or_else(|error| {
                failed = Some(error);
                Vec::new()
            });
            Inner {
                configured,
                by_skeleton,
                admission,
                world,
                journals,
                open: Mutex::default(),
                on_open: OnceLock::new(),
                added: Mutex::default(),
                config: Mutex::new(config.clone()),
            }
        }));
        failed.map_or(Ok(rooms), |error| Err(RoomError::Journal(error)))
    }

    /// The room where a peer begins if it names none.
    #[must_use]
    pub fn first(&self) -> Room {
        self.0.configured[0].clone()
    }

    /// The room of this name, or one that looks like it, if there is one.
    #[must_use]
    pub fn get(&self, name: &Name) -> Option<Room> {
        let place = name.lookalikes().iter().find_map(|skeleton| self.0.by_skeleton.get(skeleton).copied());
        place.map(|place| self.0.configured[place].clone()).or_else(|| {
            let open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.get(name)
        })
    }

    /// The room of this name. If there is none, it is opened, if the server allows that. It exists as long as somebody
    /// has a handle on it, as the transports of its members do. Waits for the room's journal, if it has one.
    ///
    /// # Errors
    ///
    /// [`RoomError::NotThere`] if rooms cannot be opened, [`RoomError::TooManyOpen`] if there are as many as there may
    /// be, [`RoomError::Journal`] if its past cannot be read.
    pub fn open(&self, name: &Name) -> Result<Room, RoomError> {
        self.open_soon(name)?.wait()
    }

    /// As [`open`](Self::open), without waiting for the room's journal: for an I/O thread.
    ///
    /// # Errors
    ///
    /// [`RoomError::NotThere`], [`RoomError::TooManyOpen`]. Whether the past can be read shows later.
    pub fn open_soon(&self, name: &Name) -> Result<PendingRoom, RoomError> {
        self.open_for(name, None)
    }

    /// As [`open_soon`](Self::open_soon), for a peer at this address.
    ///
    /// # Errors
    ///
    /// As [`open_soon`](Self::open_soon), and [`RoomError::AddressFull`].
    pub(crate) fn open_for(&self, name: &Name, peer: Option<PeerAddr>) -> Result<PendingRoom, RoomError> {
        if let Some(room) = self.get(name) {
            return Ok(room.into());
        }
        let config = self.config();
        if config.open_max == 0 || self.first().name().is_none() {
            return Err(RoomError::NotThere { name: name.clone() });
        }
        let added = self.0.added.lock().unwrap_or_else(PoisonError::into_inner).len();
        let opener = peer.and_then(|peer| self.0.admission.network(peer));
        self.begin(name, &config, config.open_max + added, opener)
    }

    /// Adds a permanent room while the server runs; one that members have opened is permanent from now on. Its log gets
    /// the same share as the others, on top of [`RoomsConfig::with_logs_bytes_max`].
    ///
    /// # Errors
    ///
    /// [`RoomError::TooMany`] beyond [`ROOMS_MAX`]; [`RoomError::NotThere`] if the server has a single room without a
    /// name.
    pub fn add(&self, name: &Name) -> Result<(), RoomError> {
        if self.first().name().is_none() {
            return Err(RoomError::NotThere { name: name.clone() });
        }
        let config = self.config();
        let mut added = self.0.added.lock().unwrap_or_else(PoisonError::into_inner);
        let rooms = self.0.configured.len() + config.open_max + added.len() + 1;
        if rooms > ROOMS_MAX {
            return Err(RoomError::TooMany { rooms });
        }
        let room = match self.get(name) {
            Some(room) if self.0.configured.contains(&room) || added.contains(&room) => return Ok(()),
            Some(room) => room,
            None => self.begin(name, &config, ROOMS_MAX, None)?.wait()?,
        };
        added.push(room);
        Ok(())
    }

    /// /// Takes over the options of a room that can change while members are there, for all present and later rooms:
    /// the limits of /// members (members beyond a lower one stay), the rate limit, how much history a member may ask
    /// for, and the operators' /// password.
    pub fn reconfigure(&self, to: &RoomConfig) {
        self.0.admission.set_limits(to);
        let take_over = |config: &mut Arc<RoomConfig>| Arc::make_mut(config).take_over(to);
        take_over(&mut self.0.config.lock().unwrap_or_else(PoisonError::into_inner).room);
        for room in self.all() {
            take_over(&mut room.lock().config);
        }
    }

    /// Calls `on_open` with each room that is opened from now on, before anyone is in it, so that an
    /// [`Observer`](crate::Observer) misses nothing. It must be quick, and must not use the rooms. There is one; a
    /// later one is ignored.
    pub fn on_open(&self, on_open: impl Fn(&Room) + Send + Sync + 'static) {
        let _set_before = self.0.on_open.set(Box::new(on_open));
    }

    fn config(&self) -> RoomsConfig {
        self.0.config.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The room that the hello of a peer at this address asks for: the first one if it names none, otherwise as
    /// [`open_soon`](Self::open_soon) does.
    ///
    /// # Errors
    ///
    /// Why the peer cannot have that room, for it to read.
    pub fn named(&self, name: Option<&Text>, peer: impl Into<PeerAddr>) -> Result<PendingRoom, Text> {
        let Some(name) = name else { return Ok(self.first().into()) };
        let why = match name.as_str().parse::<Name>() {
            Ok(name) => match self.open_for(&name, Some(peer.into())) {
                Ok(opening) => return Ok(opening),
                Err(error) => error.to_string(),
            },
            Err(error) => format!("'{name}' cannot be a room: {error}"),
        };
        Err(Text::lossy(&why))
    }

    /// The present rooms: the configured ones first, then those that members have opened.
    #[must_use]
    pub fn list(&self) -> Vec<RoomInfo> {
        self.all().iter().map(Room::info).collect()
    }

    /// Handles on all present rooms.
    #[must_use]
    pub fn all(&self) -> Vec<Room> {
        let open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.configured.iter().cloned().chain(open.present()).collect()
    }

    /// Closes every room, as [`Room::close`] does. The first one closes last: with it the transports end.
    pub fn close(&self, farewell: &str, grace: Duration) {
        self.all().iter().rev().for_each(|room| room.close(farewell, grace));
    }

    /// The counters of rooms that are gone, and those of each transport there.
    #[must_use]
    pub fn stats_of_vanished(&self) -> (Stats, Vec<(&'static str, TransportStats)>) {
        self.0.admission.vanished()
    }

    /// A transport calls this for each connection that it accepts from a proven address; see [`Opening`].
    #[must_use]
    pub fn opening(&self, address: SocketAddr) -> Opening {
        Opening::new(Arc::clone(&self.0.admission), address)
    }

    pub(crate) fn admission(&self) -> &Admission {
        &self.0.admission
    }

    pub(crate) fn upgrade(rooms: &Weak<Inner>) -> Option<Self> {
        rooms.upgrade().map(Self)
    }
}

impl fmt::Display for RoomInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, members, topic } = self;
        match name {
            Some(name) => name.fmt(f)?,
            None => f.write_str("This room")?,
        }
        write!(f, ", {members} {}", if *members == 1 { "member" } else { "members" })?;
        topic.as_ref().map_or(Ok(()), |topic| write!(f, ": {topic}"))
    }
}

/// A room that is the only one.
impl From<Room> for Rooms {
    fn from(room: Room) -> Self {
        let config = RoomsConfig { room: room.config(), ..RoomsConfig::default() };
        let admission = Arc::clone(room.admission());
        let world = Box::new(World::real);
        Self(Arc::new(Inner {
            config: Mutex::new(config),
            admission,
            configured: vec![room],
            by_skeleton: HashMap::new(),
            world,
            journals: None,
            open: Mutex::default(),
            on_open: OnceLock::new(),
            added: Mutex::default(),
        }))
    }
}

impl From<&Room> for Rooms {
    fn from(room: &Room) -> Self {
        Self::from(room.clone())
    }
}

impl From<&Rooms> for Rooms {
    fn from(rooms: &Rooms) -> Self {
        rooms.clone()
    }
}

impl fmt::Debug for Rooms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list().iter().map(|room| &room.name)).finish()
    }
}
