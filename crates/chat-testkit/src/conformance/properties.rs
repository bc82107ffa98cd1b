//! The properties, grouped by topic. Each builds its own room.

pub(super) mod closing;
pub(super) mod hearing;
pub(super) mod joining;
pub(super) mod leaving;
pub(super) mod people;
pub(super) mod slow;
pub(super) mod turning;
