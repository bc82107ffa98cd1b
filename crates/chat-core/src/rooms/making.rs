//! Makes the rooms that are opened while the server runs.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use chat_proto::{Hello, LeaveReason, Name};

use super::Rooms;
use crate::access::identity::Identity;
use crate::error::{JoinError, RoomError};
use crate::journal::JournalError;
use crate::room::Room;
use crate::rooms::config::RoomsConfig;
use crate::rooms::open_rooms::OpenRooms;
use crate::rooms::pending_room::{OpenRequest, Opened, PendingRoom};

impl Rooms {
    /// The room that the hello of a newcomer asks for, as [`named`](Self::named) finds it. A peer that a gate, a ban or
    /// a limit keeps out opens none. If the room is there, the peer is refused when it joins. `transport` is the tag of
    /// its transport.
    ///
    /// # Errors
    ///
    /// Why the peer cannot have that room, for it to read.
    pub fn for_newcomer(
        &self,
        hello: &Hello,
        peer: &Identity,
        transport: &'static str,
    ) -> Result<PendingRoom, LeaveReason> {
        let wanted = hello.room.as_ref().and_then(|room| room.as_str().parse::<Name>().ok());
        if wanted.is_some_and(|wanted| self.get(&wanted).is_none()) {
            let (first, name) =
                (self.first(), hello.name.as_ref().and_then(|name| name.as_str().parse().ok()));
            first.let_in(peer, transport, name.as_ref())?;
            self.0.admission.check(peer.address.into()).map_err(|full| {
                first.lock().count_refused(transport);
                LeaveReason::from(full)
            })?;
        }
        self.named(hello.room.as_ref(), peer.address).map_err(|why| LeaveReason::no_room(&why))
    }

    /// Whether bans and the gate of this room let a member go there. If there is no such room yet, the gate is that of
    /// the first one: a member that is kept out opens none.
    pub(crate) fn let_in(
        &self,
        room: &Name,
        peer: &Identity,
        transport: &'static str,
        name: Option<&Name>,
    ) -> Result<(), JoinError> {
        self.get(room).unwrap_or_else(|| self.first()).let_in(peer, transport, name)
    }

    /// Begins to open a room, unless there are `open_max` besides the configured ones, or its opener has opened enough
    /// of them.
    pub(super) fn begin(
        &self,
        name: &Name,
        config: &RoomsConfig,
        open_max: usize,
        opener: Option<IpAddr>,
    ) -> Result<PendingRoom, RoomError> {
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(room) = open.get(name) {
            return Ok(room.into()); // another thread was faster
        }
        if let Some(opening) = open.opening(name) {
            return Ok(opening);
        }
        if open.len() >= open_max {
            open.forget_gone();
        }
        if open.len() >= open_max {
            return Err(RoomError::TooManyOpen { open_max: config.open_max });
        }
        let open_per_address_max = config.open_per_address_max;
        if opener.is_some_and(|opener| open.opened_by(opener) >= open_per_address_max) {
            return Err(RoomError::AddressFull { open_per_address_max });
        }
        let Some(journals) = &self.0.journals else {
            return Ok(self.make(name, opener, None, &mut open).into());
        };
        let opening = open.begin(name, opener);
        drop(open);
        let (rooms, then) = (Arc::downgrade(&self.0), opening.clone());
        let finish = move |opened| {
            let closed = || Err(JournalError("it is closed".to_owned()));
            let rooms = Self::upgrade(&rooms);
            let result = rooms.map_or_else(closed, |rooms| rooms.finish(then.name(), opened));
            then.finish(result.map_err(RoomError::from));
        };
        journals.open(OpenRequest::new(Some(name.clone()), config.room.log_bytes_max, finish));
        Ok(opening)
    }

    /// The journal of a room has been read.
    fn finish(
        &self,
        name: Option<&Name>,
        opened: Result<Opened, JournalError>,
    ) -> Result<Room, JournalError> {
        let name = name.expect("a room among others has a name");
        let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        let opener = open.end(name);
        opened.map(|opened| self.make(name, opener, Some(opened), &mut open))
    }

    fn make(
        &self,
        name: &Name,
        opener: Option<IpAddr>,
        opened: Option<Opened>,
        open: &mut OpenRooms,
    ) -> Room {
        let (admission, rooms) = (Arc::clone(&self.0.admission), Arc::downgrade(&self.0));
        let config = self.config().room;
        let room = Room::in_rooms(config, (self.0.world)(), name.clone(), admission, rooms, opened);
        open.insert(name, &room, opener);
        self.0.on_open.get().iter().for_each(|on_open| on_open(&room));
        room
    }
}
