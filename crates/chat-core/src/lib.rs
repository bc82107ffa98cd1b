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
//! | it is slower than the room | when the log's tail passes its cursor, it has lagged, and is told how many messages it missed ([`Pending::Lagged`](transport::Pending::Lagged), [`Heard::Missed`]) |
//! | it speaks too fast | nothing is dropped; its transport stops reading from it for a while ([`Said::pause_until`](transport::Said::pause_until)) |
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
//! This crate has no sockets. A [`Transport`](transport::Transport) carries the room over some medium: `chat-tcp`
//! carries it over TCP, and its front page shows a server in ten lines.
//!
//! Here are the room and its members. Types that few programs need are in modules:
//!
//! | to | see |
//! |---|---|
//! | keep somebody out: gates, bans, mutes, the operators' password | [`access`] |
//! | add a command, or replace one | [`commands`] |
//! | carry a room over another medium | [`transport`] |
//! | connect to a room over another medium | [`client`] |
//! | keep messages, or let something else decide their order | [`journal`], [`other_servers`] |

pub mod access;
pub mod client;
pub mod commands;
mod config;
mod encoded;
mod error;
mod heard;
mod index;
pub mod journal;
pub mod limits;
mod local_member;
mod moderator;
mod observer;
pub mod other_servers;
mod panics;
mod places;
mod presence;
mod reply;
mod room;
mod rooms;
mod server;
mod state;
mod stats;
mod sync;
pub mod transport;
mod waker;
mod words;
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

#[doc(inline)]
pub use client::{
    Client, ClientConfig, ClientEnd, ClientEvent, Command, CommandError, ConnectError, OldMessages,
    SavedSession, SavedSessionError, Speaker, TryCommandError, TrySayError,
};
pub use config::{LagPolicy, NamePolicy, Rate, RoomConfig};
pub use error::{
    IgnoreError, JoinError, KickError, MuteError, NickError, RecvTimeoutError, RoomClosed, RoomError,
    SayError, TellError, TopicError, TryRecvError,
};
pub use heard::Heard;
pub use local_member::LocalMember;
pub use moderator::{Moderator, Offer, Verdict};
pub use observer::Observer;
pub use presence::Presence;
pub use room::Room;
pub use room::look_back::HistoryError;
pub use rooms::config::RoomsConfig;
pub use rooms::{RoomInfo, Rooms};
pub use server::BindError;
pub use stats::{Measure, Stats, TransportStats};
#[doc(inline)]
pub use transport::running::{RunError, Running};
pub use waker::Waker;
pub use world::{Clock, UnixClock, World};
