//! Keeps the history of chat rooms in **one SQLite file**, and searches it: a [`Journal`](chat_core::journal::Journal)
//! for `chat-core`.
//!
//! ```no_run
//! use chat_core::{Room, RoomConfig};
//! use chat_store::{Store, StoreConfig};
//!
//! let store = Store::open("chat.db", StoreConfig::default())?;
//! let room = Room::restore(RoomConfig::default(), &store)?; // goes on where it stopped
//! room.notice("hello")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | when | then |
//! |---|---|
//! | a message was confirmed | it is in the file. It survives the end of the process and, with [`Sync::Disk`], the loss of power |
//! | messages arrive faster than the disk takes them | they are kept many at a time; their speakers are paused |
//! | the disk is full, or fails | speakers are told why, nobody sees what was not kept, and it goes on by itself |
//! | the process dies | the next one goes on: members resume their sessions, and nothing is lost or said twice |
//! | another process opens the file to write | it is refused ([`OpenError::InUse`]); any may read ([`Archive`]) |
//!
//! A store can also copy what another journal keeps, such as a stream that several servers share: [`Store::copy_of`].
//!
//! One thread writes, and two read. The words of messages are indexed when there is nothing else to write, so that
//! searching never slows down talking; of the messages that wait for it a search looks through the newest 100,000.
//! `sqlite3 chat.db 'SELECT * FROM history'` shows everything.

mod archive;
mod bans_and_mutes;
mod batch;
mod config;
mod copy;
mod error;
mod file;
mod journal;
mod limits;
mod lock;
mod past;
mod reader;
mod schema;
mod store;
mod writer;

pub use archive::{Archive, Message, Selection};
pub use config::{StoreConfig, Sync};
pub use copy::Copies;
pub use error::{OpenError, ReadError};
pub use store::Store;
