//! Names that are unique in the whole cluster: each is a key of the bucket, which one server creates for one session.
//!
//! ```text
//!   a member takes a name --> its messages wait --> create the key --> they are published
//!                                                       | somebody else has it
//!                                                       +--> they are refused, and the member loses the name
//! ```
//!
//! The room gives the name at once, if it knows nothing against it. So two members that take one name in the same moment at
//! two servers may both have it until the bucket has decided; but nothing that the loser says is shown under it.
//!
//! A key belongs to the session, wherever that goes on, and to the server where it is. When that server is gone, anybody may
//! take the name over.

mod held;

use std::collections::HashMap;
use std::sync::Arc;

use async_nats::jetstream::kv::{CreateErrorKind, Operation, Store, UpdateErrorKind};
use chat_core::{Elsewhere, MemberId, Name};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::sleep;

use crate::exchange::seal::Seal;
use crate::exchange::servers::Servers;
use crate::layout::Place;
use crate::limits::{
    CLAIM_RETRY, CLAIM_TRIES, CLAIMS_AT_ONCE, DELETED_MAX, DELETES_PAUSE, DELETION_REMEMBERED,
};
use held::{Claim, HeldNames};

/// What a session here wants.
#[derive(Debug)]
struct Want {
    name: Option<Name>,
    /// The keys that it has, by the looks, with their revisions.
    keys: HashMap<String, u64>,
    /// A task is busy with it.
    is_busy: bool,
    /// A local member, which keeps its name if the claim is lost.
    is_local: bool,
}

/// What has become of a claim.
#[derive(Debug)]
pub(crate) struct Done {
    member: MemberId,
    name: Option<Name>,
    keys: HashMap<String, u64>,
    end: End,
}

#[derive(Debug)]
enum End {
    /// The member has what it wants.
    Settled,
    /// Somebody else has a name of these looks.
    Lost { looks: String, revision: u64, claim: Claim },
    /// The bucket did not answer.
    Again,
}

/// What the room's task has to do.
#[derive(Debug)]
pub(crate) enum Todo {
    /// The name of this session is certain.
    Release(MemberId),
    /// It is somebody else's.
    Lost(MemberId, Name),
}

/// The names of one room.
#[derive(Debug)]
pub(crate) struct Claims {
    work: Work,
    held: HeldNames,
    /// Of sessions that have a name, or are about to get or to give up one. The room bounds them: names belong to its members, and to
    /// the sessions that have left and that it remembers.
    wants: HashMap<MemberId, Want>,
    done: (mpsc::Sender<Done>, mpsc::Receiver<Done>),
    /// What [`Servers::changes`] was when the names were looked through last.
    changes: u64,
    /// One task deletes what others have left behind.
    deletes: Arc<Semaphore>,
}

/// What the tasks need.
#[derive(Clone, Debug)]
struct Work {
    bucket: Store,
    place: Place,
    seal: Arc<Seal>,
    servers: Arc<Servers>,
    turns: Arc<Semaphore>,
}

impl Claims {
    pub(crate) fn new(bucket: Store, place: Place, seal: Arc<Seal>, servers: Arc<Servers>) -> Self {
        let work = Work { bucket, place, seal, servers, turns: Arc::new(Semaphore::new(CLAIMS_AT_ONCE)) };
        Self {
            work,
            held: HeldNames::default(),
            wants: HashMap::new(),
            done: mpsc::channel(CLAIMS_AT_ONCE),
            changes: 0,
            deletes: Arc::new(Semaphore::new(1)),
        }
    }

    /// A session here has this name from now on.
    pub(crate) fn want(&mut self, member: MemberId, name: Option<Name>, is_local: bool) {
        let want = self.wants.entry(member).or_insert(Want {
            name: None,
            keys: HashMap::new(),
            is_busy: false,
            is_local,
        });
        want.name = name;
        self.begin(member);
    }

    /// What has become of a claim.
    pub(crate) async fn done(&mut self) -> Option<Done> {
        self.done.1.recv().await
    }

    /// Says what is to be done now, and tells the room what it must know.
    pub(crate) fn ended(&mut self, done: Done, told: &mut Vec<Elsewhere>) -> Option<Todo> {
        let Done { member, name, keys, end } = done;
        let want = self.wants.get_mut(&member)?;
        (want.keys, want.is_busy) = (keys, false);
        let is_local = want.is_local;
        if want.name != name {
            // It has another name by now. What it said under this one is shown only if the name was its own.
            self.begin(member);
            let was_its_own = matches!(end, End::Settled);
            return name.filter(|_| !was_its_own && !is_local).map(|name| Todo::Lost(member, name));
        }
        match end {
            End::Settled => {
                if want.name.is_none() {
                    self.wants.remove(&member);
                }
                Some(Todo::Release(member))
            }
            End::Lost { looks, revision, claim } => {
                let is_gone = self.work.servers.is_gone(&claim.server);
                match self.held.lost(looks, revision, claim, is_gone) {
                    // It was given up in the meantime.
                    None => self.begin(member),
                    Some(taken) => {
                        told.extend(taken);
                        self.want(member, None, is_local);
                        return name.filter(|_| !is_local).map(|name| Todo::Lost(member, name));
                    }
                }
                None
            }
            End::Again => {
                self.begin(member);
                None
            }
        }
    }

