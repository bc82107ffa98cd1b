//! The same room at other servers: what it hears from there, and how it reaches members there.

pub(crate) mod elsewhere;
pub(crate) mod relay;

pub use elsewhere::Elsewhere;
pub use relay::{OtherMember, Outbound, Relay};
