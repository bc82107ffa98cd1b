//! The options of a room that an embedder can set, each with its default and the reason for it.

use std::num::NonZeroU32;

use std::time::Duration;

use crate::access::ban_list::BanList;
use crate::access::gate::Gate;
use crate::access::operators::OperatorPassword;
use crate::commands::CommandTable;
use crate::moderator::Moderator;

/// Limits and policies of one [`Room`](crate::Room).
///
/// ```
/// use chat_core::RoomConfig;
///
/// let small = RoomConfig::default().with_members_max(20).with_rate(None);
/// assert_eq!(small.log_bytes_max(), 4 * 1024 * 1024); // as by default
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RoomConfig {
    pub(crate) log_bytes_max: usize,
    pub(crate) members_max: usize,
    pub(crate) members_per_address_max: usize,
    pub(crate) rate: Option<Rate>,
    pub(crate) limit_loopback: bool,
    pub(crate) history_max: u16,
    pub(crate) lag_policy: LagPolicy,
    pub(crate) moderator: Option<Moderator>,
    pub(crate) commands: Option<CommandTable>,
    pub(crate) names: NamePolicy,
    pub(crate) gate: Option<Gate>,
    pub(crate) bans: BanList,
    pub(crate) operator_password: Option<OperatorPassword>,
    pub(crate) slow: Option<Duration>,
    pub(crate) hides_addresses: bool,
}

/// Whether the members of a room have names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NamePolicy {
    /// Everyone is shown as its address.
    Off,
    /// A member may take a name.
    #[default]
    Optional,
    /// A member says nothing before it has a name.
    Required,
}

impl NamePolicy {
    pub(crate) fn are_allowed(self) -> bool {
        self != Self::Off
    }

    pub(crate) fn are_required(self) -> bool {
        self == Self::Required
    }
}

impl RoomConfig {
    /// The smallest log: room for a few hundred short messages.
    pub const LOG_BYTES_MIN: usize = 64 * 1024;

    /// Bytes the room's log may hold, and each encoded copy of it (one per wire format and I/O
    /// thread). This is how far a slow reader may fall behind before it misses messages. Default 4 MiB; values
    /// below [`LOG_BYTES_MIN`](Self::LOG_BYTES_MIN) are raised to it.
    #[must_use]
    pub fn with_log_bytes_max(mut self, log_bytes_max: usize) -> Self {
        self.log_bytes_max = log_bytes_max.max(Self::LOG_BYTES_MIN);
        self
    }

    /// Remote members at once. Default 10,000. Any further peer is refused with a reason.
    #[must_use]
    pub fn with_members_max(mut self, members_max: usize) -> Self {
        self.members_max = members_max;
        self
    }

    /// Members from one remote address (IPv4 address, or IPv6 /64 network) at once; loopback is exempt, unless
    /// [`limit_loopback`](Self::with_limit_loopback) is set. Default 100, enough for a class behind one gateway.
    #[must_use]
    pub fn with_members_per_address_max(mut self, members_per_address_max: usize) -> Self {
        self.members_per_address_max = members_per_address_max;
        self
    }

    /// How fast one member may speak; loopback is exempt, unless [`limit_loopback`](Self::with_limit_loopback) is set.
    /// `None` lifts the limit. Nothing over the limit is dropped: the transport stops reading from that member for a
    /// while. A local member is told to pause ([`LocalMember::pause_until`](crate::LocalMember::pause_until)).
    #[must_use]
    pub fn with_rate(mut self, rate: impl Into<Option<Rate>>) -> Self {
        self.rate = rate.into();
        self
    }

    /// Whether the limit per address and the rate limit hold for loopback, too. Default no: only this machine's own
    /// programs connect from there. Set it behind a proxy on this machine, or to try the limits.
    #[must_use]
    pub fn with_limit_loopback(mut self, limit_loopback: bool) -> Self {
        self.limit_loopback = limit_loopback;
        self
    }

    /// Messages of history a member may ask for when it joins. Default 20.
    #[must_use]
    pub fn with_history_max(mut self, history_max: u16) -> Self {
        self.history_max = history_max;
        self
    }

    /// What happens to a lagged member. Default: it is told how much it missed, and stays.
    #[must_use]
    pub fn with_lag_policy(mut self, lag_policy: LagPolicy) -> Self {
        self.lag_policy = lag_policy;
        self
    }

