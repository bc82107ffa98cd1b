//! Decisions of operators survive a restart.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use chat_core::access::{Ban, BanList};
use chat_core::chat_proto::Resume;
use chat_core::transport::{Attachment, Membership, Outcome};
use chat_core::{Author, Hello, LeaveReason, Room, RoomConfig, Waker, Welcome};
use chat_store::Store;
use rusqlite::Connection;

use support::{directory, open, room};

fn ban(who: &str, why: &str, until_unix_ms: Option<u64>) -> Ban {
    Ban { who: who.parse().unwrap(), why: why.parse().unwrap(), until_unix_ms }
}

#[test]
fn decisions_of_operators_survive_a_restart() {
    let directory = directory();
    let path = directory.path().join("chat.db");
    let bans = [ban("192.0.2.0/24", "spam", Some(4_951_800_000_250)), ban("ann", "", None)];
    {
        let (store, list) = (open(&path), BanList::new());
        store.keep_bans(&list).unwrap();
        let room = Room::restore(RoomConfig::default().with_bans(list.clone()), &store).unwrap();
        for ban in bans.iter().chain([&ban("bob", "", None)]) {
            room.ban(ban).unwrap();
        }
        room.unban(&"bob".parse().unwrap());
        room.set_slow(Some(Duration::from_secs(5)));
    }
    for is_off in [false, true] {
        let (store, list) = (open(&path), BanList::new());
        store.keep_bans(&list).unwrap();
        assert_eq!(list.bans(0), bans);
        let room =
            Room::restore(RoomConfig::default().with_slow(Some(Duration::from_secs(9))), &store).unwrap();
        assert_eq!(room.slow(), if is_off { None } else { Some(Duration::from_secs(5)) });
        room.set_slow(None);
    }
    let (store, list) = (open(&path), BanList::new());
    store.keep_bans(&list).unwrap();
    bans.iter().for_each(|ban| drop(list.unban(&ban.who)));
    store.close();
    let left: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM bans", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
}

/// A room whose mutes are kept in its file, and a transport without a medium.
fn carried(store: &Store) -> (Room, Attachment) {
    let room = room(store);
    store.keep_mutes(&room.mute_list()).unwrap();
    let carrier = room.attach(Waker::new(|| ()));
    (room, carrier)
}

#[expect(clippy::disallowed_methods, reason = "the room keeps real time")]
fn now() -> Instant {
    Instant::now()
}

fn join(carrier: &Attachment, address: &str, hello: &Hello) -> (Membership, Welcome) {
    let welcomed = carrier.welcome(0, address.parse::<SocketAddr>().unwrap(), hello, now(), now()).unwrap();
    (welcomed.member, welcomed.welcome)
}

fn named(name: &str) -> Hello {
    Hello { name: Some(name.parse().unwrap()), ..Hello::default() }
}

fn is_refused(carrier: &Attachment, member: Membership) -> bool {
    carrier.say(member, "hello".parse().unwrap(), now()).unwrap().outcome == Outcome::Refused
}

fn mutes_in(path: &Path) -> i64 {
    let file = Connection::open(path).unwrap();
    file.query_row("SELECT count(*) FROM mutes", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_mute_holds_after_a_restart_for_its_session_its_name_and_its_address_until_it_is_lifted() {
    let directory = directory();
    let path = directory.path().join("chat.db");
    let (store, old) = {
        let store = open(&path);
        let (room, carrier) = carried(&store);
        let (_, nameless) = join(&carrier, "127.0.0.1:5", &Hello::default());
        let (iris, _) = join(&carrier, "127.0.0.1:6", &named("Iris"));
        let _bob = join(&carrier, "192.0.2.7:5", &Hello::default());
        for who in ["127.0.0.1:5", "Iris", "192.0.2.7:5"] {
            room.mute(&Author::from_shown(who)).unwrap();
        }
        carrier.leave(iris, LeaveReason::Quit, now()); // otherwise the name would be reserved
        (store, nameless)
    };
    store.close();
    drop(store);
    let store = open(&path);
    let (room, carrier) = carried(&store);
    let Welcome { epoch, session, .. } = old;
    let resume = Some(Resume { epoch, session, have: session.since, direct: 0 });
    let (nameless, welcome) = join(&carrier, "127.0.0.1:7", &Hello { resume, ..Hello::default() });
    assert!(welcome.resumed);
    let (looks, _) = join(&carrier, "127.0.0.1:8", &named("lris"));
    let (from_there, _) = join(&carrier, "192.0.2.7:9", &Hello::default());
    let (other, _) = join(&carrier, "127.0.0.1:9", &named("bob"));
    assert!([nameless, looks, from_there].into_iter().all(|member| is_refused(&carrier, member)));
    assert!(!is_refused(&carrier, other));
    assert_eq!(
        room.mutes().iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["127.0.0.1:5", "192.0.2.7:5, and everyone from 192.0.2.7", "Iris"]
    );
    for who in ["127.0.0.1:7", "iris", "192.0.2.7"] {
        assert_eq!(room.unmute(who).len(), 1, "{who}");
    }
    assert!(!is_refused(&carrier, nameless));
    store.close();
    assert_eq!(mutes_in(&path), 0);
}
