//! Members in the same process.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use chat_core::limits::HEARD_AT_ONCE_MAX;
use chat_core::{Heard, NickError, Observer, RecvTimeoutError, TryRecvError, Waker};
use chat_proto::LeaveReason;
use crossbeam_channel::{bounded, select};
use support::{Carrier, NEVER, flood, hear, in_time, local, room, show, small_room};

#[test]
fn a_local_member_hears_later_messages_and_its_own() {
    let (room, _) = room();
    room.notice("before").unwrap();
    let bot = local(&room, "bot");
    assert_eq!(bot.try_recv(), Err(TryRecvError::Empty));
    room.notice("after").unwrap();
    bot.say("me").unwrap();
    assert_eq!(hear(&bot), ["2 [*] after", "3 [bot] me"]);
}

#[test]
fn a_name_is_taken_while_its_member_is_there() {
    let (room, _) = room();
    let bot = local(&room, "bot");
    let taken = NickError::Taken { name: "bot".parse().unwrap(), suggestion: Some("bot-2".parse().unwrap()) };
    assert_eq!(room.join("bot").unwrap_err(), taken);
    assert_eq!(taken.to_string(), "the name bot is taken");
    let other = local(&room, "robot");
    drop(bot);
    room.notice("between").unwrap();
    let again = local(&room, "bot");
    room.notice("after").unwrap();
    assert_eq!(hear(&again), ["2 [*] after"], "it has nothing of the local member before it");
    assert_eq!(hear(&other), ["1 [*] between", "2 [*] after"]);
}

#[test]
fn a_local_member_that_is_not_read_is_told_exactly_what_it_missed() {
    let (room, time) = small_room();
    let carrier = Carrier::new(&room, &time);
    let bot = local(&room, "bot");
    room.notice("heard").unwrap();
    assert_eq!(hear(&bot), ["1 [*] heard"]);
    carrier.join("192.0.2.1:1");
    flood(&room);

    let Ok(Heard::Missed(missed)) = bot.try_recv() else { panic!("the log does not hold a flood") };
    let held = room.stats().log_entries as u64;
    assert_eq!(missed, 1_000 - held);
    assert_eq!(Heard::Missed(missed).to_string(), format!("[*] You missed {missed} messages"));
    let Ok(Heard::Entry(next)) = bot.try_recv() else { panic!("the log is not empty") };
    assert_eq!(next.seq, 1 + missed + 1);
    assert_eq!(hear(&bot).len() as u64, held - 1);
    assert_eq!(room.stats().missed, missed, "a local member is a member, too");
}

#[test]
fn a_local_member_that_missed_only_joins_and_leaves_is_not_told_so() {
    let (room, time) = small_room();
    let carrier = Carrier::new(&room, &time);
    let bot = local(&room, "bot");
    for _ in 0..500 {
        let member = carrier.join("192.0.2.1:1");
        carrier.leave(member, LeaveReason::Quit);
    }
    room.notice("hello").unwrap();
    let heard = hear(&bot);
    assert!(!heard.iter().any(|line| line.contains("missed")), "{heard:?}");
    assert_eq!(heard.last().unwrap(), "1 [*] hello");
}

#[test]
fn recv_waits_for_the_next_entry() {
    let (room, _) = room();
    let bot = local(&room, "bot");
    let heard = thread::spawn(move || bot.recv());
    room.notice("hello").unwrap();
    let Ok(Heard::Entry(entry)) = in_time(|| heard.join().unwrap()) else { panic!("it was said") };
    assert_eq!(show(&entry), "1 [*] hello");
}

