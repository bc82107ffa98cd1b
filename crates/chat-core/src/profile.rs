//! Optional settings of a member, made by itself or by an operator. Most members have none.

use chat_proto::{MemberId, Name};

/// Members that one member can ignore at a time.
pub const IGNORED_MAX: usize = 64;

/// Kept behind a pointer that is null for a member without any settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    pub(crate) name: Option<Name>,
    pub(crate) is_operator: bool,
    pub(crate) is_muted: bool,
    /// At most [`IGNORED_MAX`].
    pub(crate) ignored: Vec<MemberId>,
    /// The sender of the last private message.
    pub(crate) answers: Option<MemberId>,
    /// When it may speak again in slow mode, in milliseconds since the room began.
    pub(crate) slow_until_ms: u64,
}
