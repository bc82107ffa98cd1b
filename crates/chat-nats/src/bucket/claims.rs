//! Names that are unique in the whole cluster: each is a key of the bucket, which one server creates for one session.
//!
//! ```text
//!   a member takes a name --> its messages wait --> create the key --> they are published
//!                                                       | somebody else has it
//!                                                       +--> they are refused, and the member loses the name
//! ```
//!
//! The room gives the name at once, if it knows nothing against it. So two members that take one name in the same
//! moment at two servers may both have it until the bucket has decided; but nothing that the loser says is shown under
//! it.
//!
//! A key belongs to the session, wherever that goes on, and to the server where it is. When that server is gone,
//! anybody may take the name over.

mod names_elsewhere;

use std::collections::HashMap;
use std::sync::Arc;

use async_nats::jetstream::kv::{CreateErrorKind, Operation, Store, UpdateErrorKind};
use chat_core::other_servers::Elsewhere;
use chat_core::{MemberId, Name};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::sleep;

use crate::exchange::seal::Seal;
use crate::exchange::servers::Servers;
use crate::layout::Place;
use crate::limits::{
    CLAIM_RETRY, CLAIM_TRIES, CLAIMS_AT_ONCE, DELETED_MAX, DELETES_PAUSE, DELETION_REMEMBERED,
};
use names_elsewhere::{Claim, HeldNames};

/// A session here that has a name, or is about to get or to give up one.
#[derive(Debug)]
struct Claimant {
    /// The name that it must get; `None` if it must give up its last one.
    name: Option<Name>,
    /// The keys that it has, by the skeletons, with their revisions.
    keys: HashMap<String, u64>,
    /// A task of its own is getting or giving up keys for it.
    is_busy: bool,
    /// A local member, which keeps its name if the claim is lost.
    is_local: bool,
}

/// Whether a session got the keys of a name, and which keys it has now.
#[derive(Debug)]
pub(crate) struct ClaimResult {
    member: MemberId,
    name: Option<Name>,
    keys: HashMap<String, u64>,
    outcome: ClaimOutcome,
}

#[derive(Debug)]
enum ClaimOutcome {
    /// The session has the keys of this name, and no others.
    Settled,
    /// Somebody else has a name with this skeleton.
    Lost { skeleton: String, revision: u64, claim: Claim },
    /// The bucket did not answer: another attempt follows.
    Unanswered,
}

/// What the cluster has decided about the name of a session.
#[derive(Debug)]
pub(crate) enum NameDecision {
    /// The session has the name that it took, or none: its messages may be published.
    Certain(MemberId),
    /// The name belongs to somebody else: the session's messages under it must not be published.
    Lost(MemberId, Name),
}

/// Gets the names of one room's sessions here, and knows those that other servers have.
#[derive(Debug)]
pub(crate) struct Claims {
    bucket: NameKeys,
    held: HeldNames,
    /// The room bounds them: names belong to its members, and to the sessions that have left and that it remembers.
    claimants: HashMap<MemberId, Claimant>,
    results: (mpsc::Sender<ClaimResult>, mpsc::Receiver<ClaimResult>),
    /// The value of [`Servers::changes`] when the names were looked through last.
    changes: u64,
    /// Lets one task at a time delete the keys of servers that are gone.
    deletes: Arc<Semaphore>,
}

/// Creates and deletes the keys of names in the bucket. Each task has one.
#[derive(Clone, Debug)]
struct NameKeys {
    bucket: Store,
    place: Place,
    seal: Arc<Seal>,
    servers: Arc<Servers>,
    /// Bounds the tasks that use the bucket at once.
    turns: Arc<Semaphore>,
}

impl Claims {
    pub(crate) fn new(bucket: Store, place: Place, seal: Arc<Seal>, servers: Arc<Servers>) -> Self {
        let turns = Arc::new(Semaphore::new(CLAIMS_AT_ONCE));
        Self {
            bucket: NameKeys { bucket, place, seal, servers, turns },
            held: HeldNames::default(),
            claimants: HashMap::new(),
            results: mpsc::channel(CLAIMS_AT_ONCE),
            changes: 0,
            deletes: Arc::new(Semaphore::new(1)),
        }
    }

