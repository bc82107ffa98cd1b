//! //! A decision of an operator holds for a peer that is on its way into a room. In these tests the gate carries out
//! the //! decision at that moment, because it is asked before the peer is a member.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::sync::{Arc, Mutex};

use chat_core::access::{Ban, BanList, Gate};
use chat_core::transport::Membership;
use chat_core::{JoinError, Name, Room, RoomConfig, Rooms, RoomsConfig};
use chat_proto::{Hello, LeaveReason, MemberId};
use support::{Carrier, Time, text, world};

type Decision = Box<dyn FnOnce(&Rooms) + Send>;

/// The rooms `lobby` and `dev`. The next time that the gate is asked, it carries out the decision.
struct World {
    rooms: Rooms,
    time: Time,
    decision: Arc<Mutex<Option<Decision>>>,
    bans: BanList,
}

impl World {
    fn new() -> Self {
        let (_, time) = support::room();
        let decision = Arc::<Mutex<Option<Decision>>>::default();
        let (decided, rooms) = (Arc::clone(&decision), Arc::<Mutex<Option<Rooms>>>::default());
        let of_gate = Arc::clone(&rooms);
        let gate = Gate::new(move |_| {
            if let Some(decide) = decided.lock().unwrap().take() {
                decide(of_gate.lock().unwrap().as_ref().unwrap());
            }
            Ok(())
        });
        let bans = BanList::new();
        let room = RoomConfig::default().with_gate(gate).with_bans(bans.clone());
        let config = RoomsConfig::default().with_room_config(room);
        let config =
            ["lobby", "dev"].into_iter().fold(config, |config, name| config.with_room(name.parse().unwrap()));
        let clocks = time.clone();
        let made = Rooms::in_worlds(config, move || world(&clocks)).unwrap();
        *rooms.lock().unwrap() = Some(made.clone());
        Self { rooms: made, time, decision, bans }
    }

    fn room(&self, name: &str) -> Room {
        self.rooms.get(&name.parse::<Name>().unwrap()).unwrap()
    }

    fn carrier(&self, name: &str) -> Carrier {
        Carrier::new(&self.room(name), &self.time)
    }

    fn meanwhile(&self, decide: impl FnOnce(&Rooms) + Send + 'static) {
        *self.decision.lock().unwrap() = Some(Box::new(decide));
    }

    fn bans_meanwhile(&self, who: &str) {
        let ban = Ban { who: who.parse().unwrap(), why: text("enough"), until_unix_ms: None };
        self.meanwhile(move |rooms| {
            rooms.first().ban(&ban).unwrap();
        });
    }
}

/// The reason for which the transport must end this member.
fn dismissed(carrier: &mut Carrier, member: Membership) -> Option<LeaveReason> {
    let update = carrier.pull();
    update
        .dismissed
        .iter()
        .find(|dismissed| dismissed.member == member)
        .map(|dismissed| dismissed.reason.clone())
}

#[test]
fn a_ban_holds_for_a_peer_that_is_joining() {
    let world = World::new();
    let mut lobby = world.carrier("lobby");
    world.bans_meanwhile("192.0.2.1");
    let member = lobby.join("192.0.2.1:1");
    assert_eq!(dismissed(&mut lobby, member), Some(LeaveReason::banned(&text("enough"))));
    world.bans_meanwhile("ann");
    let hello = Hello { name: Some(text("ann")), ..Hello::default() };
    let member = lobby.welcome("192.0.2.2:2", &hello).member;
    assert_eq!(dismissed(&mut lobby, member), Some(LeaveReason::banned(&text("enough"))));
    let member = lobby.try_join("192.0.2.3:3").unwrap();
    world.bans_meanwhile("bob");
    world.room("lobby").rename(member.id, Some("bob".parse().unwrap())).unwrap();
    assert_eq!(dismissed(&mut lobby, member.member), Some(LeaveReason::banned(&text("enough"))));
    let member = lobby.join("192.0.2.4:4");
    assert_eq!(dismissed(&mut lobby, member), None, "no ban is of this one");
}

#[test]
fn a_ban_holds_for_a_member_that_is_between_two_rooms() {
    let world = World::new();
    let (lobby, mut dev) = (world.carrier("lobby"), world.carrier("dev"));
    let member = lobby.join("192.0.2.1:1");
    // The ban looks for members when this one has left the one room, and is not in the other one yet.
    let ban = Ban { who: "192.0.2.0/24".parse().unwrap(), why: text("enough"), until_unix_ms: None };
    let bans = world.bans.clone();
    world.meanwhile(move |_| bans.ban(ban).unwrap());
    let moved = lobby.attachment.move_to(member, &dev.attachment, 0, world.time.now()).unwrap().unwrap();
    assert_eq!(dismissed(&mut dev, moved.joined.member), Some(LeaveReason::banned(&text("enough"))));
}

#[test]
fn a_member_that_is_kicked_on_its_way_to_another_room_does_not_come_there() {
    let world = World::new();
    let (mut lobby, dev) = (world.carrier("lobby"), world.carrier("dev"));
    let member = lobby.try_join("192.0.2.1:1").unwrap();
    world.meanwhile(move |rooms| rooms.first().kick_member(member.id, "enough").unwrap());
    assert!(lobby.attachment.move_to(member.member, &dev.attachment, 0, world.time.now()).is_none());
    assert_eq!(dismissed(&mut lobby, member.member), Some(LeaveReason::kicked("enough").unwrap()));
    assert_eq!(world.room("dev").stats().members, 0);
}

#[test]
fn a_member_that_moves_is_an_operator_or_muted_as_it_was_when_it_left() {
    let world = World::new();
    let (lobby, dev) = (world.carrier("lobby"), world.carrier("dev"));
    let moves = |decide: fn(&Rooms, MemberId)| {
        let joined = lobby.try_join("192.0.2.1:1").unwrap();
        world.room("lobby").set_operator(joined.id, true);
        world.meanwhile(move |rooms| decide(rooms, joined.id));
        let moved: Result<_, JoinError> =
            lobby.attachment.move_to(joined.member, &dev.attachment, 0, world.time.now()).unwrap();
        moved.unwrap().joined.id
    };
    let dev_room = world.room("dev");
    let found =
        |id: MemberId| dev_room.presence(10).1.into_iter().find(|presence| presence.member == id).unwrap();
    let id = moves(|_, _| {});
    assert!(found(id).is_operator);
    let id = moves(|rooms, id| assert!(rooms.first().set_operator(id, false)));
    assert!(!found(id).is_operator);
    let id = moves(|rooms, id| {
        rooms.first().set_operator(id, false);
        rooms.first().mute(&"192.0.2.1:1".parse().unwrap()).unwrap();
    });
    assert!(found(id).is_muted);
}
