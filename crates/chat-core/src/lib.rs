//! A chat room without a network: **a bounded log, and members that are cursors into it**.
//!
//! ```text
//!  say ---> Room: stamps the next sequence number ---> Log (the newest 4 MiB of entries)
//!                                                       |            |
//!                   Attachment (one per I/O thread) <---+            +---> LocalMember (in this process)
//!                            |  pull, encode once
//!                         EncodedLog: a ring of bytes
//!                            |      |      |
//!                         cursor cursor cursor ...       a member's pending output is a slice
//! ```
//!
//! This gives one order for everyone and fan-out without copies. A slow reader harms nobody and is
//! told exactly how much it missed. A member can rely on this:
//!
//! | when | then |
//! |---|---|
//! | it is in the room | it gets every message accepted after it joined, once, in one order |
//! | it is slower than the room | when the log's tail passes its cursor, it has lagged, and is told how many messages it missed ([`Pending::Lagged`], [`Heard::Missed`]) |
//! | it speaks too fast | nothing is dropped; its transport stops reading from it for a while ([`Said::pause_until`]) |
//! | the embedder refuses one of its messages | it is told why, and the message counts as dealt with ([`Moderator`]) |
//! | the room or its address is full | it is refused, with a reason ([`JoinError`]) |
//! | the room closes | it gets every accepted message, a farewell, and a clean end ([`Room::close`]) |
//!
//! ```
//! use chat_core::{Heard, Room, RoomConfig};
//!
//! let room = Room::new(RoomConfig::default());
//! let ann = room.join("ann")?;
//! let bob = room.join("bob")?;
//! ann.say("hello")?;
//! assert!(matches!(bob.recv()?, Heard::Entry(entry) if entry.seq == 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate has no sockets. A [`Transport`] carries the room over some medium: `chat-tcp`
//! carries it over TCP, and its front page shows a server in ten lines. To write your own, start at
//! [`Transport`], then [`Feed`] and [`EncodedLog`].

mod admission;
mod attachment;
mod ban_list;
mod client;
mod commands;
mod config;
mod deadlines;
mod elsewhere;
mod encoded;
mod error;
mod feed;
mod feeds;
mod gate;
mod identity;
mod index;
mod journal;
mod lane;
mod local_member;
mod log;
mod lookback;
mod members;
mod moderation;
mod moderator;
mod mutes;
mod names;
mod observer;
mod open_rooms;
mod opening;
mod operators;
mod outcome;
mod pending_room;
mod people;
mod places;
mod presence;
mod profile;
mod rate;
mod relay;
mod room;
mod rooms;
mod rooms_config;
mod running;
mod said_by;
mod server;
mod sessions;
mod state;
mod stats;
mod survey;
mod sync;
mod transport;
mod update;
mod waker;
mod world;

/// The types of a room's values, so that an embedder needs only this crate.
#[doc(no_inline)]
pub use chat_proto::{
    self, Author, Direct, DirectItem, Entry, Event, Hello, LeaveReason, MemberId, Name, NameError, Network,
    Origin, PeerAddr, Present, Text, TextError, Welcome,
};
/// Where [`LocalMember::ready`] and [`Client::events`] come from: `select!` over them with the same version.
#[doc(no_inline)]
pub use crossbeam_channel;

pub use admission::network_of;
pub use attachment::Attachment;
pub use ban_list::{BANS_MAX, Ban, BanList, BanListFull, Banned, BannedError};
pub use client::{
    ADDRESSES_MAX, ATTEMPT_DELAY, Carrier, Client, ClientConfig, ClientEnd, ClientEvent, Command,
    CommandError, ConnectError, Conversation, Ended, OldMessages, SavedSession, SavedSessionError, Speaker,
    Talk, TryCommandError, TrySayError, UNCONFIRMED_MAX, User, interleaved,
};
pub use commands::{ANSWER_LINES_MAX, Action, Caller, CommandTable, Reply, RoomCommand};
pub use config::{LagPolicy, Names, Rate, RoomConfig};
pub use deadlines::{Deadlines, Listed};
pub use elsewhere::Elsewhere;
pub use encoded::{Advanced, Cursor, EncodedLog, Pending};
pub use error::{
    IgnoreError, JoinError, KickError, MuteError, NickError, RecvTimeoutError, RoomClosed, RoomError,
    SayError, TellError, TopicError, TryRecvError,
};
pub use feed::{Feed, Format};
pub use feeds::{FeedId, Feeds};
pub use gate::{Gate, Knock, Refusal};
pub use identity::{Identity, PROOF_BYTES_MAX};
pub use index::Index;
pub use journal::{
    Committer, Filter, Full, IDS_SET_ASIDE, Journal, JournalDepth, JournalError, Journals, Kept,
    PAGE_BYTES_MAX, Page, Past, PastSession, Query, ReadRequest, Record,
};
pub use local_member::{Heard, LocalMember};
pub use lookback::HistoryError;
pub use members::Membership;
pub use moderator::{Moderator, Offer, Verdict};
pub use mutes::{MUTES_MAX, Mute, MuteList};
pub use observer::{HEARD_AT_ONCE_MAX, Observer};
pub use opening::Opening;
pub use operators::{Entered, OperatorPassword, PasswordError};
pub use outcome::{Joined, Moved, Outcome, Said, Start, Taken, Welcomed};
pub use pending_room::{OpenRequest, PendingRoom};
pub use people::Presence;
pub use places::Places;
pub use profile::IGNORED_MAX;
pub use relay::{OtherMember, Outbound, Relay};
pub use room::Room;
pub use rooms::{ROOMS_MAX, RoomInfo, Rooms};
pub use rooms_config::RoomsConfig;
pub use running::{RunError, Running, run};
pub use server::{BindError, bind_first};
pub use sessions::SESSIONS_REMEMBERED_MAX;
pub use stats::{Measure, Stats, TransportStats};
pub use survey::{LAG_BOUNDS, Lags, RoomLags};
pub use transport::{Transport, Turn};
pub use update::{CaughtUp, Dismissed, Told, Update};
pub use waker::Waker;
pub use world::{Clock, UnixClock, World};
