//! The phases of a session: the states of the diagram in `session.rs`.

use std::time::Instant;

use chat_proto::{LeaveReason, Welcome};

use crate::limits::GONE_LINGER;

/// State that only some sessions need is boxed: most are silent members.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Welcomed, and it may not know that yet.
    Opening(Box<Opening>),
    Member,
    /// Still a member, but its input is ignored: it gets its pending output, then leaves.
    Draining,
    /// It has given the command to leave, or to go to another room: it leaves once it has the answers to what it said,
    /// and all messages up to this one.
    Quitting(u64),
    /// Not a member; it is told so repeatedly until it acknowledges that.
    Leaving(Box<Leaving>),
    /// Not a member, and told so again only if it asks.
    Gone(Box<Gone>),
}

#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) welcome: Box<Welcome>,
    pub(crate) until: Instant,
}

#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) reason: LeaveReason,
    pub(crate) tries: u32,
    pub(crate) next: Instant,
}

#[derive(Debug)]
pub(crate) struct Gone {
    pub(crate) reason: LeaveReason,
    pub(crate) until: Instant,
}

impl Phase {
    pub(crate) fn gone(reason: LeaveReason, now: Instant) -> Self {
        Self::Gone(Box::new(Gone { reason, until: now + GONE_LINGER }))
    }
}