    /// The bucket says something about the looks of a name; `None` if they are free.
    pub(crate) fn heard(&mut self, looks: String, revision: u64, sealed: Option<&[u8]>) -> Option<Elsewhere> {
        let Some(sealed) = sealed else { return self.held.freed(&looks, revision) };
        // Of what no server of this cluster has written, it hears nothing.
        let claim = self.work.seal.open::<Claim>(&self.work.place.name_key(&looks), sealed)?;
        if claim.server == *self.work.servers.me() {
            return self.held.freed(&looks, revision);
        }
        // A session that had it here has lost it, or has gone there.
        let losers =
            self.wants.values_mut().filter(|want| want.keys.get(&looks).is_some_and(|&at| at < revision));
        losers.for_each(|want| {
            want.keys.remove(&looks);
        });
        self.work.servers.notice(&claim.server);
        let is_gone = self.work.servers.is_gone(&claim.server);
        self.held.taken(looks, revision, claim, is_gone)
    }

    /// Looks which names are free because their server is gone, and which are taken again because it is back.
    pub(crate) fn look(&mut self) -> Vec<Elsewhere> {
        let changes = self.work.servers.changes();
        if std::mem::replace(&mut self.changes, changes) == changes {
            return Vec::new();
        }
        self.held.look(|server| self.work.servers.is_gone(server))
    }

    /// Deletes what servers have left behind that are long gone, some of it at a time.
    pub(crate) fn delete_forgotten(&self) {
        let Ok(turn) = Arc::clone(&self.deletes).try_acquire_owned() else { return };
        let keys = self.held.left_behind(DELETED_MAX, |server| self.work.servers.is_forgotten(server));
        if keys.is_empty() {
            return;
        }
        let work = self.work.clone();
        tokio::spawn(async move {
            for (looks, revision) in keys {
                let _another_server_did_it = work.delete(&looks, revision).await;
            }
            sleep(DELETES_PAUSE).await;
            drop(turn);
        });
    }

    /// Gives up all names: the room is gone.
    pub(crate) async fn give_up(self) {
        for (looks, revision) in self.wants.into_values().flat_map(|want| want.keys) {
            if !self.work.delete(&looks, revision).await {
                return; // they are free when this server ends
            }
        }
    }

    fn begin(&mut self, member: MemberId) {
        let Some(want) = self.wants.get_mut(&member) else { return };
        if std::mem::replace(&mut want.is_busy, true) {
            return; // it looks again when it is done
        }
        let (name, keys) = (want.name.clone(), want.keys.clone());
        let (work, done) = (self.work.clone(), self.done.0.clone());
        tokio::spawn(async move {
            let turns = Arc::clone(&work.turns);
            let Ok(_turn) = turns.acquire().await else { return };
            let mut keys = keys;
            let end = work.settle(member, name.as_ref(), &mut keys).await;
            if matches!(end, End::Again) {
                sleep(CLAIM_RETRY).await;
            }
            let _room_is_gone = done.send(Done { member, name, keys, end }).await;
        });
    }
}

/// What came of an attempt to get one key.
enum Attempt {
    Got(u64),
    Lost(u64, Claim),
    Again,
}

impl Work {
    /// Takes the keys of this name for a session, and gives up its others.
    async fn settle(&self, member: MemberId, name: Option<&Name>, keys: &mut HashMap<String, u64>) -> End {
        let wanted = name.map(|name| name.lookalikes().to_vec()).unwrap_or_default();
        for looks in &wanted {
            if keys.contains_key(looks) {
                continue;
            }
            let claim = Claim {
                server: self.servers.me().clone(),
                member: member.as_u64(),
                name: name.map(ToString::to_string).unwrap_or_default(),
            };
            match self.take(looks, &claim).await {
                Attempt::Got(revision) => drop(keys.insert(looks.clone(), revision)),
                Attempt::Lost(revision, claim) => return End::Lost { looks: looks.clone(), revision, claim },
                Attempt::Again => return End::Again,
            }
        }
        let others: Vec<(String, u64)> = keys
            .iter()
            .filter(|(looks, _)| !wanted.contains(looks))
            .map(|(looks, revision)| (looks.clone(), *revision))
            .collect();
        for (looks, revision) in others {
            if !self.delete(&looks, revision).await {
                return End::Again;
            }
            keys.remove(&looks);
        }
        End::Settled
    }

    async fn take(&self, looks: &str, claim: &Claim) -> Attempt {
        let key = self.place.name_key(looks);
        let value = self.seal.close(&key, claim);
        for _ in 0..CLAIM_TRIES {
            match self.bucket.create(&key, value.clone()).await {
                Ok(revision) => return Attempt::Got(revision),
                Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {}
                Err(_) => return Attempt::Again,
            }
            let Ok(Some(entry)) = self.bucket.entry(&key).await else { return Attempt::Again };
            if entry.operation != Operation::Put {
                continue;
            }
            let there = self.seal.open::<Claim>(&key, &entry.value);
            there.iter().for_each(|there| self.servers.notice(&there.server));
            // What no server of this cluster has written is nobody's.
            if let Some(there) = there
                && there.member != claim.member
                && there.server != claim.server
                && !self.servers.is_gone(&there.server)
            {
                return Attempt::Lost(entry.revision, there);
            }
            match self.bucket.update(&key, value.clone(), entry.revision).await {
                Ok(revision) => return Attempt::Got(revision),
                Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {}
                Err(_) => return Attempt::Again,
            }
        }
        Attempt::Again
    }

    /// Whether the bucket has answered. If somebody has changed the key since, it stays.
    async fn delete(&self, looks: &str, revision: u64) -> bool {
        let key = self.place.name_key(looks);
        match self.bucket.purge_expect_revision_with_ttl(&key, revision, DELETION_REMEMBERED).await {
            Ok(()) => true,
            Err(error) => {
                let is_other = || async {
                    let entry = self.bucket.entry(&key).await.ok()?;
                    Some(entry.is_none_or(|entry| entry.revision != revision))
                };
                tracing::debug!(%error, key, "a name is not given up yet");
                is_other().await.unwrap_or(false)
            }
        }
    }
}
