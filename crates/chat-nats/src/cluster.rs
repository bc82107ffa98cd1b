//! The handle on a cluster, and its thread.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::kv::Store;
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions, Event};
use chat_core::{Journal, JournalError, Journals, Name, Past};
use crossbeam_channel::{Sender, bounded};
use tokio::runtime;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::config::ClusterConfig;
use crate::error::OpenError;
use crate::journal::{JOBS_MAX, RoomJournal};
use crate::opening;
use crate::place::Place;
use crate::room;

/// How long a stream remembers which messages it has: much longer than a publish can be on its way.
pub(crate) const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// How long the start may take: a cluster of NATS that begins, too, needs some seconds to choose its leaders.
const START_TIMEOUT: Duration = Duration::from_secs(15);

/// How long opening a room may take.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause after something has failed at the start.
const RETRY: Duration = Duration::from_millis(300);

/// How long JetStream may take to answer a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a connection is tried that has nothing to carry. Two lost answers end it.
const PING_INTERVAL: Duration = Duration::from_secs(2);

/// The longest pause before another attempt to connect.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_millis(500);

/// Rooms that wait to be opened.
const OPENINGS_MAX: usize = 64;

/// A place in a cluster of chat servers that share the order of their messages. It opens the journals of rooms.
///
/// `Cluster` is a handle: clones share the connection. When the last one is dropped the connection is closed, and the rooms made
/// from it take no more messages.
#[derive(Clone)]
pub struct Cluster(Arc<Inner>);

struct Inner {
    servers: String,
    openings: Mutex<Option<mpsc::Sender<Opening>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// A room to open.
struct Opening {
    name: Option<Name>,
    log_bytes_max: usize,
    answer: Sender<Result<(Past, Arc<RoomJournal>), String>>,
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
        let (openings, queue) = mpsc::channel(OPENINGS_MAX);
        let (answer, connected) = bounded(1);
        let run = move || {
            runtime.block_on(async {
                match Hub::connect(config).await {
                    Ok(hub) => {
                        let _nobody_waits = answer.try_send(Ok(()));
                        hub.run(queue).await;
                    }
                    Err(error) => drop(answer.try_send(Err(error))),
                }
            });
        };
        let thread = Builder::new().name("cluster".to_owned()).spawn(run).map_err(OpenError::System)?;
        let panicked = || Err(OpenError::System(std::io::Error::other("the thread has ended")));
        connected.recv().unwrap_or_else(|_| panicked())?;
        let (openings, thread) = (Mutex::new(Some(openings)), Mutex::new(Some(thread)));
        Ok(Self(Arc::new(Inner { servers, openings, thread })))
    }

    /// The NATS servers, without passwords.
    #[must_use]
    pub fn servers(&self) -> &str {
        &self.0.servers
    }
}

impl Journals for Cluster {
    fn open(
        &self,
        room: Option<&Name>,
        log_bytes_max: usize,
    ) -> Result<(Past, Arc<dyn Journal>), JournalError> {
        let closed = || JournalError("the cluster is closed".to_owned());
        let (answer, opened) = bounded(1);
        let opening = Opening { name: room.cloned(), log_bytes_max, answer };
        let openings = self.0.openings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let openings = openings.ok_or_else(closed)?;
        openings
            .try_send(opening)
            .map_err(|_| JournalError("too many rooms are opened at once".to_owned()))?;
        let (past, journal) = opened.recv().map_err(|_| closed())?.map_err(JournalError)?;
        Ok((past, journal))
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cluster").field(&self.0.servers).finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(self.openings.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _panicked = thread.join(); // its panic was printed where it happened
        }
    }
}

