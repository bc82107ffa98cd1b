//! A member that fills the log faster than a transport pulls is throttled. So only a member that is slow itself can
//! lag.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use support::{Carrier, small_room};

/// More than the smallest log holds.
const MANY: usize = 2_000;

#[test]
fn a_speaker_is_throttled_before_a_transport_lags_and_goes_on_when_it_has_pulled() {
    let (room, time) = small_room();
    let (fast, mut slow) = (Carrier::new(&room, &time), Carrier::new(&room, &time));
    let speaker = fast.join("192.0.2.1:1");
    let mut fast = fast;
    let mut pauses = 0;
    for _ in 0..MANY {
        let said = fast.try_say(speaker, "hello").unwrap();
        fast.pull();
        if let Some(until) = said.pause_until {
            assert!(until > time.now());
            assert_eq!(slow.pull().missed_up_to, None, "it is in time");
            pauses += 1;
        }
    }
    assert!((2..MANY / 50).contains(&pauses), "{pauses} pauses");
    assert_eq!(room.stats().throttled, 0, "the member is not over its own rate limit");
}

#[test]
fn a_transport_that_has_lagged_throttles_nobody_any_more() {
    let (room, time) = small_room();
    let (mut fast, stuck) = (Carrier::new(&room, &time), Carrier::new(&room, &time));
    let speaker = fast.join("192.0.2.1:1");
    let held_up = |fast: &mut Carrier| {
        let pauses = (0..MANY).filter(|_| {
            fast.pull();
            fast.try_say(speaker, "hello").unwrap().pause_until.is_some()
        });
        pauses.count()
    };
    assert!(held_up(&mut fast) > 0);
    assert_eq!(held_up(&mut fast), 0);
    drop(stuck);
}
