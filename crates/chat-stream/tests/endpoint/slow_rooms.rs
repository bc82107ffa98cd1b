//! Hellos that name a room whose journal takes long to be read.

use std::sync::Arc;

use chat_core::{Rooms, RoomsConfig, Text};
use chat_proto::{Hello, MemberFrame, PREFACE};
use chat_testkit::ScriptedJournal;

use super::*;

#[test]
fn a_hello_waits_ten_seconds_for_the_room_that_it_names() {
    let time = VirtualTime::default();
    let journal = ScriptedJournal::default();
    let rooms = Rooms::restore(RoomsConfig::default().with_open_max(4), Arc::new(journal.clone())).unwrap();
    journal.hold_openings();
    let streams = Streams::new(1, &time);
    let mut endpoint = Endpoint::new(&rooms, Waker::new(|| {}), false);
    let connect = |endpoint: &mut Endpoint<Socket>, room: &str| {
        let (mut peer, socket) = streams.connect(StreamConditions::default());
        let mut hello = PREFACE.to_vec();
        let room = Some(Text::lossy(room));
        MemberFrame::Hello(Hello { room, ..Hello::default() }).encode(&mut hello);
        assert_eq!(peer.write(&hello).unwrap(), hello.len());
        arrive(&streams, &time);
        endpoint.adopt(Socket(socket), "192.0.2.1:1".parse().unwrap(), time.now());
        let _open = endpoint.turn(time.now());
        peer
    };
    let mut late = connect(&mut endpoint, "dev");
    let deadline = time.now() + Duration::from_secs(10);
    time.advance_to(deadline - Duration::from_millis(1));
    let _open = endpoint.turn(time.now());
    let mut in_time = connect(&mut endpoint, "games");
    assert_eq!(endpoint.peers(), 2);

    time.advance_to(deadline);
    let _open = endpoint.turn(time.now());
    assert_eq!(journal.open_held(None), 2, "both rooms");
    let _open = endpoint.turn(time.now());
    arrive(&streams, &time);
    let why = "it takes too long to open the room: try again";
    assert!(received(&mut late).contains(why));
    assert!(!received(&mut in_time).contains(why));
    let members = |room: &str| rooms.get(&room.parse().unwrap()).map(|room| room.info().members);
    assert_eq!((members("dev"), members("games")), (None, Some(1)), "nobody is left in dev, so it is gone");
}

fn arrive(streams: &Streams, time: &VirtualTime) {
    while let Some(next) = streams.next_event() {
        time.advance_to(next);
        let _of_all = streams.events();
    }
}

fn received(peer: &mut StreamEnd) -> String {
    let mut got = [0; 500];
    let count = peer.read(&mut got).expect("something has come");
    String::from_utf8_lossy(&got[..count]).into_owned()
}
