//! The servers of the cluster: each says once a second that it is there. One that has been silent for long counts as
//! gone, and what it had claimed is free.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::Client;
use async_nats::connection::State;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::exchange::seal::Seal;
use crate::limits::{FORGOTTEN_AFTER, GONE_AFTER, SERVER_BEAT, SERVERS_MAX, SUBSCRIBE_RETRY};

/// Which server: a number that it draws when it starts.
pub(crate) type ServerId = String;

/// The servers of the cluster, as this one hears them.
#[derive(Debug)]
pub(crate) struct Servers {
    me: ServerId,
    /// How often this one has said that it is there.
    said: AtomicU64,
    heard: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// Beats that have passed.
    beats: u64,
    servers: HashMap<ServerId, Heard>,
    /// Grows when a server goes or comes back.
    changes: u64,
}

#[derive(Debug)]
struct Heard {
    /// When it was heard last, in beats.
    at: u64,
    /// Its last message, so that nobody can repeat an old one.
    number: u64,
    is_gone: bool,
}

/// "I am there", or "I go".
#[derive(Debug, Deserialize, Serialize)]
struct Alive {
    server: ServerId,
    number: u64,
    #[serde(default)]
    goes: bool,
}

impl Servers {
    pub(crate) fn new() -> Self {
        Self { me: random_id(), said: AtomicU64::default(), heard: Mutex::default() }
    }

    /// This server.
    pub(crate) fn me(&self) -> &ServerId {
        &self.me
    }

    /// A server has said or stored something: if it is a new one, it counts as there until it was silent for long.
    pub(crate) fn notice(&self, server: &ServerId) {
        let mut table = self.lock();
        let at = table.beats;
        if *server != self.me && table.servers.len() < SERVERS_MAX {
            table.servers.entry(server.clone()).or_insert(Heard { at, number: 0, is_gone: false });
        }
    }

    /// Whether a server has ended, or was silent for long: one that was never [noticed](Self::notice), or so long ago
    /// that it is forgotten, is gone, too.
    pub(crate) fn is_gone(&self, server: &ServerId) -> bool {
        *server != self.me && self.lock().servers.get(server).is_none_or(|heard| heard.is_gone)
    }

    /// Whether a server was gone for so long that what it has stored may be deleted.
    pub(crate) fn is_forgotten(&self, server: &ServerId) -> bool {
        let table = self.lock();
        let is_long_ago = |heard: &Heard| heard.is_gone && table.beats - heard.at > FORGOTTEN_AFTER;
        *server != self.me && table.servers.get(server).is_none_or(is_long_ago)
    }

    /// Grows when [`is_gone`](Self::is_gone) has changed of some server.
    pub(crate) fn changes(&self) -> u64 {
        self.lock().changes
    }

    fn hear(&self, alive: &Alive) {
        if alive.server == self.me {
            return;
        }
        let mut table = self.lock();
        let at = table.beats;
        if !table.servers.contains_key(&alive.server) && table.servers.len() >= SERVERS_MAX {
            return;
        }
        let heard =
            table.servers.entry(alive.server.clone()).or_insert(Heard { at, number: 0, is_gone: false });
        if alive.number <= heard.number {
            return; // said before
        }
        (heard.at, heard.number) = (at, alive.number);
        if std::mem::replace(&mut heard.is_gone, alive.goes) != alive.goes {
            table.changes += 1;
        }
    }

