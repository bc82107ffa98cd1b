//! A transport that runs on a thread of its own, and can be held between two turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use chat_core::transport::{Transport, Turn};
use crossbeam_channel::{Receiver, RecvTimeoutError, SendError, Sender, bounded};

use super::fault::{Checked, fault};

/// A transport that runs on a thread until the room closes.
pub(super) struct Running {
    stop: Arc<AtomicBool>,
    hold: Arc<AtomicBool>,
    turns: Arc<AtomicU64>,
    /// `held` has a token when a turn has ended and the next turn waits. A token in `release` begins the next turn.
    held: Receiver<()>,
    release: Sender<()>,
    ended: Receiver<Result<(), String>>,
}

/// Runs a transport like [`chat_core::transport::run`], and drops it if told to.
pub(super) fn run<T: Transport + 'static>(mut transport: T) -> Running {
    let (stop, hold) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let turns = Arc::new(AtomicU64::new(0));
    let ((end, ended), (tell, held), (release, released)) = (bounded(1), bounded(1), bounded(1));
    let (stopped, holding, counted) = (Arc::clone(&stop), Arc::clone(&hold), Arc::clone(&turns));
    thread::spawn(move || {
        let result = loop {
            if stopped.load(Ordering::SeqCst) {
                break Ok(());
            }
            if holding.swap(false, Ordering::SeqCst) {
                // An error means that the kit has given up waiting.
                let _nobody_waits = tell.send(()).and_then(|()| released.recv().map_err(|_| SendError(())));
            }
            match transport.turn(None) {
                Ok(Turn::Open | Turn::Closing) => drop(counted.fetch_add(1, Ordering::SeqCst)),
                Ok(Turn::Done) => break Ok(()),
                Err(error) => break Err(error.to_string()),
            }
        };
        drop(transport);
        let _nobody_waits = end.send(result);
    });
    Running { stop, hold, turns, held, release, ended }
}

impl Running {
    pub(super) fn turns(&self) -> u64 {
        self.turns.load(Ordering::SeqCst)
    }

    /// Fails if the transport has ended.
    pub(super) fn goes_on(&self) -> Checked {
        match self.ended.try_recv() {
            Ok(end) => fault("the transport goes on", format!("it has ended: {end:?}")),
            Err(error) if error.is_disconnected() => fault("the transport goes on", "it has panicked"),
            Err(_) => Ok(()),
        }
    }

    /// Holds the transport after its present turn. The next message must end this turn.
    pub(super) fn hold(&self) {
        self.hold.store(true, Ordering::SeqCst);
    }

    /// Waits until the transport is held.
    pub(super) fn wait_until_held(&self, patience: Duration) -> Checked {
        match self.held.recv_timeout(patience) {
            Ok(()) => Ok(()),
            Err(_) => fault("a turn ends when something is said", format!("it goes on for {patience:?}")),
        }
    }

    /// Lets a held transport go on.
    pub(super) fn release(&self) {
        let _ended = self.release.try_send(());
    }

    /// Drops the transport after its present turn. Some event must end this turn.
    pub(super) fn drop_after_turn(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Waits until the transport has ended, and checks that it ended properly.
    pub(super) fn end(self, patience: Duration) -> Checked {
        match self.ended.recv_timeout(patience) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => fault("the transport ends in order", error),
            Err(RecvTimeoutError::Timeout) => {
                fault("the transport ends", format!("it still runs after {patience:?}"))
            }
            Err(RecvTimeoutError::Disconnected) => fault("the transport ends in order", "it has panicked"),
        }
    }
}
