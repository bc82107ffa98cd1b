//! Bans, which hold at all servers of the cluster.
//!
//! The bucket has a key for each. What changes there changes the list of this server, and the other way round. A server that starts
//! with bans of its own, from a file, adds those of which the bucket knows nothing; what was lifted meanwhile stays lifted.
//!
//! A ban with an end vanishes from the bucket by the clock of NATS. No server takes it away because its own clock says so: that
//! clock may be wrong.

mod register;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chat_core::{Ban, BanListFull, Banned, Room, Waker};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use crate::bucket::{Writer, came_late};
use crate::follower::Stored;
use crate::hub::Hub;
use crate::place::{ban_key, read_ban_key};
use register::{Register, Step};

/// How often the list is looked at without a change: for what could not be stored or held.
const TICK: Duration = Duration::from_secs(5);

/// How long the bucket remembers that a ban was lifted, so that a server that was not there learns it.
const LIFTED_REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A ban, as it is stored.
#[derive(Debug, Deserialize, Serialize)]
struct StoredBan {
    who: String,
    why: String,
    until_unix_ms: Option<u64>,
}

struct Bans {
    hub: Arc<Hub>,
    writer: Writer,
    room: Room,
    register: Register,
}

/// Keeps the bans of this server and those of the bucket together, as long as the cluster is there.
pub(crate) async fn share(hub: Arc<Hub>, room: Room) {
    let changed = Arc::new(Notify::new());
    let wake = Arc::clone(&changed);
    room.watch_bans(Waker::new(move || wake.notify_one()));
    let mut followed = hub.follow_bucket("ban.>");
    let subjects = format!("$KV.{}.", hub.bucket.name);
    let writer = hub.writer();
    let mut bans = Bans { hub, writer, room, register: Register::default() };
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            batch = followed.batches.recv() => {
                let Some(batch) = batch else { return };
                batch.iter().for_each(|stored| bans.heard(stored, &subjects));
            }
            () = changed.notified() => bans.settle().await,
            _ = tick.tick() => bans.settle().await,
        }
    }
}

impl Bans {
    /// The bans in force here, by their keys.
    fn there(&self) -> HashMap<String, Ban> {
        self.room.bans().into_iter().map(|ban| (ban_key(&ban.who.to_string()), ban)).collect()
    }

    /// The bucket has something new.
    fn heard(&mut self, stored: &Stored, subjects: &str) {
        let Some(key) = stored.subject.strip_prefix(subjects) else { return };
        let Some(who) = read_ban_key(key).and_then(|who| who.parse::<Banned>().ok()) else { return };
        let ban = if stored.is_deletion { None } else { self.open(key, &who, stored) };
        if !self.register.learn(key, stored.seq, ban.clone()) {
            return;
        }
        match ban {
            Some(ban) => {
                if let Err(error) = self.hold(key, &ban) {
                    tracing::warn!(%error, who = %ban.who, "a ban of another server does not hold here yet");
                }
            }
            None => drop(self.room.unban(&who)),
        }
    }

    fn open(&self, key: &str, who: &Banned, stored: &Stored) -> Option<Ban> {
        let StoredBan { why, until_unix_ms, .. } = self.hub.seal.open(key, &stored.payload)?;
        Some(Ban { who: who.clone(), why: why.parse().ok()?, until_unix_ms })
    }

    /// A ban of another server is to hold here. If it cannot now, it is tried again.
    fn hold(&mut self, key: &str, ban: &Ban) -> Result<(), BanListFull> {
        if ban.until_unix_ms.is_none_or(|until| until > self.room.unix_ms()) {
            self.room.ban(ban)?;
            self.register.holds(key);
        }
        Ok(())
    }

    /// Stores what has changed here, and holds what could not be held before. What cannot be stored now is stored later.
    async fn settle(&mut self) {
        let there = self.there();
        for step in self.register.steps(&there, self.room.unix_ms()) {
            let (key, result, ban) = match step {
                Step::Hold { key, ban } => {
                    let _still_full = self.hold(&key, &ban);
                    continue;
                }
                Step::Lift { key, after } => {
                    let result = self.writer.delete(&key, LIFTED_REMEMBERED, after).await;
                    (key, result, None)
                }
                Step::Store { key, ban, after } => {
                    let lasts = ban
                        .until_unix_ms
                        .map(|until| Duration::from_millis(until.saturating_sub(self.room.unix_ms())));
                    let stored = StoredBan {
                        who: ban.who.to_string(),
                        why: ban.why.as_str().to_owned(),
                        until_unix_ms: ban.until_unix_ms,
                    };
                    let sealed = self.hub.seal.close(&key, &stored);
                    let result = self.writer.put(&key, sealed, lasts, Some(after)).await;
                    (key, result, Some(ban))
                }
            };
            match result {
                Ok(revision) => {
                    let is_ban = ban.is_some();
                    self.register.learn(&key, revision, ban);
                    if is_ban {
                        self.register.holds(&key);
                    }
                }
                // The bucket knows more than this server, which hears it soon.
                Err(error) if came_late(&error) => {}
                Err(error) => tracing::debug!(%error, key, "the change of a ban is not stored yet"),
            }
        }
    }
}
