//! The servers to compare with that one has to write oneself.

pub(crate) mod limit;
pub(crate) mod limit_udp;
pub(crate) mod tokio_broadcast;