    /// A session here claims this name from now on.
    pub(crate) fn claim(&mut self, member: MemberId, name: Option<Name>, is_local: bool) {
        let claimant = self.claimants.entry(member).or_insert(Claimant {
            name: None,
            keys: HashMap::new(),
            is_busy: false,
            is_local,
        });
        claimant.name = name;
        self.begin(member);
    }

    /// The next result of a claim.
    pub(crate) async fn result(&mut self) -> Option<ClaimResult> {
        self.results.1.recv().await
    }

    /// Takes a result in. Returns what is decided by it, if anything, and adds to `told` what the room must know.
    pub(crate) fn take(&mut self, result: ClaimResult, told: &mut Vec<Elsewhere>) -> Option<NameDecision> {
        let ClaimResult { member, name, keys, outcome } = result;
        let claimant = self.claimants.get_mut(&member)?;
        (claimant.keys, claimant.is_busy) = (keys, false);
        let is_local = claimant.is_local;
        if claimant.name != name {
            // It has another name by now. Its messages under this one are shown only if the name was its own.
            self.begin(member);
            let was_its_own = matches!(outcome, ClaimOutcome::Settled);
            return name.filter(|_| !was_its_own && !is_local).map(|name| NameDecision::Lost(member, name));
        }
        match outcome {
            ClaimOutcome::Settled => {
                if claimant.name.is_none() {
                    self.claimants.remove(&member);
                }
                Some(NameDecision::Certain(member))
            }
            ClaimOutcome::Lost { skeleton, revision, claim } => {
                let is_gone = self.bucket.servers.is_gone(&claim.server);
                let Some(taken) = self.held.lost(skeleton, revision, claim, is_gone) else {
                    self.begin(member); // it was given up in the meantime
                    return None;
                };
                told.extend(taken);
                self.claim(member, None, is_local);
                name.filter(|_| !is_local).map(|name| NameDecision::Lost(member, name))
            }
            ClaimOutcome::Unanswered => {
                self.begin(member);
                None
            }
        }
    }

    /// The bucket says something about the skeleton of a name; `None` if it is free.
    pub(crate) fn heard(
        &mut self,
        skeleton: String,
        revision: u64,
        sealed: Option<&[u8]>,
    ) -> Option<Elsewhere> {
        let Some(sealed) = sealed else { return self.held.freed(&skeleton, revision) };
        // The room is not told of a value that no server of this cluster has written.
        let claim = self.bucket.seal.open::<Claim>(&self.bucket.place.name_key(&skeleton), sealed)?;
        if claim.server == *self.bucket.servers.me() {
            return self.held.freed(&skeleton, revision);
        }
        // A session that had it here has lost it, or has gone there.
        for claimant in self.claimants.values_mut() {
            if claimant.keys.get(&skeleton).is_some_and(|&at| at < revision) {
                claimant.keys.remove(&skeleton);
            }
        }
        self.bucket.servers.notice(&claim.server);
        let is_gone = self.bucket.servers.is_gone(&claim.server);
        self.held.taken(skeleton, revision, claim, is_gone)
    }

    /// Looks which names are free because their server is gone, and which are taken again because it is back.
    pub(crate) fn look(&mut self) -> Vec<Elsewhere> {
        let changes = self.bucket.servers.changes();
        if std::mem::replace(&mut self.changes, changes) == changes {
            return Vec::new();
        }
        self.held.look(|server| self.bucket.servers.is_gone(server))
    }

    /// Deletes the keys of servers that are long gone, some at a time.
    pub(crate) fn delete_forgotten(&self) {
        let Ok(turn) = Arc::clone(&self.deletes).try_acquire_owned() else { return };
        let keys = self.held.left_behind(DELETED_MAX, |server| self.bucket.servers.is_forgotten(server));
        if keys.is_empty() {
            return;
        }
        let bucket = self.bucket.clone();
        tokio::spawn(async move {
            for (skeleton, revision) in keys {
                let _another_server_did_it = bucket.delete(&skeleton, revision).await;
            }
            sleep(DELETES_PAUSE).await;
            drop(turn);
        });
    }

    /// Gives up all names: the room is gone.
    pub(crate) async fn give_up(self) {
        for (skeleton, revision) in self.claimants.into_values().flat_map(|claimant| claimant.keys) {
            if !self.bucket.delete(&skeleton, revision).await {
                return; // they are free when this server ends
            }
        }
    }

