//! How a room ends.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::time::Duration;

use chat_core::{JoinError, RecvTimeoutError, RoomClosed, SayError, TryRecvError};
use chat_proto::LeaveReason;
use support::{Carrier, hear, local, room};

const GRACE: Duration = Duration::from_secs(5);

#[test]
fn the_farewell_is_the_last_message() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let bot = local(&room, "bot");
    let member = carrier.join("192.0.2.1:1");
    carrier.say(member, "hello");
    assert!(!room.is_closing());
    room.close("Good night", GRACE);
    assert!(room.is_closing());

    assert_eq!(carrier.try_say(member, "wait").unwrap_err(), SayError::Closing);
    assert_eq!(bot.say("wait").unwrap_err(), SayError::Closing);
    assert_eq!(room.notice("wait").unwrap_err(), SayError::Closing);
    assert_eq!(carrier.try_join("192.0.2.2:1").unwrap_err(), JoinError::Closing);
    assert_eq!(LeaveReason::from(JoinError::Closing), LeaveReason::Stopping);
    assert_eq!(room.stats().refused, 1);

    carrier.leave(member, LeaveReason::Stopping);
    let all = [
        "192.0.2.1:1 joined, 1 here",
        "1 [192.0.2.1:1] hello",
        "2 [*] Good night",
        "192.0.2.1:1 left (server is stopping), 0 here",
    ];
    assert_eq!(carrier.read(), all);
    assert_eq!(hear(&bot), all);
}

#[test]
fn an_attachment_learns_its_deadline_when_the_room_closes() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    assert_eq!(carrier.pull().closing, None);
    let deadline = time.now() + GRACE;
    room.close("Good night", GRACE);
    assert_eq!(carrier.wakes(), 1);
    assert_eq!(carrier.pull().closing, Some(deadline));
    time.pass(Duration::from_secs(1));
    assert_eq!(carrier.pull().closing, Some(deadline), "at every pull, and the same");
}

#[test]
fn closing_a_closed_room_does_nothing() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    let deadline = time.now() + GRACE;
    room.close("Good night", GRACE);
    let wakes = carrier.wakes();
    room.close("Good morning", Duration::ZERO);
    assert_eq!(carrier.wakes(), wakes);
    let update = carrier.pull();
    assert_eq!((update.closing, update.entries.len()), (Some(deadline), 1));
}

#[test]
fn a_room_may_be_given_all_the_time_there_is() {
    let (room, time) = room();
    let mut carrier = Carrier::new(&room, &time);
    room.close("Good night", Duration::MAX);
    assert!(
        carrier.pull().closing.is_some_and(|deadline| deadline > time.now() + Duration::from_secs(86_400))
    );
}

#[test]
fn an_attachment_to_a_closing_room_is_woken_to_learn_it() {
    let (room, time) = room();
    room.close("Good night", GRACE);
    let mut carrier = Carrier::new(&room, &time);
    assert_eq!(carrier.wakes(), 1);
    assert!(carrier.pull().closing.is_some());
    assert_eq!(carrier.try_join("192.0.2.1:1").unwrap_err(), JoinError::Closing);
}

#[test]
fn members_left_when_an_attachment_of_a_closed_room_goes_were_stopped_and_not_lost() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    let bot = local(&room, "bot");
    carrier.join("192.0.2.1:1");
    room.close("Good night", GRACE);
    drop(carrier);
    assert_eq!(hear(&bot).last().unwrap(), "192.0.2.1:1 left (server is stopping), 0 here");
}

#[test]
fn a_local_member_hears_the_end_after_the_last_attachment_and_the_last_entry() {
    let (room, time) = room();
    let (first, second) = (Carrier::new(&room, &time), Carrier::new(&room, &time));
    let bot = local(&room, "bot");
    room.close("Good night", GRACE);
    assert_eq!(hear(&bot), ["1 [*] Good night"]);
    assert_eq!(bot.try_recv(), Err(TryRecvError::Empty), "members may still leave");
    drop(first);
    assert_eq!(bot.try_recv(), Err(TryRecvError::Empty), "one port is still there");
    let late = local(&room, "late");
    drop(second);
    assert_eq!(bot.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(late.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(bot.recv(), Err(RoomClosed));
    assert_eq!(bot.recv_timeout(Duration::MAX), Err(RecvTimeoutError::Closed));
}

#[test]
fn a_local_member_reads_everything_before_it_hears_the_end() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    let bot = local(&room, "bot");
    carrier.join("192.0.2.1:1");
    room.close("Good night", GRACE);
    drop(carrier);
    let mut heard = 0;
    while bot.recv().is_ok() {
        heard += 1;
    }
    assert_eq!(heard, 3);
}

#[test]
fn a_room_without_attachments_is_over_when_it_is_closed() {
    let (room, _) = room();
    let bot = local(&room, "bot");
    room.close("Good night", GRACE);
    assert!(bot.recv().is_ok());
    assert_eq!(bot.recv(), Err(RoomClosed));
    let late = local(&room, "late");
    assert_eq!(late.ready().try_recv(), Ok(()), "who waits for a token must learn it too");
    assert_eq!(late.recv(), Err(RoomClosed));
}

#[test]
fn the_end_is_signalled_to_all_threads_at_one_local_member() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    let bot = local(&room, "bot");
    room.close("Good night", GRACE);
    hear(&bot);
    while bot.ready().try_recv().is_ok() {}
    drop(carrier);
    // The first thread takes the signal and learns that the room has ended. The second must not wait for ever.
    assert_eq!(bot.ready().try_recv(), Ok(()));
    assert_eq!(bot.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(bot.ready().try_recv(), Ok(()));
    assert_eq!(bot.try_recv(), Err(TryRecvError::Closed));
}
