//! The members: as many connections as it takes, all in one thread, as cheap as possible.

mod crowd;
mod pair;

pub(crate) use self::crowd::{Crowd, observed};
pub(crate) use self::pair::Pair;
