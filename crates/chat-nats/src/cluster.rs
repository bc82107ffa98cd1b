//! The handle on a cluster, and its thread.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use chat_core::Room;
use chat_core::journal::{JournalError, Journals};
use chat_core::transport::OpenRequest;
use crossbeam_channel::bounded;
use tokio::runtime;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::config::ClusterConfig;
use crate::error::OpenError;
use crate::hub::{Hub, Task};
use crate::limits::TASKS_MAX;

/// A place in a cluster of chat servers that share the order of their messages. It opens the journals of rooms.
///
/// `Cluster` is a handle: clones share the connection. When the last one is dropped the connection is closed, and the
/// rooms made from it take no more messages.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    servers: String,
    tasks: Mutex<Option<mpsc::Sender<Task>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Cluster {
    /// Connects to NATS. Waits up to 15 seconds for its JetStream.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn connect(config: ClusterConfig) -> Result<Self, OpenError> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if config.prefix.is_empty() || !config.prefix.chars().all(is_token) {
            return Err(OpenError::Prefix { prefix: config.prefix });
        }
        let runtime =
            runtime::Builder::new_current_thread().enable_all().build().map_err(OpenError::System)?;
        let servers = without_passwords(&config.servers);
        let (tasks, queue) = mpsc::channel(TASKS_MAX);
        let (answer, connected) = bounded(1);
        let run = move || {
            runtime.block_on(async {
                match Hub::connect(config).await {
                    Ok(hub) => {
                        let _nobody_waits = answer.try_send(Ok(()));
                        Arc::new(hub).run(queue).await;
                    }
                    Err(error) => drop(answer.try_send(Err(error))),
                }
            });
        };
        let thread = Builder::new().name("cluster".to_owned()).spawn(run).map_err(OpenError::System)?;
        let panicked = || Err(OpenError::System(std::io::Error::other("the thread has ended")));
        connected.recv().unwrap_or_else(|_| panicked())?;
        let (tasks, thread) = (Mutex::new(Some(tasks)), Mutex::new(Some(thread)));
        Ok(Self(Arc::new(Inner { servers, tasks, thread })))
    }

    /// From now on the bans of this server hold at all servers, and theirs here. `room` is one of its rooms: they share
    /// their bans.
    pub fn share_bans(&self, room: &Room) {
        if let Some(tasks) = self.tasks() {
            // There is room before the first room is opened by a member.
            let _full = tasks.try_send(Task::ShareBans(room.clone()));
        }
    }

    fn tasks(&self) -> Option<mpsc::Sender<Task>> {
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The NATS servers, without passwords.
    #[must_use]
    pub fn servers(&self) -> &str {
        &self.0.servers
    }
}

impl Journals for Cluster {
    fn open(&self, request: OpenRequest) {
        let Some(tasks) = self.tasks() else { return }; // dropping the request says that it is closed
        if let Err(TrySendError::Full(Task::Open(request))) = tasks.try_send(Task::Open(request)) {
            request.answer(Err(JournalError("too many rooms are opened at once".to_owned())));
        }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cluster").field(&self.0.servers).finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The last handle may be dropped on that thread, when a room that nobody waits for any more is open.
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            let _panicked = thread.join(); // its panic was printed where it happened
        }
    }
}

/// The servers as they may be shown.
pub(crate) fn without_passwords(servers: &[String]) -> String {
    let shown = servers.iter().map(|server| match server.split_once("://") {
        Some((scheme, rest)) => {
            format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host))
        }
        None => server.rsplit_once('@').map_or(server.as_str(), |(_, host)| host).to_owned(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        let servers = ["nats://ann:secret@a:4222".to_owned(), "b:4222".to_owned(), "x@c".to_owned()];
        assert_eq!(without_passwords(&servers), "nats://a:4222, b:4222, c");
    }
}