#[test]
fn recv_timeout_gives_up_or_hears() {
    let (room, _) = room();
    let bot = local(&room, "bot");
    assert_eq!(bot.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
    room.notice("hello").unwrap();
    assert!(bot.recv_timeout(Duration::ZERO).is_ok(), "what is there needs no time");
    let heard = thread::spawn(move || bot.recv_timeout(NEVER));
    room.notice("hello").unwrap();
    assert!(heard.join().unwrap().is_ok());
}

#[test]
fn one_entry_per_token_is_enough_to_hear_everything() {
    let (room, _) = room();
    let bot = local(&room, "bot");
    let heard = || {
        select! {
            recv(bot.ready()) -> _ => bot.try_recv().is_ok(),
            default => false,
        }
    };
    room.notice("one").unwrap();
    assert!(heard());
    assert!(!heard());
    room.notice("two").unwrap();
    assert!(heard(), "it is signalled again although nobody asked until there was nothing");
    for _ in 0..10 {
        room.notice("more").unwrap();
    }
    assert_eq!((0..20).filter(|_| heard()).count(), 10);
}

#[test]
fn one_entry_per_token_is_enough_for_a_lagged_local_member_too() {
    let (room, _) = small_room();
    let bot = local(&room, "bot");
    flood(&room);
    let mut heard = 0;
    while bot.ready().try_recv().is_ok() {
        heard += usize::from(bot.try_recv().is_ok());
    }
    assert_eq!(heard, 1 + room.stats().log_entries, "what it missed, and what is held");
}

#[test]
fn a_local_member_is_woken_between_other_channels() {
    let (room, _) = room();
    let bot = local(&room, "bot");
    let (quit, quitting) = bounded::<()>(1);
    thread::scope(|scope| {
        let heard = scope.spawn(|| {
            let mut heard = Vec::new();
            loop {
                select! {
                    recv(bot.ready()) -> _ => heard.extend(bot.try_recv()),
                    recv(quitting) -> _ => return heard,
                    default(NEVER) => panic!("nobody woke us after {heard:?}"),
                }
                if heard.len() == 100 {
                    quit.send(()).unwrap();
                }
            }
        });
        for _ in 0..100 {
            room.notice("hello").unwrap();
        }
        assert_eq!(heard.join().unwrap().len(), 100);
    });
}

#[test]
fn two_threads_at_one_local_member_share_its_entries() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    let bot = Arc::new(local(&room, "bot"));
    let listeners = [0, 1].map(|_| {
        let bot = Arc::clone(&bot);
        thread::spawn(move || {
            let mut heard = Vec::new();
            while let Ok(Heard::Entry(entry)) = bot.recv() {
                heard.push(entry.seq);
            }
            heard
        })
    });
    for _ in 0..500 {
        room.notice("hello").unwrap();
    }
    room.close("Good night", Duration::ZERO);
    drop(carrier);
    let heard = listeners.map(|listener| in_time(|| listener.join().unwrap()));
    assert!(heard.iter().all(|heard| heard.is_sorted()));
    let mut all = heard.concat();
    all.sort_unstable();
    assert_eq!(all, (1..=501).collect::<Vec<_>>());
}

#[test]
fn a_local_member_may_hear_what_was_said_before_it_came() {
    let (room, time) = room();
    let carrier = Carrier::new(&room, &time);
    for text in ["one", "two", "three"] {
        room.notice(text).unwrap();
        carrier.join("192.0.2.1:1");
    }
    let bot = room.join("bot").unwrap().with_history(2);
    assert!(bot.ready().try_recv().is_ok(), "a token for what there is to hear");
    let heard = hear(&bot);
    assert_eq!(heard[0], "2 [*] two");
    assert!(heard.contains(&"3 [*] three".to_owned()));
    let other = room.join("other").unwrap().with_history(100);
    assert!(hear(&other).contains(&"1 [*] one".to_owned()));
}

#[test]
fn an_observer_hears_everything_in_order_and_is_woken_once_it_has() {
    let (room, _) = room();
    let (waker, wakes) = bounded(10);
    let observer = room.observe(Waker::new(move || {
        let _is_full = waker.try_send(());
    }));
    let numbers = |observer: &Observer| -> Vec<u64> {
        let heard = std::iter::from_fn(|| observer.hear().ok());
        let heard = heard.inspect(|heard| assert!((1..=HEARD_AT_ONCE_MAX).contains(&heard.len())));
        let seq = |heard| if let Heard::Entry(entry) = heard { entry.seq } else { panic!("{heard}") };
        heard.flatten().map(seq).collect()
    };
    let messages = 3 * HEARD_AT_ONCE_MAX as u64 + 1;
    (0..messages).for_each(|_| room.notice("hello").unwrap());
    assert_eq!(wakes.try_iter().count(), 1);
    assert_eq!(observer.hear().unwrap().len(), HEARD_AT_ONCE_MAX);
    room.notice("hello").unwrap();
    assert_eq!(wakes.try_iter().count(), 0, "it has not heard everything");
    assert!(numbers(&observer).into_iter().eq(HEARD_AT_ONCE_MAX as u64 + 1..=messages + 1));
    (0..messages).for_each(|_| room.notice("hello").unwrap());
    assert_eq!(wakes.try_iter().count(), 1);
    drop(room);
    assert!(
        numbers(&observer).into_iter().eq(messages + 2..=2 * messages + 1),
        "also of a room that is gone"
    );
    assert_eq!(observer.hear(), Err(TryRecvError::Closed));
}
