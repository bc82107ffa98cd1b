//! The options of a room that an embedder can set, each with its default and the reason for it.

use std::num::NonZeroU32;

use std::time::Duration;

use crate::ban_list::BanList;
use crate::commands::CommandTable;
use crate::gate::Gate;
use crate::moderator::Moderator;
use crate::operators::OperatorPassword;

/// Limits and policies of one [`Room`](crate::Room).
///
/// ```
/// use chat_core::RoomConfig;
///
/// let small = RoomConfig::default().with_members_max(20);
/// assert_eq!(small.history_max, 20); // as by default
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RoomConfig {
    /// Bytes the room's log may hold, and each encoded copy of it (one per wire format and I/O
    /// thread). This is how far a slow reader may fall behind before it misses messages. Default 4 MiB; values
    /// below [`LOG_BYTES_MIN`](Self::LOG_BYTES_MIN) are raised to it.
    pub log_bytes_max: usize,
    /// Remote members at once. Default 10,000. Any further peer is refused with a reason.
    pub members_max: usize,
    /// Members from one remote address (IPv4 address, or IPv6 /64 network) at once; loopback is exempt, unless
    /// [`limit_loopback`](Self::limit_loopback) is set. Default 100, enough for a class behind one gateway.
    pub members_per_address_max: usize,
    /// How fast one member may speak; loopback is exempt, unless [`limit_loopback`](Self::limit_loopback) is set. `None`
    /// lifts the limit. Nothing over the limit is dropped: the transport stops reading from that member for a while.
    pub rate: Option<Rate>,
    /// Whether the limit per address and the rate limit hold for loopback, too. Default no: only this machine's own
    /// programs connect from there. Set it behind a proxy on this machine, or to try the limits.
    pub limit_loopback: bool,
    /// Messages of history a member may ask for when it joins. Default 20.
    pub history_max: u16,
    /// What happens to a lagged member. Default: it is told how much it missed, and stays.
    pub lag_policy: LagPolicy,
    /// Checks each message of a remote member before it is accepted. Default: none.
    pub moderator: Option<Moderator>,
    /// The commands that members can type after a `/`. `None` turns all commands off: then such a line is a message like
    /// any other. Default: the commands of every room.
    pub commands: Option<CommandTable>,
    /// Whether members have names. Default: they may.
    pub names: Names,
    /// Decides which peers may join, besides `bans`. Default: all may.
    pub gate: Option<Gate>,
    /// The bans. Default: the room has its own list. Rooms share one list if each gets a clone of it.
    pub bans: BanList,
    /// Members become operators with this password. Default: no password, so no member can.
    pub operator_password: Option<OperatorPassword>,
    /// Slow mode: how long a member waits between two messages. Default: off.
    pub slow: Option<Duration>,
    /// Only operators see the addresses of members that have names. Default: everyone sees them.
    pub hides_addresses: bool,
}

/// Whether the members of a room have names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Names {
    /// Everyone is shown as its address.
    Off,
    /// A member may take a name.
    #[default]
    Optional,
    /// A member says nothing before it has a name.
    Required,
}

impl Names {
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

    /// Sets [`log_bytes_max`](Self::log_bytes_max).
    #[must_use]
    pub fn with_log_bytes_max(mut self, log_bytes_max: usize) -> Self {
        self.log_bytes_max = log_bytes_max;
        self
    }

    /// Sets [`members_max`](Self::members_max).
    #[must_use]
    pub fn with_members_max(mut self, members_max: usize) -> Self {
        self.members_max = members_max;
        self
    }

    /// Sets [`members_per_address_max`](Self::members_per_address_max).
    #[must_use]
    pub fn with_members_per_address_max(mut self, members_per_address_max: usize) -> Self {
        self.members_per_address_max = members_per_address_max;
        self
    }

    /// Sets [`rate`](Self::rate).
    #[must_use]
    pub fn with_rate(mut self, rate: Option<Rate>) -> Self {
        self.rate = rate;
        self
    }

    /// Sets [`limit_loopback`](Self::limit_loopback).
    #[must_use]
    pub fn with_limit_loopback(mut self, limit_loopback: bool) -> Self {
        self.limit_loopback = limit_loopback;
        self
    }

    /// Sets [`history_max`](Self::history_max).
    #[must_use]
    pub fn with_history_max(mut self, history_max: u16) -> Self {
        self.history_max = history_max;
        self
    }

    /// Sets [`lag_policy`](Self::lag_policy).
    #[must_use]
    pub fn with_lag_policy(mut self, lag_policy: LagPolicy) -> Self {
        self.lag_policy = lag_policy;
        self
    }

    /// Sets the [`moderator`](Self::moderator).
    #[must_use]
    pub fn with_moderator(mut self, moderator: Moderator) -> Self {
        self.moderator = Some(moderator);
        self
    }

    /// Sets the [`commands`](Self::commands).
    #[must_use]
    pub fn with_commands(mut self, commands: CommandTable) -> Self {
        self.commands = Some(commands);
        self
    }

    /// Turns all [`commands`](Self::commands) off.
    #[must_use]
    pub fn without_commands(mut self) -> Self {
        self.commands = None;
        self
    }

    /// Sets [`names`](Self::names).
    #[must_use]
    pub fn with_names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// Sets the [`gate`](Self::gate).
    #[must_use]
    pub fn with_gate(mut self, gate: Gate) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Sets the [`bans`](Self::bans).
    #[must_use]
    pub fn with_bans(mut self, bans: BanList) -> Self {
        self.bans = bans;
        self
    }

    /// Sets the [`operator_password`](Self::operator_password).
    #[must_use]
    pub fn with_operator_password(mut self, password: OperatorPassword) -> Self {
        self.operator_password = Some(password);
        self
    }

    /// Sets [`slow`](Self::slow).
    #[must_use]
    pub fn with_slow(mut self, pause: Option<Duration>) -> Self {
        self.slow = pause;
        self
    }

    /// Sets [`hides_addresses`](Self::hides_addresses).
    #[must_use]
    pub fn with_hidden_addresses(mut self, hides_addresses: bool) -> Self {
        self.hides_addresses = hides_addresses;
        self
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
            names: Names::default(),
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
