//! What the servers of a room have in common besides its messages: the topic, slow mode, who is muted, and names. All
//! of it is in the bucket, and each server follows that from its beginning: one that starts later, or was cut off,
//! learns the same.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chat_core::access::Mute;
use chat_core::journal::{Committer, Kept, Record};
use chat_core::other_servers::Elsewhere;
use chat_core::{Author, Event, MemberId, Text};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::bucket::Writer;
use crate::bucket::claims::{ClaimResult, Claims, NameDecision};
use crate::exchange::seal::Seal;
use crate::exchange::servers::random_id;
use crate::hub::Hub;
use crate::layout::{Key, Place};
use crate::limits::{CHANGES_MAX, DELETION_REMEMBERED, MUTED_FOR, STORE_TRIES};
use crate::stream::follower::{Followed, Stored};
use crate::stream::pending::Pending;
use crate::stream::record;

/// The text for a member whose name belonged to somebody else.
const LOST: &str = "the name that you took belongs to somebody at another server";

/// Slow mode, as it is stored.
#[derive(Debug, Deserialize, Serialize)]
struct Slow {
    /// 0: it is off.
    pause_ms: u64,
}

/// A mute, as it is stored. There is none if it is lifted.
#[derive(Debug, Deserialize, Serialize)]
struct Muted {
    member: u64,
    /// As it was shown.
    who: String,
    /// What the mute holds for besides the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proof: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
}

impl Muted {
    fn new(mute: &Mute) -> Self {
        Self {
            member: mute.member.as_u64(),
            who: mute.who.to_string(),
            name: mute.name.as_ref().map(ToString::to_string),
            proof: mute.proof.as_ref().map(ToString::to_string),
            address: mute.address,
        }
    }

    fn into_mute(self, member: MemberId) -> Option<Mute> {
        let name = self.name.and_then(|name| name.parse().ok());
        let proof = self.proof.and_then(|proof| Text::one_line(&proof).ok());
        let mut mute = Mute::of_session(0, member, Author::from_shown(&self.who));
        (mute.name, mute.proof, mute.address) = (name, proof, self.address);
        (self.member == member.as_u64()).then_some(mute)
    }
}

/// Something to store.
struct Change {
    key: String,
    /// `None` deletes it.
    value: Option<Bytes>,
    /// After this time the value vanishes by itself, or it is forgotten that it was deleted.
    lasts: Option<Duration>,
    /// The record that the room is told about if this fails.
    record: Record,
}

/// What servers have in common about one room.
pub(crate) struct RoomSettings {
    place: Place,
    seal: Arc<Seal>,
    committer: Committer,
    changes: Followed,
    claims: Claims,
    writer: mpsc::Sender<Change>,
    /// The prefix of the bucket's subjects.
    subjects: String,
    /// The room has this revision of its topic, or a newer one.
    topic_revision: u64,
}

/// Something that has happened.
pub(crate) enum Update {
    Changes(Vec<Stored>),
    Claim(ClaimResult),
}

impl RoomSettings {
    /// `revision` is the last change of the bucket of which the room knows the topic.
    pub(crate) fn new(hub: &Hub, place: &Place, committer: Committer, revision: u64) -> Self {
        let subjects = format!("$KV.{}.", hub.bucket.name);
        let changes = hub.follow_bucket(&format!("{}.>", place.key));
        let (seal, servers) = (Arc::clone(&hub.seal), Arc::clone(&hub.servers));
        let claims = Claims::new(hub.bucket.clone(), place.clone(), Arc::clone(&seal), servers);
        let (writer, queue) = mpsc::channel(CHANGES_MAX);
        tokio::spawn(write(hub.writer(), committer.clone(), queue));
        let place = place.clone();
        Self { place, seal, committer, changes, claims, writer, subjects, topic_revision: revision }
    }

    /// The next thing that happens.
    pub(crate) async fn next(&mut self) -> Option<Update> {
        tokio::select! {
            batch = self.changes.batches.recv() => batch.map(Update::Changes),
            result = self.claims.result() => result.map(Update::Claim),
        }
    }

    /// Takes it in.
    pub(crate) fn take(&mut self, update: Update, pending: &mut Pending) {
        let mut elsewhere = Vec::new();
        match update {
            Update::Changes(batch) => {
                let mut topics = Vec::new();
                for stored in batch {
                    self.heard(&stored, &mut elsewhere, &mut topics);
                }
                if !topics.is_empty() {
                    self.committer.commit(topics);
                }
            }
            Update::Claim(result) => match self.claims.take(result, &mut elsewhere) {
                Some(NameDecision::Certain(member)) => pending.release(member),
                Some(NameDecision::Lost(member, name)) => {
                    let refused = pending.take_unsent(member, &Author::Named(name));
                    self.committer.failed(refused, LOST);
                }
                None => {}
            },
        }
        self.tell(elsewhere);
    }