/// The servers as they may be shown.
fn without_passwords(servers: &[String]) -> String {
    let shown = servers.iter().map(|server| match server.split_once("://") {
        Some((scheme, rest)) => {
            format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host))
        }
        None => server.rsplit_once('@').map_or(server.as_str(), |(_, host)| host).to_owned(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// What the cluster's thread has.
struct Hub {
    config: Arc<ClusterConfig>,
    client: Client,
    jetstream: Context,
    bucket: Store,
}

impl Hub {
    async fn connect(config: ClusterConfig) -> Result<Self, OpenError> {
        let by = Instant::now() + START_TIMEOUT;
        let client = loop {
            match options(&config).await?.connect(&config.servers).await {
                Ok(client) => break client,
                Err(error) if Instant::now() + RETRY > by => {
                    let servers = without_passwords(&config.servers);
                    return Err(OpenError::Connect { servers, source: error.into() });
                }
                Err(_) => sleep(RETRY).await,
            }
        };
        let jetstream = jetstream::ContextBuilder::new().timeout(REQUEST_TIMEOUT).build(client.clone());
        let bucket = within(by, || opening::bucket(&jetstream, &config)).await;
        let bucket = bucket.map_err(|error| OpenError::JetStream { source: error.into() })?;
        Ok(Self { config: Arc::new(config), client, jetstream, bucket })
    }

    async fn run(self, mut openings: mpsc::Receiver<Opening>) {
        let starts_until = Instant::now() + START_TIMEOUT;
        while let Some(Opening { name, log_bytes_max, answer }) = openings.recv().await {
            // Later on an I/O thread may wait for the answer, so it is not kept while NATS is away.
            if Instant::now() > starts_until && self.client.connection_state() != State::Connected {
                let why = "the stream that all servers share does not answer".to_owned();
                drop(answer.try_send(Err(why)));
                continue;
            }
            let (config, client) = (Arc::clone(&self.config), self.client.clone());
            let (jetstream, bucket) = (self.jetstream.clone(), self.bucket.clone());
            tokio::spawn(async move {
                let place = Place::new(&config.prefix, name.as_ref());
                let open = || opening::open(&client, &jetstream, &bucket, &config, &place, log_bytes_max);
                let mut opened = match within(Instant::now() + OPEN_TIMEOUT, open).await {
                    Ok(opened) => opened,
                    Err(why) => return drop(answer.try_send(Err(why))),
                };
                let past = std::mem::take(&mut opened.past);
                let (jobs, queue) = mpsc::channel(JOBS_MAX);
                let journal = Arc::new(RoomJournal::new(place.stream.clone(), jobs));
                if answer.try_send(Ok((past, journal))).is_ok() {
                    room::serve(client, jetstream, bucket, place, opened, queue).await;
                }
            });
        }
        let _closed = self.client.drain().await;
    }
}

/// Tries something until it succeeds, or it is too late for another attempt.
async fn within<T, F>(by: Instant, mut attempt: impl FnMut() -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, String>>,
{
    loop {
        match attempt().await {
            Ok(result) => return Ok(result),
            Err(error) if Instant::now() + RETRY > by => return Err(error),
            Err(_) => sleep(RETRY).await,
        }
    }
}

async fn options(config: &ClusterConfig) -> Result<ConnectOptions, OpenError> {
    let cannot_use = |path: &Path, source| OpenError::File { path: path.display().to_string(), source };
    let mut options = ConnectOptions::new()
        .name("chat")
        .ping_interval(PING_INTERVAL)
        .connection_timeout(REQUEST_TIMEOUT)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .reconnect_delay_callback(|attempts| match attempts {
            0 | 1 => Duration::ZERO,
            _ => RECONNECT_PAUSE_MAX,
        })
        .event_callback(|event| async move {
            match event {
                Event::Connected => tracing::info!("connected to NATS"),
                // An attempt that failed; the next one follows.
                Event::ClientError(error) => tracing::debug!(%error, "NATS"),
                event => tracing::warn!(%event, "NATS"),
            }
        });
    if let Some(path) = &config.credentials {
        options = options.credentials_file(path).await.map_err(|error| cannot_use(path, error))?;
    }
    if let Some(path) = &config.root_certificates {
        options = options.add_root_certificates(path.clone());
    }
    if let Some((certificate, key)) = &config.certificate {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(options)
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
