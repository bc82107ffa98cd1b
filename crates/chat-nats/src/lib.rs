//! Several chat servers, **one order of messages**: a [`Journal`](chat_core::journal::Journal) for `chat-core` whose
//! order is that of a stream in NATS JetStream.
//!
//! ```no_run
//! use chat_core::{Room, RoomConfig};
//! use chat_nats::{Cluster, ClusterConfig, Secret};
//!
//! let secret = Secret::new(std::fs::read("cluster.secret")?)?; // the same at every server
//! let config = ClusterConfig::new(secret).with_servers(["nats://127.0.0.1:4222"]);
//! let cluster = Cluster::connect(config)?;
//! let room = Room::restore(RoomConfig::default(), &cluster)?;
//! room.notice("hello, whichever server you are at")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ```text
//!   say --> submit --> publish ---------> stream of the room, one for all servers
//!                                             |
//!   the log, and every member here <-- commit <-- consumer of this server (and one of each other)
//! ```
//!
//! | when | then |
//! |---|---|
//! | a message was confirmed | the stream has it, on most of its replicas |
//! | a chat server dies | its members resume their sessions at another one; nothing is lost or said twice |
//! | the stream does not answer | members are told, speakers are paused, and what they have said waits; it goes on by itself |
//! | a publish gets no answer | it is published again. The stream knows its `Nats-Msg-Id`, and keeps it once |
//!
//! Sessions can be resumed at any server: their keys are made from a secret that all servers share. Messages of one
//! session are published one after the other, and those of different sessions at once, so that no failure can change
//! the order of what one member has said.
//!
//! One thread does the work, with an async runtime of its own that nothing else sees.
//!
//! Messages, names, topics, slow mode, mutes and the keys of sessions are common to all servers, and after
//! [`Cluster::share_bans`] bans are. Members of all servers see each other, and private messages reach them.

mod bucket;
mod cluster;
mod config;
mod error;
mod exchange;
mod hub;
mod journal;
mod layout;
mod limits;
mod room;
mod seed;
mod stream;

pub use cluster::Cluster;
pub use config::{ClusterConfig, Secret};
pub use error::OpenError;
