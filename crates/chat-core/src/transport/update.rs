//! The updates that a pull brings to a transport.

use std::sync::Arc;
use std::time::Instant;

use chat_proto::{Direct, Entry, LeaveReason, Text};

use crate::journal::Page;
use crate::state::members::Membership;

/// A member that the room has closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dismissed {
    /// The transport's own number for its peer, as given to [`Attachment::join`](crate::transport::Attachment::join).
    pub key: usize,
    /// The membership that has ended.
    pub member: Membership,
    /// The reason to tell the peer.
    pub reason: LeaveReason,
}

/// An item of a member's direct lane, for its transport to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The transport's own number for its peer, as given to [`Attachment::join`](crate::transport::Attachment::join).
    pub key: usize,
    /// The member that it is for.
    pub member: Membership,
    /// The item.
    pub direct: Arc<Direct>,
}

/// Old messages for a member whose cursor is before the log's tail: the answer to
/// [`Attachment::read_for`](crate::transport::Attachment::read_for).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaughtUp {
    /// The transport's own number for its peer, as given to [`Attachment::join`](crate::transport::Attachment::join).
    pub key: usize,
    /// The member that they are for.
    pub member: Membership,
    /// They follow this message.
    pub after: u64,
    /// The messages. An error is the reason for which they cannot be read.
    pub page: Result<Page, Text>,
}

/// The result of an attachment's pull, in a buffer that the transport keeps.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Update {
    /// Entries since the last pull, oldest first.
    pub entries: Vec<Arc<Entry>>,
    /// The attachment itself has lagged (or has just been attached to a room with
    /// a past): messages up to this one are gone. Deal with it before `entries`.
    pub missed_up_to: Option<u64>,
    /// Members that have already left the room, and whose peers must be told.
    pub dismissed: Vec<Dismissed>,
    /// New items of direct lanes, those of each member in the order of their numbers. Acknowledge them with
    /// [`Attachment::got`](crate::transport::Attachment::got).
    pub direct: Vec<Told>,
    /// Old messages for members that catch up.
    pub caught_up: Vec<CaughtUp>,
    /// Pull again by then, even without a wake: something will be due.
    pub pull_by: Option<Instant>,
    /// The room is closing: all pending output must be written by then.
    pub closing: Option<Instant>,
}

impl Update {
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.missed_up_to = None;
        self.dismissed.clear();
        self.direct.clear();
        self.caught_up.clear();
        self.pull_by = None;
        self.closing = None;
    }
}
