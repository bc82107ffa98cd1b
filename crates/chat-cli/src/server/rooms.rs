//! The rooms of a server, and who keeps what is said and decided in them: a history, a cluster, a file of bans.

use std::io;
use std::sync::Arc;

use chat_core::access::{BanList, OperatorPassword};
use chat_core::journal::Journals;
use chat_core::{RoomError, Rooms};
use chat_nats::{Cluster, ClusterConfig};
use chat_store::Store;

use super::{BanFile, cluster, reload};
use crate::args::ServerArgs;
use crate::failure::Failure;
use crate::history;

pub(super) struct Kept {
    pub(super) rooms: Rooms,
    pub(super) bans: BanList,
    pub(super) store: Option<Store>,
    pub(super) cluster: Option<Cluster>,
}

impl Kept {
    /// Opens the history, connects to the cluster, and opens the rooms with what these hold. `port` is where the server listens.
    pub(super) fn open(
        args: &ServerArgs,
        password: Option<OperatorPassword>,
        cluster: Option<ClusterConfig>,
        port: Option<u16>,
    ) -> Result<Self, Failure> {
        let bans = BanList::new();
        let store = history::open(&args.keep)?;
        let cluster = cluster.map(|config| cluster::connect(config, &args.cluster, port)).transpose()?;
        let journals = journals(store.as_ref(), cluster.as_ref())?;
        let rooms = args.rooms(password, bans.clone(), journals).map_err(cannot_open_rooms)?;
        Ok(Self { rooms, bans, store, cluster })
    }

    /// Bans, mutes and the topic last from now on, where the operator wants it. Returns the file of bans, if there is one.
    pub(super) fn keep_decisions(&self, args: &ServerArgs) -> Result<Option<BanFile>, Failure> {
        let Self { rooms, bans, store, cluster } = self;
        let room = rooms.first();
        let file = args.bans.as_deref().map(|path| BanFile::open(path, rooms, bans)).transpose()?;
        if let Some(store) = store {
            if file.is_none() {
                history::keep_bans(store, bans)?;
            }
            // Those of a cluster are common to its servers, which keep them.
            if cluster.is_none() {
                history::keep_mutes(store, &room.mute_list())?;
            }
        }
        if let Some(cluster) = cluster {
            cluster.share_bans(&room);
        }
        if let Some(topic) = args.topic.as_ref().filter(|_| room.topic().is_none()) {
            reload::set_topic(rooms, topic.as_str()).map_err(|why| Failure::new(why, None))?;
        }
        Ok(file)
    }
}

/// Who keeps what is said in the rooms. The history of a server in a cluster is a copy of what the servers share.
fn journals(store: Option<&Store>, cluster: Option<&Cluster>) -> io::Result<Option<Arc<dyn Journals>>> {
    let cluster = cluster.map(|cluster| Arc::new(cluster.clone()) as Arc<dyn Journals>);
    Ok(match (store, cluster) {
        (Some(store), Some(cluster)) => Some(Arc::new(store.copy_of(cluster)?)),
        (Some(store), None) => Some(Arc::new(store.clone())),
        (None, cluster) => cluster,
    })
}

/// That a room is named twice is the fault of the flags.
fn cannot_open_rooms(error: RoomError) -> Failure {
    match error {
        RoomError::Twice { .. } | RoomError::TooMany { .. } => Failure::usage(error, None),
        error => error.into(),
    }
}
