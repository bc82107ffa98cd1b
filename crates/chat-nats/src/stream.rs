//! The stream of a room, where the order is made: opened, read, and written to.

pub(crate) mod follower;
pub(crate) mod opening;
pub(crate) mod pages;
pub(crate) mod pending;
pub(crate) mod record;
