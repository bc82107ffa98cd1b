//! Members that lag so far that the log no longer has their next message, in a room with a journal.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

use chat_core::transport::Transport;
use chat_core::{LocalMember, Room, RoomConfig, World};
use chat_testkit::{MemoryDoor, MemoryPeer, MemoryTransport, ScriptedJournal, VirtualTime};

/// More messages than the smallest log holds.
const MESSAGES: u64 = 3_000;

struct Stage {
    journal: ScriptedJournal,
    room: Room,
    transport: MemoryTransport,
    door: MemoryDoor,
    time: VirtualTime,
}

impl Stage {
    fn new() -> Self {
        let (journal, time) = (ScriptedJournal::default(), VirtualTime::default());
        let config = RoomConfig::default().with_log_bytes_max(RoomConfig::LOG_BYTES_MIN).with_rate(None);
        let world = World { clock: time.clock(), unix_clock: time.unix_clock(), seed: [3; 32] };
        let room = Room::restore_in_world(config, world, &journal).unwrap();
        let (transport, door) = MemoryTransport::in_time(&room, &time);
        Self { journal, room, transport, door, time }
    }

    fn turn(&mut self) {
        if let Some(due) = self.transport.due() {
            self.time.advance_to(due.min(self.time.now() + std::time::Duration::from_millis(100)));
        }
        let _open = self.transport.turn(None).unwrap();
        self.journal.run();
    }

    /// Connects a peer that has said something, and so is a member.
    fn peer(&mut self) -> MemoryPeer {
        let mut peer = self.door.connect();
        assert!(peer.say(b"/who"));
        while peer.hear().is_none() {
            self.turn();
        }
        self.hear_all(&mut peer);
        peer
    }

    fn flood(&mut self) {
        for number in 1..=MESSAGES {
            self.room.notice(&format!("flood {number}")).unwrap();
        }
        self.journal.run();
    }

    /// Everything that a peer hears until nothing more comes.
    fn hear_all(&mut self, peer: &mut MemoryPeer) -> Vec<String> {
        let mut heard = Vec::new();
        let mut quiet = 0;
        while quiet < 10 {
            self.turn();
            let answered = self.journal.answer(usize::MAX);
            let before = heard.len();
            heard.extend(std::iter::from_fn(|| peer.hear()));
            quiet = if heard.len() > before || answered > 0 { 0 } else { quiet + 1 };
        }
        heard
    }
}

#[test]
fn a_slow_member_misses_nothing_that_the_journal_holds() {
    let mut stage = Stage::new();
    let (mut slow, other) = (stage.peer(), stage.peer());
    assert!(slow.say(b"mine") && other.say(b"not mine"));
    slow.set_unread_max(0);
    stage.turn();
    stage.flood();
    assert!(slow.say(b"mine, too"));
    stage.turn();
    slow.set_unread_max(64 * 1024);
    let heard = stage.hear_all(&mut slow);
    let expected: Vec<String> = (1..=MESSAGES).map(|number| format!("[*] flood {number}")).collect();
    assert_eq!(heard[1..], expected, "in order, without a gap, and without its own");
    assert_eq!(stage.room.stats().missed, 0);
}

#[test]
fn only_what_retention_has_deleted_is_missed() {
    let mut stage = Stage::new();
    let mut slow = stage.peer();
    slow.set_unread_max(0);
    stage.turn();
    stage.flood();
    stage.journal.delete_up_to(100);
    stage.turn();
    slow.set_unread_max(64 * 1024);
    let heard = stage.hear_all(&mut slow);
    assert_eq!(heard[0], "[*] You missed 100 messages");
    assert_eq!(heard[1], "[*] flood 101");
    assert_eq!(heard.len() as u64, 1 + MESSAGES - 100);
    assert_eq!(stage.room.stats().missed, 100);
}

#[test]
fn members_that_catch_up_wait_for_each_other_and_all_get_there() {
    let mut stage = Stage::new();
    let mut slow: Vec<MemoryPeer> = (0..20).map(|_| stage.peer()).collect();
    slow.iter().for_each(|peer| peer.set_unread_max(0));
    stage.turn();
    stage.flood();
    stage.turn();
    slow.iter().for_each(|peer| peer.set_unread_max(64 * 1024));
    stage.turn();
    assert!(stage.journal.answer(usize::MAX) <= 4, "not all read at once");
    for peer in &mut slow {
        let heard = stage.hear_all(peer);
        assert_eq!(heard.len() as u64, MESSAGES);
    }
}

/// Everything that a local member hears until nothing more comes.
fn hears(local: &LocalMember, journal: &ScriptedJournal) -> Vec<String> {
    let mut heard = Vec::new();
    loop {
        heard.extend(std::iter::from_fn(|| local.try_recv().ok()).map(|heard| heard.to_string()));
        if journal.answer(1) == 0 {
            return heard;
        }
        assert!(local.ready().try_recv().is_ok(), "the page wakes it");
    }
}

#[test]
fn a_member_of_this_process_misses_nothing_that_the_journal_holds() {
    let mut stage = Stage::new();
    let slow = stage.room.join("slow").unwrap();
    stage.flood();
    let expected: Vec<String> = (1..=MESSAGES).map(|number| format!("[*] flood {number}")).collect();
    assert_eq!(hears(&slow, &stage.journal), expected);
    assert_eq!(stage.room.stats().missed, 0);
    stage.room.notice("and on").unwrap();
    stage.journal.run();
    assert_eq!(hears(&slow, &stage.journal), ["[*] and on"]);
    let late = stage.room.join("late").unwrap().with_history(MESSAGES);
    assert_eq!(hears(&late, &stage.journal).len() as u64, MESSAGES, "the log does not hold as many");
}

#[test]
fn a_member_of_this_process_is_told_what_cannot_be_read() {
    let mut stage = Stage::new();
    let slow = stage.room.join("slow").unwrap();
    stage.flood();
    stage.journal.delete_up_to(100);
    let heard = hears(&slow, &stage.journal);
    assert_eq!(heard[..2], ["[*] You missed 100 messages", "[*] flood 101"]);
    assert_eq!(heard.len() as u64, 1 + MESSAGES - 100);
    stage.flood();
    stage.journal.delete_up_to(2 * MESSAGES);
    let heard = hears(&slow, &stage.journal);
    assert!(heard[0].starts_with("[*] You missed "), "{:?}", heard[0]);
    assert_eq!(heard.last().unwrap(), &format!("[*] flood {MESSAGES}"), "the log has the newest ones");
    let told: u64 = heard[0].split(' ').nth(3).unwrap().parse().unwrap();
    assert_eq!(told + heard.len() as u64 - 1, MESSAGES, "what it missed is exact");
}