    /// Stores what a room has submitted besides messages.
    pub(crate) fn keep(&mut self, record: Record, pending: &mut Pending) {
        let (key, value, lasts) = match &record {
            Record::Named { member, name, is_local } => {
                // A local member keeps its name, so its messages need not wait.
                if name.is_some() && !is_local {
                    pending.hold(*member);
                }
                return self.claims.claim(*member, name.clone(), *is_local);
            }
            Record::Event { event: event @ Event::Topic { .. }, unix_ms } => {
                let Some(payload) = record::encode(event, *unix_ms) else { return };
                (self.place.topic_key(), Some(payload), None)
            }
            Record::Slow { pause } => {
                let key = self.place.slow_key();
                let ms = pause.map_or(0, |pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
                let sealed = self.seal.close(&key, &Slow { pause_ms: ms });
                (key, Some(sealed), None)
            }
            Record::Muted { member, mute } => {
                let key = self.place.muted_key(*member);
                let sealed = mute.as_ref().map(|mute| self.seal.close(&key, &Muted::new(mute)));
                let lasts = if sealed.is_some() { MUTED_FOR } else { DELETION_REMEMBERED };
                (key, sealed, Some(lasts))
            }
            _ => return,
        };
        if let Err(full) = self.writer.try_send(Change { key, value, lasts, record }) {
            failed(&self.committer, full.into_inner().record);
        }
    }

    /// Looks which servers are gone, and which are back.
    pub(crate) fn look(&mut self) {
        let told = self.claims.look();
        self.tell(told);
        self.claims.delete_forgotten();
    }

    /// The room is gone.
    pub(crate) async fn give_up(self) {
        self.claims.give_up().await;
    }

    fn tell(&self, elsewhere: Vec<Elsewhere>) {
        if !elsewhere.is_empty() {
            self.committer.elsewhere(elsewhere);
        }
    }

    fn heard(&mut self, stored: &Stored, elsewhere: &mut Vec<Elsewhere>, topics: &mut Vec<Kept>) {
        let Some(key) = stored.subject.strip_prefix(&self.subjects) else { return };
        let sealed = (!stored.is_deletion()).then_some(&*stored.payload);
        match self.place.read_key(key) {
            Some(Key::Topic) if stored.seq > self.topic_revision => {
                topics.extend(sealed.and_then(record::topic));
            }
            Some(Key::Slow) => {
                if let Some(Slow { pause_ms }) = sealed.and_then(|sealed| self.seal.open(key, sealed)) {
                    let pause = (pause_ms > 0).then(|| Duration::from_millis(pause_ms));
                    elsewhere.push(Elsewhere::Slow { pause });
                }
            }
            Some(Key::Muted(member)) => {
                let mute = match sealed {
                    Some(sealed) => {
                        let muted = self.seal.open::<Muted>(key, sealed);
                        let Some(mute) = muted.and_then(|muted| muted.into_mute(member)) else { return };
                        Some(mute)
                    }
                    None => None,
                };
                elsewhere.push(Elsewhere::Muted { member, mute });
            }
            Some(Key::Name(skeleton)) => elsewhere.extend(self.claims.heard(skeleton, stored.seq, sealed)),
            Some(Key::Topic) | None => {}
        }
    }
}

/// Stores one change after the other, so that an older one never replaces a newer one.
async fn write(writer: Writer, committer: Committer, mut changes: mpsc::Receiver<Change>) {
    while let Some(Change { key, value, lasts, record }) = changes.recv().await {
        let id = random_id();
        let (tries, pause) = STORE_TRIES;
        let mut left = tries;
        while let Err(error) = writer.write_once(&id, &key, value.clone(), lasts).await {
            tracing::debug!(%error, key, "it is not stored yet");
            left -= 1;
            if left == 0 {
                failed(&committer, record);
                break;
            }
            sleep(pause).await;
        }
    }
}

fn failed(committer: &Committer, record: Record) {
    match record {
        Record::Slow { .. } | Record::Muted { .. } => {
            tracing::warn!(?record, "other servers are not told: the stream does not answer");
        }
        record => committer.failed(vec![record], "the stream that all servers share does not answer"),
    }
}
