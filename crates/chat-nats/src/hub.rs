//! The connection to NATS: makes it, opens rooms over it and starts a task for each, and says to other servers that
//! this one is there.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::kv::Store;
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions, Event};
use chat_core::Room;
use chat_core::journal::{Journal, JournalError};
use chat_core::transport::OpenRequest;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::bucket::Writer;
use crate::bucket::bans;
use crate::cluster::without_passwords;
use crate::config::ClusterConfig;
use crate::error::OpenError;
use crate::exchange::seal::Seal;
use crate::exchange::servers::{Beats, Servers};
use crate::journal::RoomJournal;
use crate::layout::Place;
use crate::limits::{
    GOODBYE_TIMEOUT, JOBS_MAX, OPEN_TIMEOUT, PING_INTERVAL, RECONNECT_PAUSE_MAX, REQUEST_TIMEOUT,
    START_RETRY, START_TIMEOUT,
};
use crate::room;
use crate::stream::follower::{Followed, follow};
use crate::stream::opening;

/// Something for the cluster's thread.
pub(crate) enum Task {
    Open(OpenRequest),
    /// The bans of this room's server.
    ShareBans(Room),
}

/// The connection to NATS, and what the servers of the cluster have in common.
pub(crate) struct Hub {
    config: ClusterConfig,
    pub(crate) client: Client,
    pub(crate) jetstream: Context,
    pub(crate) bucket: Store,
    pub(crate) seal: Arc<Seal>,
    pub(crate) servers: Arc<Servers>,
}

impl Hub {
    pub(crate) async fn connect(config: ClusterConfig) -> Result<Self, OpenError> {
        let by = Instant::now() + START_TIMEOUT;
        let mut is_told = false;
        let client = loop {
            match options(&config).await?.connect(&config.servers).await {
                Ok(client) => break client,
                Err(error) if Instant::now() + START_RETRY > by => {
                    let servers = without_passwords(&config.servers);
                    return Err(OpenError::Connect { servers, source: error.into() });
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_told, true) {
                        let servers = without_passwords(&config.servers);
                        tracing::warn!(%error, servers, "NATS does not answer yet: trying for {START_TIMEOUT:?}");
                    }
                    sleep(START_RETRY).await;
                }
            }
        };
        let jetstream = jetstream::ContextBuilder::new().timeout(REQUEST_TIMEOUT).build(client.clone());
        let bucket = within(by, || opening::bucket(&jetstream, &config)).await;
        let bucket = bucket.map_err(|error| OpenError::JetStream { source: error.into() })?;
        let (seal, servers) = (Arc::new(Seal::new(&config.secret)), Arc::new(Servers::new()));
        Ok(Self { config, client, jetstream, bucket, seal, servers })
    }

    pub(crate) async fn run(self: Arc<Self>, mut tasks: mpsc::Receiver<Task>) {
        let starts_until = Instant::now() + START_TIMEOUT;
        let beats = Arc::new(Beats {
            servers: Arc::clone(&self.servers),
            seal: Arc::clone(&self.seal),
            client: self.client.clone(),
            subject: self.subject("servers"),
        });
        tokio::spawn(Arc::clone(&beats).run());
        while let Some(task) = tasks.recv().await {
            match task {
                // Later on a person waits for the answer, so the request is not kept while NATS is away.
                Task::Open(request)
                    if Instant::now() > starts_until
                        && self.client.connection_state() != State::Connected =>
                {
                    let why = "the stream that all servers share does not answer".to_owned();
                    request.answer(Err(JournalError(why)));
                }
                Task::Open(request) => drop(tokio::spawn(Arc::clone(&self).serve(request))),
                Task::ShareBans(room) => drop(tokio::spawn(bans::share(Arc::clone(&self), room))),
            }
        }
        beats.say(true).await;
        // The connection ends with this thread, and what is not written by then is lost.
        let _too_late = timeout(GOODBYE_TIMEOUT, self.client.flush()).await;
    }

    /// Opens a room, and serves it until it is gone.
    async fn serve(self: Arc<Self>, request: OpenRequest) {
        let log_bytes_max = request.log_bytes_max;
        let place = Place::new(&self.config.prefix, request.room.as_ref());
        let open = || {
            opening::open(&self.client, &self.jetstream, &self.bucket, &self.config, &place, log_bytes_max)
        };
        let mut opened = match within(Instant::now() + OPEN_TIMEOUT, open).await {
            Ok(opened) => opened,
            Err(why) => return request.answer(Err(JournalError(why))),
        };
        let mut past = std::mem::take(&mut opened.past);
        let (jobs, queue) = mpsc::channel(JOBS_MAX);
        let tells_all = Arc::new(AtomicBool::new(false));
        let journal = Arc::new(RoomJournal::new(place.stream.clone(), jobs, Arc::clone(&tells_all)));
        past.relay = Some(Arc::<RoomJournal>::clone(&journal));
        let journal: Arc<dyn Journal> = journal;
        request.answer(Ok((past, journal)));
        room::serve(&self, place, opened, queue, tells_all).await;
    }

    /// A subject of this cluster.
    pub(crate) fn subject(&self, what: &str) -> String {
        format!("{}.{what}", self.config.prefix)
    }

    /// What people call this server.
    pub(crate) fn server_name(&self) -> String {
        self.config.server_name.clone().unwrap_or_else(|| self.servers.me().clone())
    }

    /// Writes to the bucket.
    pub(crate) fn writer(&self) -> Writer {
        Writer::new(self.jetstream.clone(), &self.bucket.name)
    }

    /// Follows these keys of the bucket from the beginning: their values now, and then each change.
    pub(crate) fn follow_bucket(&self, keys: &str) -> Followed {
        let name = &self.bucket.name;
        let (client, jetstream) = (self.client.clone(), self.jetstream.clone());
        follow(client, jetstream, &format!("KV_{name}"), &format!("$KV.{name}.{keys}"), 1)
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
            Err(error) if Instant::now() + START_RETRY > by => return Err(error),
            Err(_) => sleep(START_RETRY).await,
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
