//! What a message costs in the room: saying it under the lock, and pulling it for each I/O thread.

use std::hint::black_box;
use std::time::Instant;

use chat_core::transport::{Attachment, Membership, Update};
use chat_core::{Room, RoomConfig, Waker};
use chat_proto::Text;
use divan::Bencher;
use divan::counter::ItemsCount;

/// Messages in one turn of a busy server.
const BATCH: usize = 256;

fn main() {
    divan::main();
}

/// A room with this many attachments, the first of which has a member.
fn room_with(attachments: usize) -> (Vec<Attachment>, Membership, Instant) {
    let room = Room::new(RoomConfig::default().with_rate(None));
    let attachments: Vec<Attachment> = (0..attachments).map(|_| room.attach(Waker::new(|| {}))).collect();
    let peer: std::net::SocketAddr = "127.0.0.1:57814".parse().expect("an address");
    let now = clock();
    let joined = attachments[0].join(0, peer, now).expect("an empty room has a place");
    (attachments, joined.member, now)
}

/// A turn without its system calls: 256 messages are said, then every attachment pulls them.
#[divan::bench(args = [1, 2, 4])]
fn say_and_pull_256(bencher: Bencher<'_, '_>, attachments: usize) {
    let (mut attachments, member, now) = room_with(attachments);
    let text = Text::one_line(&"x".repeat(64)).expect("64 bytes of ASCII");
    let mut update = Update::default();
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        for _ in 0..BATCH {
            let _said =
                attachments[0].say(member, black_box(&text).clone(), now).expect("a member may speak");
        }
        for attachment in &mut attachments {
            attachment.pull(&mut update);
            black_box(&update);
        }
    });
}

#[divan::bench]
fn join_and_leave(bencher: Bencher<'_, '_>) {
    let (attachments, _, now) = room_with(1);
    let peer: std::net::SocketAddr = "127.0.0.1:40000".parse().expect("an address");
    bencher.bench_local(|| {
        let joined = attachments[0].join(0, peer, now).expect("the room has places");
        attachments[0].leave(joined.member, chat_proto::LeaveReason::Quit, now);
    });
}

#[expect(clippy::disallowed_methods, reason = "the room wants to know since when; nothing depends on it")]
fn clock() -> Instant {
    Instant::now()
}
