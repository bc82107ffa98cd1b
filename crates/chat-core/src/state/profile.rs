//! The state of a member that has done something, or for which something was done. A member that only listens has none.

use chat_proto::{MemberId, Name, Text};

use crate::state::Questions;
use crate::state::direct_lane::Lane;
use crate::state::rate::RateLimit;

/// Kept behind a pointer that is null for a member that only listens.
#[derive(Debug, Default)]
pub(crate) struct Profile {
    pub(crate) rate_limit: RateLimit,
    /// The number of the newest of its messages that the room has dealt with.
    pub(crate) taken: u64,
    /// When it spoke last, in seconds since the room began.
    pub(crate) spoke_s: u32,
    /// The number of the newest item of its direct lane.
    pub(crate) direct: u64,
    /// `None` while it is empty.
    pub(crate) lane: Option<Box<Lane>>,
    /// The member has acknowledged the items up to this number.
    pub(crate) got: u64,
    /// The number of the newest item of the lane that is not kept until it is acknowledged.
    pub(crate) lost: u64,
    /// The number of the command that has sent it to another room: nothing after that is taken from it. 0 if it stays.
    pub(crate) goes_after: u64,
    /// Private messages of it that were not delivered, and of which it has not been told.
    pub(crate) untold: u32,
    /// `None` if it has never asked for old messages.
    pub(crate) questions: Option<Box<Questions>>,
    pub(crate) name: Option<Name>,
    /// The name that it had before, in a room that other servers share: it gets that one back if somebody there has the
    /// present one.
    pub(crate) name_before: Option<Name>,
    /// Who its transport knows it to be.
    pub(crate) proof: Option<Text>,
    pub(crate) standing: Standing,
    /// The sender of the last private message.
    pub(crate) answers: Option<MemberId>,
    /// When it may speak again in slow mode, in milliseconds since the room began.
    pub(crate) slow_until_ms: u64,
}

/// The state that a session keeps while it has no connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) is_operator: bool,
    /// At most [`IGNORED_MAX`].
    pub(crate) ignored: Vec<MemberId>,
}
