//! Bans, which hold at all servers of the cluster.
//!
//! The bucket has a key for each. A change there changes the list of this server, and the other way round. A server
//! that starts with bans of its own, from a file, adds those that the bucket does not know; a ban that was lifted
//! meanwhile stays lifted.
//!
//! A ban with an end vanishes from the bucket by the clock of NATS. No server takes it away because its own clock says
//! so: that clock may be wrong.

mod in_force;
mod register;

use std::sync::Arc;
use std::time::Duration;

use chat_core::access::{Ban, BanListFull};
use chat_core::{Room, Text, Waker};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use crate::bucket::{Writer, came_late};
use crate::hub::Hub;
use crate::limits::{BANS_TICK, LIFTED_REMEMBERED};
use crate::stream::follower::Stored;
use in_force::InForce;
use register::{Register, Step};

/// A ban, as it is stored.
#[derive(Debug, Deserialize, Serialize)]
struct StoredBan {
    who: String,
    why: String,
    until_unix_ms: Option<u64>,
}

impl StoredBan {
    fn into_ban(self) -> Option<Ban> {
        let Self { who, why, until_unix_ms } = self;
        Some(Ban { who: who.parse().ok()?, why: Text::lossy(&why), until_unix_ms })
    }
}

struct Bans {
    hub: Arc<Hub>,
    writer: Writer,
    in_force: InForce,
    register: Register,
    /// A change could not be stored when that was tried last.
    is_failing: bool,
}

/// Keeps the bans of this server and those of the bucket together, as long as the cluster is there.
pub(crate) async fn share(hub: Arc<Hub>, room: Room) {
    let changed = Arc::new(Notify::new());
    let wake = Arc::clone(&changed);
    room.watch_bans(Waker::new(move || wake.notify_one()));
    let mut followed = hub.follow_bucket("ban.>");
    let subjects = format!("$KV.{}.", hub.bucket.name);
    let writer = hub.writer();
    let (in_force, register) = (InForce::new(room), Register::default());
    let mut bans = Bans { hub, writer, in_force, register, is_failing: false };
    let mut tick = interval(BANS_TICK);
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
    /// The bucket has something new.
    fn heard(&mut self, stored: &Stored, subjects: &str) {
        let Some(key) = stored.subject.strip_prefix(subjects) else { return };
        if stored.is_deletion() {
            if self.register.hear(key, stored.seq, None) {
                self.in_force.lift(key);
            }
            return;
        }
        let opened = self.hub.seal.open::<StoredBan>(key, &stored.payload);
        let Some(ban) = opened.and_then(StoredBan::into_ban) else {
            return self.register.pass_over(key, stored.seq);
        };
        if self.register.hear(key, stored.seq, Some(ban.clone()))
            && let Err(error) = self.hold(key, &ban)
        {
            tracing::warn!(%error, who = %ban.who, "a ban of another server does not hold here yet");
        }
    }

    /// Puts a ban of another server into force here. If that fails now, it is tried again.
    fn hold(&mut self, key: &str, ban: &Ban) -> Result<(), BanListFull> {
        if self.in_force.hold(key, ban)? {
            self.register.holds(key);
        }
        Ok(())
    }

    /// The bucket has refused a change of this key: it knows more than this server, which hears it soon, unless it has
    /// heard it and forgotten it.
    async fn came_late(&mut self, key: &str) {
        if let Ok(Some(entry)) = self.hub.bucket.entry(key).await {
            self.register.remember(key, entry.revision);
        }
    }

    /// Stores what has changed here, and holds what could not be held before. A change that cannot be stored now is
    /// stored later.
    async fn settle(&mut self) {
        let mut failed = None;
        let there = self.in_force.look();
        for step in self.register.steps(&there, self.in_force.unix_ms()) {
            let (key, result, ban) = match step {
                Step::Hold { key, ban } => {
                    let _still_full = self.hold(&key, &ban);
                    continue;
                }
                Step::Lift { key, after } => {
                    let result = self.writer.write_after(after, &key, None, Some(LIFTED_REMEMBERED)).await;
                    (key, result, None)
                }
                Step::Store { key, ban, after } => {
                    let lasts = ban
                        .until_unix_ms
                        .map(|until| Duration::from_millis(until.saturating_sub(self.in_force.unix_ms())));
                    let stored = StoredBan {
                        who: ban.who.to_string(),
                        why: ban.why.as_str().to_owned(),
                        until_unix_ms: ban.until_unix_ms,
                    };
                    let sealed = self.hub.seal.close(&key, &stored);
                    let result = self.writer.write_after(after, &key, Some(sealed), lasts).await;
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
                Err(error) if came_late(&error) => self.came_late(&key).await,
                Err(error) => {
                    tracing::debug!(%error, key, "the change of a ban is not stored yet");
                    failed = Some(error);
                }
            }
        }
        let was_failing = std::mem::replace(&mut self.is_failing, failed.is_some());
        match failed {
            Some(error) if !was_failing => {
                tracing::warn!(%error, "bans cannot be stored now: other servers learn of the last changes later");
            }
            None if was_failing => tracing::info!("the other servers know of all bans again"),
            _ => {}
        }
    }
}
