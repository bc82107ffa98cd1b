//! The same room at other servers: events from there, and the way to members there.

pub(crate) mod elsewhere;
pub(crate) mod relay;

pub use elsewhere::Elsewhere;
pub use relay::{OtherMember, Outbound, Relay};
