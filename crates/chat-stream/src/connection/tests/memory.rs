//! What a connection costs: with ten thousand members, every byte counts ten thousand times.

use super::*;

#[test]
fn a_connection_is_small() {
    // The receiving half (a decoder's buffer at most), the cursor, a deadline, the member, pointers to state that few
    // need at a time. With the socket and the member in the room: a few hundred bytes.
    let bytes = size_of::<Connection>();
    assert!(bytes <= 128, "{bytes} bytes");
}

#[test]
fn an_idle_connection_holds_no_memory_besides() {
    let mut stage = Stage::new();
    let mut listener = stage.listener();
    let (mut framed, _) = stage.framed_guest();
    let mut line_peer = stage.guest_who_said(b"hello\n");
    let mut telnet = stage.guest_who_said(b"\xff\xfb\x1fhello\r\n");
    for round in 0..3 {
        for guest in [&mut listener, &mut framed, &mut line_peer, &mut telnet] {
            stage.say("hello");
            guest.wire.free = 5 * round; // so that something is left of a line
            stage.serve(guest);
            guest.wire.free = usize::MAX;
            stage.serve(guest);
            assert!(guest.connection.backlog.is_empty());
            assert!(guest.connection.outgoing.holds_nothing());
            assert!(
                guest.connection.speaker().is_some_and(|speaker| speaker
                    .next_skipped(0, stage.feeds.feed(FeedId::FIRST))
                    == u64::MAX)
            );
        }
    }
}
