//! Plain members that go to another room.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use chat_core::access::Gate;
use chat_core::{RoomConfig, Rooms, RoomsConfig};
use chat_testkit::{ScriptedJournal, ScriptedJournals};

use super::*;

/// A server with the rooms `lobby` and `dev`, and a plain member in the first one.
struct Stage {
    time: VirtualTime,
    streams: Streams,
    endpoint: Endpoint<Socket>,
    token: usize,
    peer: StreamEnd,
    heard: String,
}

impl Stage {
    fn new(rooms: &Rooms, time: &VirtualTime, buffer_bytes: usize) -> Self {
        let streams = Streams::new(1, time);
        let (peer, socket) =
            streams.connect(StreamConditions { buffer_bytes, ..StreamConditions::default() });
        let mut endpoint = Endpoint::new(rooms, Waker::new(|| {}), false);
        let token = endpoint.next_token();
        endpoint.adopt(Socket(socket), "192.0.2.1:1".parse().unwrap(), time.now());
        Self { time: time.clone(), streams, endpoint, token, peer, heard: String::new() }
    }

    fn says(&mut self, what: &str) {
        assert_eq!(self.peer.write(what.as_bytes()).unwrap(), what.len());
        self.run();
    }

    /// Lets arrive what is on its way, and the server take its turn.
    fn run(&mut self) {
        while let Some(next) = self.streams.next_event() {
            self.time.advance_to(next);
            let _of_all = self.streams.events();
        }
        let all = Readiness { readable: true, writable: true, ..Readiness::default() };
        self.endpoint.ready(self.token, all);
        let _open = self.endpoint.turn(self.time.now());
    }

    /// Everything that the member reads until nothing more comes.
    fn reads(&mut self) -> &str {
        let mut bytes = [0; 64];
        let mut idle = 0;
        while idle < 3 {
            self.run();
            idle += 1;
            while let Ok(count @ 1..) = self.peer.read(&mut bytes) {
                self.heard.push_str(&String::from_utf8_lossy(&bytes[..count]));
                idle = 0;
            }
        }
        &self.heard
    }
}

fn config() -> RoomsConfig {
    ["lobby", "dev"]
        .iter()
        .fold(RoomsConfig::default(), |config, name| config.with_room(name.parse().unwrap()))
}

#[test]
fn a_member_that_reads_too_slowly_to_get_everything_first_is_told_how_much_it_missed() {
    let time = VirtualTime::default();
    let clocks = time.clone();
    let world = move || World { clock: clocks.clock(), unix_clock: clocks.unix_clock(), seed: [7; 32] };
    let rooms = Rooms::in_worlds(config(), world).unwrap();
    let mut stage = Stage::new(&rooms, &time, 64);
    stage.says("hi\n");
    for number in 0..20 {
        rooms.first().notice(&format!("message {number:02}")).unwrap(); // 15 bytes each
    }
    stage.run();
    stage.says("/join dev\n");
    time.advance_to(time.now() + Duration::from_secs(5));
    stage.run();
    let got = stage.reads().matches("[*] message").count();
    assert!(got < 20, "it was not waited for");
    let told = format!("[*] You missed {} messages\n[*] You are in dev now: 1 present\n", 20 - got);
    assert!(stage.heard.ends_with(&told), "{}", stage.heard);
}

#[test]
fn a_member_learns_the_results_of_its_messages_before_it_goes() {
    let time = VirtualTime::default();
    let journals = ScriptedJournals::default();
    let rooms = Rooms::restore(config(), Arc::new(journals.clone())).unwrap();
    let mut stage = Stage::new(&rooms, &time, 4096);
    stage.says("hello\n/join dev\n");
    assert!(!stage.reads().contains("dev"), "nobody knows yet whether hello is kept");
    journals.opened()[0].fail("the disk is full");
    let heard = stage.reads();
    let (refused, moved) = (heard.find("the disk is full"), heard.find("You are in dev now"));
    assert!(refused.is_some() && refused < moved, "{heard}");
}

#[test]
fn a_slow_member_that_is_kept_out_of_the_other_room_misses_nothing_of_its_own() {
    let time = VirtualTime::default();
    let clocks = time.clone();
    let world = move || World { clock: clocks.clock(), unix_clock: clocks.unix_clock(), seed: [7; 32] };
    let is_open = Arc::new(AtomicBool::new(true));
    let opens = Arc::clone(&is_open);
    let gate = Gate::new(move |_| if opens.load(Ordering::Relaxed) { Ok(()) } else { Err("not now".into()) });
    let config = config().with_room_config(RoomConfig::default().with_gate(gate));
    let rooms = Rooms::in_worlds(config, world).unwrap();
    let mut stage = Stage::new(&rooms, &time, 64);
    stage.says("hi\n");
    for number in 0..20 {
        rooms.first().notice(&format!("message {number:02}")).unwrap();
    }
    stage.run();
    stage.says("/join dev\n");
    is_open.store(false, Ordering::Relaxed);
    time.advance_to(time.now() + Duration::from_secs(5));
    stage.run();
    let heard = stage.reads();
    assert!(heard.contains("not now") && !heard.contains("You missed"), "{heard}");
    assert_eq!(heard.matches("[*] message").count(), 20, "{heard}");
}

#[test]
fn messages_of_another_thread_at_the_moment_of_leaving_are_told_as_missed() {
    let time = VirtualTime::default();
    let clocks = time.clone();
    let world = move || World { clock: clocks.clock(), unix_clock: clocks.unix_clock(), seed: [7; 32] };
    let lobby: Arc<OnceLock<Room>> = Arc::default();
    let old_room = Arc::clone(&lobby);
    // The other room asks its gate once the member has been served, and before it leaves.
    let gate = Gate::new(move |_| {
        if let Some(lobby) = old_room.get() {
            lobby.notice("at the last moment").unwrap();
        }
        Ok(())
    });
    let config = config().with_room_config(RoomConfig::default().with_gate(gate));
    let rooms = Rooms::in_worlds(config, world).unwrap();
    let mut stage = Stage::new(&rooms, &time, 4096);
    stage.says("hi\n");
    lobby.set(rooms.first().clone()).unwrap();
    stage.says("/join dev\n");
    rooms.first().notice("afterwards").unwrap();
    let told = "[*] You missed 1 message\n[*] You are in dev now: 1 present\n";
    assert!(stage.reads().ends_with(told), "{}", stage.heard);
}

#[test]
fn a_slow_member_moves_once_the_room_is_open_if_that_took_longer_than_it_had_time_to_read() {
    let time = VirtualTime::default();
    let journal = ScriptedJournal::default();
    let config = RoomsConfig::default().with_open_max(4);
    let rooms = Rooms::restore(config, Arc::new(journal.clone())).unwrap();
    let mut stage = Stage::new(&rooms, &time, 64);
    stage.says("hi\n");
    for number in 0..20 {
        rooms.first().notice(&format!("message {number:02}")).unwrap();
    }
    journal.run();
    journal.hold_openings();
    stage.says("/join dev\n");
    time.advance_to(time.now() + Duration::from_secs(5));
    stage.run();
    let now = time.now();
    assert!(stage.endpoint.deadline(now).is_none_or(|due| due > now), "it waits for the room");
    assert_eq!(journal.open_held(None), 1);
    stage.run();
    let heard = stage.reads();
    assert!(heard.contains("You missed") && heard.contains("You are in dev now"), "{heard}");
}
