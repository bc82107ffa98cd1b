//! Where in its life a session is: the states of the diagram in `session.rs`.

use std::time::Instant;

use chat_proto::{LeaveReason, Welcome};

use crate::limits::GONE_LINGER;

/// What only some sessions need is in a box: most are members and silent.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Welcomed, and he may not know it yet.
    Opening(Box<Opening>),
    Member,
    /// A member still who is not listened to any more: he gets what he is owed, then leaves.
    Draining,
    /// Not a member; he is told so until he says that he heard it.
    Leaving(Box<Leaving>),
    /// Not a member, and knows it, unless he asks.
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
