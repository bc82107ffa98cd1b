//! A client over UDP.

mod incoming;
mod says;
mod session;

pub use session::{ClientSession, SessionEnd};
