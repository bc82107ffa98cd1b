//! Bans, which hold at all servers of the cluster.
//!
//! The bucket has a key for each. What changes there changes the list of this server, and the other way round. A server that starts
//! with bans of its own, from a file, adds those of which the bucket knows nothing; what was lifted meanwhile stays lifted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::kv::UpdateErrorKind;
use chat_core::{Ban, Banned, Room, Waker};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use crate::follower::Stored;
use crate::hub::Hub;
use crate::place::{ban_key, read_ban_key};

/// How often the list is looked at without a change: for what could not be stored, and for bans that have ended.
const TICK: Duration = Duration::from_secs(5);

/// How long the bucket remembers that a ban was lifted, so that a server that was not there learns it.
const MARKER: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A ban, as it is stored.
#[derive(Debug, Deserialize, Serialize)]
struct StoredBan {
    who: String,
    why: String,
    until_unix_ms: Option<u64>,
}

struct Bans {
    hub: Arc<Hub>,
    room: Room,
    /// What the bucket has, by the key. `None`: it was lifted.
    known: HashMap<String, Option<Ban>>,
}

/// Keeps the bans of this server and those of the bucket together, as long as the cluster is there.
pub(crate) async fn share(hub: Arc<Hub>, room: Room) {
    let changed = Arc::new(Notify::new());
    let wake = Arc::clone(&changed);
    room.watch_bans(Waker::new(move || wake.notify_one()));
    let mut followed = hub.follow_bucket("ban.>");
    let subjects = format!("$KV.{}.", hub.bucket.name);
    let mut bans = Bans { hub, room, known: HashMap::new() };
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            batch = followed.batches.recv() => {
                let Some(batch) = batch else { return };
                let mut there = bans.there();
                batch.iter().for_each(|stored| bans.heard(stored, &subjects, &mut there));
            }
            () = changed.notified() => bans.store().await,
            _ = tick.tick() => bans.store().await,
        }
    }
}

impl Bans {
    /// The bans in force here, by their keys.
    fn there(&self) -> HashMap<String, Ban> {
        self.room.bans().into_iter().map(|ban| (ban_key(&ban.who.to_string()), ban)).collect()
    }

    /// The bucket has something new. `there` is what is in force here.
    fn heard(&mut self, stored: &Stored, subjects: &str, there: &mut HashMap<String, Ban>) {
        let Some(key) = stored.subject.strip_prefix(subjects) else { return };
        let Some(who) = read_ban_key(key).and_then(|who| who.parse::<Banned>().ok()) else { return };
        let ban = if stored.is_deletion { None } else { self.open(key, &who, stored) };
        match &ban {
            Some(ban) if there.get(key) != Some(ban) => match self.room.ban(ban) {
                Ok(_) => drop(there.insert(key.to_owned(), ban.clone())),
                Err(error) => {
                    tracing::warn!(%error, who = %ban.who, "a ban of another server does not hold here");
                }
            },
            None if there.remove(key).is_some() => drop(self.room.unban(&who)),
            _ => {}
        }
        self.known.insert(key.to_owned(), ban);
    }

    fn open(&self, key: &str, who: &Banned, stored: &Stored) -> Option<Ban> {
        let StoredBan { why, until_unix_ms, .. } = self.hub.seal.open(key, &stored.payload)?;
        let ban = Ban { who: who.clone(), why: why.parse().ok()?, until_unix_ms };
        Some(ban).filter(|ban| ban.until_unix_ms.is_none_or(|until| until > self.room.unix_ms()))
    }

    /// Stores what has changed here. What cannot be stored now is stored later.
    async fn store(&mut self) {
        let there = self.there();
        let lifted = self.known.iter().filter(|(key, ban)| ban.is_some() && !there.contains_key(*key));
        let lifted: Vec<String> = lifted.map(|(key, _)| key.clone()).collect();
        for key in lifted {
            if self.hub.bucket.purge_with_ttl(&key, MARKER).await.is_ok() {
                self.known.insert(key, None);
            }
        }
        // The bucket forgets them, too.
        if self.known.len() > 2 * chat_core::BANS_MAX {
            self.known.retain(|_, ban| ban.is_some());
        }
        for (key, ban) in there {
            if self.known.get(&key).and_then(Option::as_ref) == Some(&ban) {
                continue;
            }
            let stored = StoredBan {
                who: ban.who.to_string(),
                why: ban.why.as_str().to_owned(),
                until_unix_ms: ban.until_unix_ms,
            };
            let sealed = self.hub.seal.close(&key, &stored);
            let result = match self.known.contains_key(&key) {
                true => self.hub.bucket.put(&key, sealed).await.map(drop).map_err(|error| error.to_string()),
                // The bucket may know it, and this server not yet: then it is heard soon.
                false => match self.hub.bucket.update(&key, sealed, 0).await {
                    Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => continue,
                    result => result.map(drop).map_err(|error| error.to_string()),
                },
            };
            match result {
                Ok(()) => drop(self.known.insert(key, Some(ban))),
                Err(error) => tracing::debug!(error, key, "the ban is not stored yet"),
            }
        }
    }
}