    /// A beat has passed, and NATS was there.
    fn pass(&self) {
        let mut table = self.lock();
        table.beats += 1;
        let Table { beats, servers, changes } = &mut *table;
        for heard in servers.values_mut().filter(|heard| !heard.is_gone && *beats - heard.at > GONE_AFTER) {
            heard.is_gone = true;
            *changes += 1;
        }
        // The values that they had stored were deleted meanwhile.
        servers.retain(|_, heard| !heard.is_gone || *beats - heard.at <= 2 * FORGOTTEN_AFTER);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Every change is complete before anything can panic.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An id that nothing else in the cluster has.
pub(crate) fn random_id() -> String {
    let mut id = [0; 8];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut id)
        .expect("the system has a source of randomness");
    format!("{:016x}", u64::from_be_bytes(id))
}

/// Says that this server is there, and hears the others.
pub(crate) struct Beats {
    pub(crate) servers: Arc<Servers>,
    pub(crate) seal: Arc<Seal>,
    pub(crate) client: Client,
    /// Where servers say that they are there.
    pub(crate) subject: String,
}

impl Beats {
    /// For ever.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut hears_strangers = false;
        loop {
            match self.client.subscribe(self.subject.clone()).await {
                Ok(mut others) => {
                    let mut beat = interval(SERVER_BEAT);
                    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
                    loop {
                        tokio::select! {
                            other = others.next() => {
                                let Some(other) = other else { break };
                                if let Some(alive) = self.seal.open(&self.subject, &other.payload) {
                                    self.servers.hear(&alive);
                                } else if !std::mem::replace(&mut hears_strangers, true) {
                                    tracing::warn!(
                                        subject = self.subject,
                                        "a server with another cluster secret shares these rooms, and is not heard: \
                                         names and members are not in common; give all servers the same secret"
                                    );
                                }
                            }
                            _ = beat.tick() => {
                                if self.client.connection_state() == State::Connected {
                                    self.servers.pass();
                                    self.say(false).await;
                                }
                            }
                        }
                    }
                }
                Err(error) => tracing::debug!(%error, "the other servers cannot be heard"),
            }
            sleep(SUBSCRIBE_RETRY).await;
        }
    }

    /// Says that this server is there, or that it goes.
    pub(crate) async fn say(&self, goes: bool) {
        let number = self.servers.said.fetch_add(1, Ordering::Relaxed) + 1;
        let alive = Alive { server: self.servers.me.clone(), number, goes };
        let sealed = self.seal.close(&self.subject, &alive);
        let _the_next_one_follows = self.client.publish(self.subject.clone(), sealed).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive(number: u64) -> Alive {
        Alive { server: "other".to_owned(), number, goes: false }
    }

    #[test]
    fn names_of_a_server_that_is_long_gone_stay_free() {
        let (servers, other) = (Servers::new(), "other".to_owned());
        servers.notice(&other);
        (0..=2 * FORGOTTEN_AFTER + GONE_AFTER).for_each(|_| servers.pass());
        assert!(servers.lock().servers.is_empty(), "nothing is kept for ever");
        assert!(servers.is_gone(&other) && servers.is_forgotten(&other));
    }

    #[test]
    fn a_server_that_falls_silent_is_gone_after_a_while_and_may_come_back() {
        let (servers, other) = (Servers::new(), "other".to_owned());
        servers.hear(&alive(1));
        (0..GONE_AFTER).for_each(|_| servers.pass());
        assert!(!servers.is_gone(&other));
        servers.pass();
        assert!(servers.is_gone(&other) && !servers.is_forgotten(&other));
        servers.hear(&alive(1));
        assert!(servers.is_gone(&other), "that was said before");
        let changes = servers.changes();
        servers.hear(&alive(2));
        assert!(!servers.is_gone(&other) && servers.changes() > changes);
        servers.hear(&Alive { goes: true, ..alive(3) });
        assert!(servers.is_gone(&other), "it has said so");
        (0..=FORGOTTEN_AFTER).for_each(|_| servers.pass());
        assert!(servers.is_forgotten(&other));
    }

    #[test]
    fn a_server_that_was_not_heard_yet_has_time_to_be_heard() {
        let (servers, other) = (Servers::new(), "other".to_owned());
        (0..100).for_each(|_| servers.pass());
        assert!(servers.is_gone(&other), "nobody knows it, and asking changes nothing");
        servers.notice(&other);
        assert!(!servers.is_gone(&other));
        (0..=GONE_AFTER).for_each(|_| servers.pass());
        assert!(servers.is_gone(&other));
        assert!(!servers.is_gone(servers.me()));
    }
}
