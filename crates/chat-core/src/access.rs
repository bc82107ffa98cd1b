//! Access control: gates, bans, mutes, the operators' password, and counts of members by address.

pub(crate) mod admission;
pub(crate) mod ban_list;
pub(crate) mod gate;
pub(crate) mod identity;
pub(crate) mod mutes;
pub(crate) mod opening;
pub(crate) mod operators;

pub use admission::network_of;
pub use ban_list::{Ban, BanList, BanListFull, Banned, BannedError};
pub use gate::{Gate, JoinRequest, Refusal};
pub use identity::Identity;
pub use mutes::{Mute, MuteList};
pub use opening::Opening;
pub use operators::{Entered, OperatorPassword, PasswordError};
