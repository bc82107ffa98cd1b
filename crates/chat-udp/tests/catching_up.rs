//! A plain peer that is further behind than the log reaches, in a room with a journal.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::time::Instant;

use chat_core::{Room, RoomConfig, Waker, World};
use chat_testkit::{ScriptedJournal, VirtualTime};
use chat_udp::{Endpoint, UdpConfig};

/// More than the smallest log holds.
const MESSAGES: u64 = 3_000;

struct Stage {
    journal: ScriptedJournal,
    room: Room,
    endpoint: Endpoint,
    now: Instant,
}

impl Stage {
    fn new() -> Self {
        let (journal, time) = (ScriptedJournal::default(), VirtualTime::default());
        let now = time.now();
        let config = RoomConfig::default().with_log_bytes_max(RoomConfig::LOG_BYTES_MIN).with_rate(None);
        let world = World { clock: time.clock(), unix_clock: time.unix_clock(), seed: [1; 32] };
        let room = Room::restore_in_world(config, world, &journal).unwrap();
        let trusting = UdpConfig::default().with_trusted("10.0.0.0/8".parse().unwrap());
        let own = "192.0.2.1:5555".parse().unwrap();
        let endpoint = Endpoint::new(&room, Waker::new(|| {}), trusting, own, [2; 32], now);
        Self { journal, room, endpoint, now }
    }

    fn flood(&mut self) {
        for number in 1..=MESSAGES {
            self.room.notice(&format!("flood {number}")).unwrap();
        }
        self.journal.run();
    }

    /// The lines that the server sends until it has nothing more to send.
    fn sends(&mut self) -> Vec<(SocketAddr, String)> {
        let (mut lines, mut out) = (Vec::new(), Vec::new());
        loop {
            self.journal.run();
            self.endpoint.pull(self.now);
            while let Some(route) = self.endpoint.transmit(&mut out, self.now) {
                let datagram = String::from_utf8(out.clone()).unwrap();
                lines.extend(datagram.lines().map(|line| (route.peer, line.to_owned())));
            }
            if self.journal.answer(1) == 0 {
                return lines;
            }
        }
    }

    /// The lines that the server sends to one of the peers.
    fn reads(&mut self, peer: SocketAddr) -> Vec<String> {
        self.sends().into_iter().filter(|(to, _)| *to == peer).map(|(_, line)| line).collect()
    }

    fn join(&mut self, peer: SocketAddr, end: &str) {
        self.endpoint.receive(peer, format!("hello{end}").as_bytes(), self.now);
        assert_eq!(self.reads(peer), [format!("[{peer}] hello")]);
    }
}

fn flood(numbers: impl Iterator<Item = u64>) -> Vec<String> {
    numbers.map(|number| format!("[*] flood {number}")).collect()
}

#[test]
fn a_plain_peer_misses_nothing_that_the_journal_holds() {
    for end in ["", "\n", "\r\n"] {
        let mut stage = Stage::new();
        let peer = "10.0.0.1:7".parse().unwrap();
        stage.join(peer, end);
        stage.flood();
        assert_eq!(stage.reads(peer), flood(1..=MESSAGES));
        assert_eq!(stage.room.stats().missed, 0);
        stage.room.notice("and on").unwrap();
        assert_eq!(stage.reads(peer), ["[*] and on"]);
    }
}

#[test]
fn a_plain_peer_is_told_what_retention_has_deleted() {
    let mut stage = Stage::new();
    let peer = "10.0.0.1:7".parse().unwrap();
    stage.join(peer, "\n");
    stage.flood();
    stage.journal.delete_up_to(1 + 100); // its own message comes before
    let mut expected = vec!["[*] You missed 100 messages".to_owned()];
    expected.extend(flood(101..=MESSAGES));
    assert_eq!(stage.reads(peer), expected);
    assert_eq!(stage.room.stats().missed, 100);
}

#[test]
fn messages_of_an_ignored_member_are_left_out_of_the_past_too() {
    let mut stage = Stage::new();
    let [ann, bob]: [SocketAddr; 2] = ["10.0.0.1:7", "10.0.0.2:7"].map(|peer| peer.parse().unwrap());
    stage.join(ann, "\n");
    stage.join(bob, "\n");
    stage.endpoint.receive(ann, format!("/ignore {bob}\n").as_bytes(), stage.now);
    stage.sends();
    stage.endpoint.receive(bob, b"not for ann\n", stage.now);
    stage.flood();
    let read = stage.reads(ann);
    assert_eq!(read.len() as u64, MESSAGES);
    assert_eq!(read, flood(1..=MESSAGES));
}

#[test]
fn a_past_of_nothing_but_an_ignored_member_comes_to_its_end() {
    let mut stage = Stage::new();
    let [ann, bob]: [SocketAddr; 2] = ["10.0.0.1:7", "10.0.0.2:7"].map(|peer| peer.parse().unwrap());
    stage.join(ann, "\n");
    stage.join(bob, "\n");
    stage.endpoint.receive(ann, format!("/ignore {bob}\n").as_bytes(), stage.now);
    stage.sends();
    for number in 1..=MESSAGES {
        stage.endpoint.receive(bob, format!("flood {number}\n").as_bytes(), stage.now);
        stage.journal.run();
        stage.endpoint.pull(stage.now);
    }
    stage.room.notice("and on").unwrap();
    assert_eq!(stage.reads(ann), ["[*] and on"]);
}

#[test]
fn a_closing_room_waits_for_the_pages_of_a_plain_peer() {
    let mut stage = Stage::new();
    let peer = "10.0.0.1:7".parse().unwrap();
    stage.join(peer, "\n");
    stage.flood();
    stage.room.close("good night", std::time::Duration::from_secs(5));
    stage.journal.run();
    stage.endpoint.drain(stage.now);
    let read = stage.reads(peer);
    assert_eq!(read[..read.len() - 1], flood(1..=MESSAGES)[..]);
    assert_eq!(read.last().map(String::as_str), Some("[*] good night"));
}
