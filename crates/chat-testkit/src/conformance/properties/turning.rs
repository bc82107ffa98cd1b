//! How a turn waits.

use std::thread;
use std::time::{Duration, Instant};

use chat_core::RoomConfig;
use chat_core::transport::{Transport, Turn};
use crossbeam_channel::{RecvTimeoutError, bounded};

use crate::conformance::fault::{Checked, expect, fault};
use crate::conformance::medium::Medium;
use crate::conformance::stage::{Stage, now};

/// Runs a turn on another thread, so that a turn which does not return fails the check.
fn turn<T: Transport + 'static>(
    mut transport: T,
    until: Option<Instant>,
    patience: Duration,
    expected: &str,
) -> Checked<(T, Turn)> {
    let (done, turned) = bounded(1);
    thread::spawn(move || {
        let turn = transport.turn(until).map_err(|error| error.to_string());
        let _nobody_waits = done.send((transport, turn));
    });
    match turned.recv_timeout(patience) {
        Ok((transport, Ok(turn))) => Ok((transport, turn)),
        Ok((_, Err(error))) => fault(expected, error),
        Err(RecvTimeoutError::Timeout) => fault(expected, format!("no return within {patience:?}")),
        Err(RecvTimeoutError::Disconnected) => fault(expected, "a panic"),
    }
}

pub(in crate::conformance) fn in_time<M: Medium>(medium: &M) -> Checked {
    let stage = Stage::new(medium, RoomConfig::default());
    let (mut transport, _address) = medium.open(&stage.room);
    let patience = medium.patience();
    let mut ended = Turn::Open;
    for wait in [Duration::ZERO, Duration::ZERO, Duration::from_millis(1), Duration::from_millis(50)] {
        let expected = format!("a turn that may wait for {wait:?} returns");
        (transport, ended) = turn(transport, Some(now() + wait), patience, &expected)?;
    }
    expect(ended == Turn::Open, "the room is open", || format!("{ended:?}"))?;
    stage.room.close("the kit is done", patience);
    for _ in 0..10 {
        (transport, ended) = turn(transport, None, patience, "a turn returns when the room is closed")?;
        if ended == Turn::Done {
            return Ok(());
        }
    }
    fault("nobody is there, so a turn says that the transport is done", format!("{ended:?}, ten times"))
}

pub(in crate::conformance) fn wakes<M: Medium>(medium: &M) -> Checked {
    // Wake before the wait. Without a second thread, the order is certain.
    let stage = Stage::new(medium, RoomConfig::default());
    let (mut transport, _address) = medium.open(&stage.room);
    for number in 0..20 {
        stage.say(&format!("early {number}"))?;
        let expected = "a turn returns if the waker was called before it began to wait";
        (transport, _) = turn(transport, None, medium.patience(), expected)?;
    }
    drop(transport);

    // Wake during the wait and at any moment before it. Each line has to wake the transport again.
    let mut stage = Stage::new(medium, RoomConfig::default());
    let (running, address) = stage.open();
    let mut ann = stage.join(&address)?;
    if stage.promises().reliable {
        for number in 0..300 {
            stage.say(&format!("wake {number}"))?;
            ann.hears(&format!("[kit] wake {number}"))?;
        }
    } else {
        for _ in 0..100 {
            stage.sync(&mut ann)?;
        }
    }
    drop(ann);
    stage.close([running])
}

pub(in crate::conformance) fn idle<M: Medium>(medium: &M) -> Checked {
    const QUIET: Duration = Duration::from_millis(300);
    const TURNS_MAX: u64 = 100;
    let mut stage = Stage::new(medium, RoomConfig::default());
    let (running, address) = stage.open();
    let (mut ann, mut bob) = (stage.join(&address)?, stage.join(&address)?);
    ann.say("the last word for a while")?;
    stage.wait_for_said(&ann.author, "the last word for a while")?;
    stage.sync(&mut ann)?;
    stage.sync(&mut bob)?;
    let before = running.turns();
    let heard = ann.hear_by(now() + QUIET);
    let turns = running.turns() - before;
    expect(heard.is_none(), "nothing is heard while nothing is said", || format!("{heard:?}"))?;
    expect(turns <= TURNS_MAX, "while nothing happens, hardly a turn ends", || {
        format!("{turns} turns in {QUIET:?}")
    })?;
    drop((ann, bob));
    stage.close([running])
}