    fn begin(&mut self, member: MemberId) {
        let Some(claimant) = self.claimants.get_mut(&member) else { return };
        if std::mem::replace(&mut claimant.is_busy, true) {
            return; // the result of its task leads to the next attempt
        }
        let (name, mut keys) = (claimant.name.clone(), claimant.keys.clone());
        let (bucket, results) = (self.bucket.clone(), self.results.0.clone());
        tokio::spawn(async move {
            let turns = Arc::clone(&bucket.turns);
            let Ok(_turn) = turns.acquire().await else { return };
            let outcome = bucket.settle(member, name.as_ref(), &mut keys).await;
            if matches!(outcome, ClaimOutcome::Unanswered) {
                sleep(CLAIM_RETRY).await;
            }
            let _room_is_gone = results.send(ClaimResult { member, name, keys, outcome }).await;
        });
    }
}

/// The result of an attempt to get one key.
enum Attempt {
    Got(u64),
    Lost(u64, Claim),
    Unanswered,
}

impl NameKeys {
    /// Takes the keys of this name for a session, and gives up its others.
    async fn settle(
        &self,
        member: MemberId,
        name: Option<&Name>,
        keys: &mut HashMap<String, u64>,
    ) -> ClaimOutcome {
        let wanted = name.map(|name| name.lookalikes().to_vec()).unwrap_or_default();
        for skeleton in &wanted {
            if keys.contains_key(skeleton) {
                continue;
            }
            let claim = Claim {
                server: self.servers.me().clone(),
                member: member.as_u64(),
                name: name.map(ToString::to_string).unwrap_or_default(),
            };
            match self.take(skeleton, &claim).await {
                Attempt::Got(revision) => drop(keys.insert(skeleton.clone(), revision)),
                Attempt::Lost(revision, claim) => {
                    return ClaimOutcome::Lost { skeleton: skeleton.clone(), revision, claim };
                }
                Attempt::Unanswered => return ClaimOutcome::Unanswered,
            }
        }
        let others: Vec<(String, u64)> = keys
            .iter()
            .filter(|(skeleton, _)| !wanted.contains(skeleton))
            .map(|(skeleton, revision)| (skeleton.clone(), *revision))
            .collect();
        for (skeleton, revision) in others {
            if !self.delete(&skeleton, revision).await {
                return ClaimOutcome::Unanswered;
            }
            keys.remove(&skeleton);
        }
        ClaimOutcome::Settled
    }

    async fn take(&self, skeleton: &str, claim: &Claim) -> Attempt {
        let key = self.place.name_key(skeleton);
        let value = self.seal.close(&key, claim);
        for _ in 0..CLAIM_TRIES {
            match self.bucket.create(&key, value.clone()).await {
                Ok(revision) => return Attempt::Got(revision),
                Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {}
                Err(_) => return Attempt::Unanswered,
            }
            let Ok(Some(entry)) = self.bucket.entry(&key).await else { return Attempt::Unanswered };
            if entry.operation != Operation::Put {
                continue;
            }
            let there = self.seal.open::<Claim>(&key, &entry.value);
            // A key that no server of this cluster has written belongs to nobody.
            if let Some(there) = there {
                self.servers.notice(&there.server);
                // A session takes its key along. A key of another member of this server is overwritten: the room has
                // given the name to this one, so that one has given it up, and its key is only not deleted yet.
                let is_ours = there.member == claim.member || there.server == claim.server;
                if !is_ours && !self.servers.is_gone(&there.server) {
                    return Attempt::Lost(entry.revision, there);
                }
            }
            match self.bucket.update(&key, value.clone(), entry.revision).await {
                Ok(revision) => return Attempt::Got(revision),
                Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {}
                Err(_) => return Attempt::Unanswered,
            }
        }
        Attempt::Unanswered
    }

    /// Whether the bucket has answered. If somebody has changed the key since, it stays.
    async fn delete(&self, skeleton: &str, revision: u64) -> bool {
        let key = self.place.name_key(skeleton);
        match self.bucket.purge_expect_revision_with_ttl(&key, revision, DELETION_REMEMBERED).await {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(%error, key, "a name is not given up yet");
                let entry = self.bucket.entry(&key).await;
                entry.is_ok_and(|entry| entry.is_none_or(|entry| entry.revision != revision))
            }
        }
    }
}
