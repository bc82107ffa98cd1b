//! The members: as many connections as it takes, all in one thread, as cheap as possible.
//!
//! Over TCP. Members over UDP will be a second crowd with the same methods, behind which the work does not see it.

mod crowd;
mod pair;

pub(crate) use self::crowd::{Crowd, observed};
pub(crate) use self::pair::Pair;