    /// Checks each message of a remote member before it is accepted. Default: none.
    #[must_use]
    pub fn with_moderator(mut self, moderator: impl Into<Option<Moderator>>) -> Self {
        self.moderator = moderator.into();
        self
    }

    /// The commands that members can type after a `/`. `None` turns all commands off: then such a line is a message
    /// like any other. Default: the commands of every room.
    #[must_use]
    pub fn with_commands(mut self, commands: impl Into<Option<CommandTable>>) -> Self {
        self.commands = commands.into();
        self
    }

    /// Whether members have names. Default: they may.
    #[must_use]
    pub fn with_names(mut self, names: NamePolicy) -> Self {
        self.names = names;
        self
    }

    /// Decides which peers may join, besides the [bans](Self::with_bans). Default: all may.
    #[must_use]
    pub fn with_gate(mut self, gate: impl Into<Option<Gate>>) -> Self {
        self.gate = gate.into();
        self
    }

    /// The bans. Default: the room has its own list. Rooms share one list if each gets a clone of it.
    #[must_use]
    pub fn with_bans(mut self, bans: BanList) -> Self {
        self.bans = bans;
        self
    }

    /// Members become operators with this password. Default: no password, so no member can.
    #[must_use]
    pub fn with_operator_password(mut self, password: impl Into<Option<OperatorPassword>>) -> Self {
        self.operator_password = password.into();
        self
    }

    /// Slow mode: how long a member waits between two messages. Default: off.
    #[must_use]
    pub fn with_slow(mut self, pause: impl Into<Option<Duration>>) -> Self {
        self.slow = pause.into();
        self
    }

    /// Only operators see the addresses of members that have names. Default: everyone sees them.
    #[must_use]
    pub fn with_hidden_addresses(mut self, hides_addresses: bool) -> Self {
        self.hides_addresses = hides_addresses;
        self
    }

    /// Bytes that the log and each encoded copy of it may hold: see [`with_log_bytes_max`](Self::with_log_bytes_max).
    #[must_use]
    pub fn log_bytes_max(&self) -> usize {
        self.log_bytes_max
    }

    /// Remote members at once.
    #[must_use]
    pub fn members_max(&self) -> usize {
        self.members_max
    }

    /// Members from one remote address at once.
    #[must_use]
    pub fn members_per_address_max(&self) -> usize {
        self.members_per_address_max
    }

    /// Whether the limits hold for loopback, too.
    #[must_use]
    pub fn limit_loopback(&self) -> bool {
        self.limit_loopback
    }

    /// What happens to a lagged member.
    #[must_use]
    pub fn lag_policy(&self) -> LagPolicy {
        self.lag_policy
    }

    /// Takes over what can change while members are there.
    pub(crate) fn take_over(&mut self, to: &Self) {
        self.members_max = to.members_max;
        self.members_per_address_max = to.members_per_address_max;
        self.rate = to.rate;
        self.history_max = to.history_max;
        self.operator_password.clone_from(&to.operator_password);
    }
}

impl Default for RoomConfig {
    fn default() -> Self {
        Self {
            log_bytes_max: 4 * 1024 * 1024,
            members_max: 10_000,
            members_per_address_max: 100,
            rate: Some(Rate::default()),
            limit_loopback: false,
            history_max: 20,
            lag_policy: LagPolicy::default(),
            moderator: None,
            commands: Some(CommandTable::default()),
            names: NamePolicy::default(),
            gate: None,
            bans: BanList::new(),
            operator_password: None,
            slow: None,
            hides_addresses: false,
        }
    }
}

/// A rate limit for speaking: `burst` messages at once, then `per_second`.
///
/// The default (500, then 50 per second) lets a paste through and stops a flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Messages that may arrive at once after a pause.
    pub burst: NonZeroU32,
    /// Messages per second after that.
    pub per_second: NonZeroU32,
}

impl Default for Rate {
    fn default() -> Self {
        const BURST: NonZeroU32 = NonZeroU32::new(500).unwrap();
        const PER_SECOND: NonZeroU32 = NonZeroU32::new(50).unwrap();
        Self { burst: BURST, per_second: PER_SECOND }
    }
}

/// What happens to a member so slow that the log's tail has passed its cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LagPolicy {
    /// The member is told exactly how many messages it missed, and goes on at the tail. A local member always
    /// has this policy.
    #[default]
    Skip,
    /// The member is closed with [`LeaveReason::Lagged`](chat_proto::LeaveReason::Lagged).
    Close,
}
