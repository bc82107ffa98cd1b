//! Threads that run transports until the room is closed.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::time::{Duration, Instant};

use chat_core::transport::{Attachment, Transport, Turn, Update, run};
use chat_core::{Room, Running, Waker};
use crossbeam_channel::{Receiver, Sender, bounded};
use support::{NEVER, hear, in_time, local, room, waker};

#[derive(Debug, thiserror::Error)]
#[error("the cable is cut")]
struct Cut;

/// What a [`Scripted`] does when the room wakes it.
enum Plan {
    Serve,
    Fail,
    Panic,
}

/// A transport that waits only for the room.
struct Scripted {
    attachment: Attachment,
    woken: Receiver<()>,
    waker: Waker,
    plan: Plan,
    /// How many turns it still takes to end.
    turns_left: usize,
    drained: Sender<Instant>,
}

impl Scripted {
    fn new(room: &Room, plan: Plan) -> (Self, Receiver<Instant>) {
        let (waker, woken) = waker();
        let attachment = room.attach(waker.clone());
        let (drained, was_drained) = bounded(1);
        (Self { attachment, woken, waker, plan, turns_left: 3, drained }, was_drained)
    }
}

impl Transport for Scripted {
    type Error = Cut;

    fn turn(&mut self, _until: Option<Instant>) -> Result<Turn, Cut> {
        self.woken.recv_timeout(NEVER).expect("a room that is closed wakes its transports");
        match self.plan {
            Plan::Serve => {}
            Plan::Fail => return Err(Cut),
            Plan::Panic => panic!("as planned"),
        }
        let mut update = Update::default();
        self.attachment.pull(&mut update);
        let Some(deadline) = update.closing else { return Ok(Turn::Open) };
        if self.turns_left > 0 {
            self.turns_left -= 1;
            self.waker.wake();
            return Ok(Turn::Closing);
        }
        self.drained.send(deadline).unwrap();
        Ok(Turn::Done)
    }

    fn due(&self) -> Option<Instant> {
        None
    }
}

#[test]
fn a_transport_runs_until_the_room_is_closed_and_it_is_done() {
    let (room, time) = room();
    let (transport, drained) = Scripted::new(&room, Plan::Serve);
    let deadline = time.now() + Duration::from_secs(5);
    let ran = std::thread::spawn(|| run(transport));
    room.notice("hello").unwrap();
    room.close("Good night", Duration::from_secs(5));
    in_time(|| ran.join().unwrap()).unwrap();
    assert_eq!(drained.recv(), Ok(deadline));
}

#[test]
fn a_transport_of_a_room_that_is_closing_already_ends_too() {
    let (room, _) = room();
    room.close("Good night", Duration::ZERO);
    let (transport, drained) = Scripted::new(&room, Plan::Serve);
    run(transport).unwrap();
    assert!(drained.recv().is_ok());
}

#[test]
fn all_transports_of_a_room_end_when_it_is_closed() {
    let (room, _) = room();
    let mut running = Running::new(&room);
    let transports = [0, 1, 2].map(|_| Scripted::new(&room, Plan::Serve));
    let drained = transports.map(|(transport, drained)| {
        running.spawn("transport", transport).unwrap();
        drained
    });
    room.close("Good night", Duration::ZERO);
    running.join().unwrap();
    assert!(drained.iter().all(|drained| drained.recv().is_ok()));
}

#[test]
fn a_transport_that_fails_closes_the_room_for_the_others_and_is_the_error() {
    let (room, _) = room();
    let bot = local(&room, "bot");
    let mut running = Running::new(&room);
    let (healthy, drained) = Scripted::new(&room, Plan::Serve);
    let (failing, not_drained) = Scripted::new(&room, Plan::Fail);
    running.spawn("healthy", healthy).unwrap();
    running.spawn("failing", failing).unwrap();
    room.notice("hello").unwrap();
    let error = running.join().unwrap_err();
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the cable is cut");
    assert!(room.is_closing());
    assert!(drained.recv().is_ok());
    assert!(not_drained.recv().is_err());
    assert_eq!(hear(&bot), ["1 [*] hello", "2 [*] The server has failed"]);
}

#[test]
fn a_transport_that_panics_closes_the_room_for_the_others_too() {
    let (room, _) = room();
    let mut running = Running::new(&room);
    let (healthy, drained) = Scripted::new(&room, Plan::Serve);
    let (panicking, _) = Scripted::new(&room, Plan::Panic);
    running.spawn("healthy", healthy).unwrap();
    running.spawn("panicking", panicking).unwrap();
    room.notice("hello").unwrap();
    assert!(drained.recv_timeout(NEVER).is_ok(), "the healthy one was not told to end");
    let error = running.join().unwrap_err();
    assert!(matches!(error, chat_core::RunError::Panicked { .. }), "{error}");
}
