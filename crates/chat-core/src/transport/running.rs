//! Threads that run transports.

use std::error::Error;
use std::io;
use std::thread::{Builder, JoinHandle};

use thiserror::Error;

use crate::limits::GRACE_AFTER_FAILURE;
use crate::rooms::Rooms;
use crate::transport::{Transport, Turn};

/// Runs `transport` on this thread until its room is closed and every peer was told.
///
/// # Errors
///
/// The error of the transport.
///
/// In a loop of your own (a game's, say) call [`Transport::turn`] yourself.
pub fn run<T: Transport>(mut transport: T) -> Result<(), T::Error> {
    while transport.turn(None)? != Turn::Done {}
    Ok(())
}

/// Transports of one room, or of all rooms of a server, each on a thread of its own.
///
/// [`join`](Self::join) waits for their end; [`Rooms::close`], or [`Room::close`](crate::Room::close), ends them. A
/// transport that fails or panics closes the rooms, so that the others end in order, too.
#[derive(Debug)]
#[must_use = "dropping it leaves the threads to themselves; call `join` to wait for them and to learn why they ended"]
pub struct Running {
    rooms: Rooms,
    threads: Vec<JoinHandle<Result<(), BoxedError>>>,
}

type BoxedError = Box<dyn Error + Send + Sync>;

impl Running {
    /// Nothing runs yet.
    pub fn new(rooms: impl Into<Rooms>) -> Self {
        Self { rooms: rooms.into(), threads: Vec::new() }
    }

    /// Runs `transport` on a new thread called `name`.
    ///
    /// # Errors
    ///
    /// If the system has no thread to give.
    pub fn spawn<T: Transport + 'static>(&mut self, name: &str, transport: T) -> io::Result<()> {
        let rooms = self.rooms.clone();
        let thread = Builder::new().name(name.to_owned()).spawn(move || {
            let _closes = ClosesOnDrop(rooms);
            run(transport).map_err(BoxedError::from)
        })?;
        self.threads.push(thread);
        Ok(())
    }

    /// Waits until every transport has ended.
    ///
    /// # Errors
    ///
    /// [`RunError`] of the first transport that failed, if one did.
    pub fn join(self) -> Result<(), RunError> {
        let threads = self.threads.into_iter().map(|thread| {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            (name, thread.join())
        });
        // Waits for all of them first.
        let ended: Vec<_> = threads.collect();
        ended.into_iter().try_for_each(|(name, ended)| match ended {
            Ok(result) => result.map_err(|source| RunError::Failed { name, source }),
            Err(_) => Err(RunError::Panicked { name }),
        })
    }
}

/// Why a transport ended before its room was closed. Works with `?` in functions that return a boxed error or
/// `anyhow::Error`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// A call of the system failed for good.
    #[error("the thread {name} has failed")]
    Failed {
        /// Of the thread.
        name: String,
        /// The error of the transport.
        source: BoxedError,
    },
    /// A bug: stderr says which.
    #[error("the thread {name} has panicked")]
    Panicked {
        /// Of the thread.
        name: String,
    },
}

/// Closes the rooms when a transport's thread ends, even by a panic. If the thread ends in order, they are
/// already closed.
struct ClosesOnDrop(Rooms);

impl Drop for ClosesOnDrop {
    fn drop(&mut self) {
        self.0.close("The server has failed", GRACE_AFTER_FAILURE);
    }
}
