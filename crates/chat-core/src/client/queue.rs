//! The commands of a client's user, on their way to the thread that carries the client.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chat_proto::{LookBack, Text};
use crossbeam_channel::Receiver;

/// A command of a [`Client`](super::Client) to the thread that carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Say this, whatever it begins with.
    Say(Text),
    /// Send this line as it is: if it begins with `/`, it is a command of the room.
    Line(Text),
    /// Ask who is present.
    Who,
    /// Ask for old messages.
    LookBack(LookBack),
    /// Leave once everything said is confirmed.
    Finish,
    /// Leave now.
    Leave,
}

/// The carrying thread's end of a [`Client`](super::Client)'s commands.
///
/// [`Command::Leave`] does not queue: it arrives at once, however many commands wait before it.
#[derive(Debug)]
pub(crate) struct Commands {
    pub(super) queue: Receiver<Command>,
    pub(super) leave: Arc<AtomicBool>,
    pub(super) left: bool,
}

impl Commands {
    /// The next command. While `is_full`, the queue is left alone and only [`Command::Leave`] is returned.
    pub(crate) fn next(&mut self, is_full: bool) -> Option<Command> {
        if self.is_leaving() && !self.left {
            self.left = true;
            return Some(Command::Leave);
        }
        if is_full { None } else { self.queue.try_recv().ok() }
    }

    /// Whether the user wants to leave now, or has dropped the client.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leave.load(Ordering::Acquire)
    }
}
