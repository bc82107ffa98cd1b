//! Where time is read. A benchmark is about nothing else, so it is allowed here and nowhere else.

use std::time::Instant;

#[expect(clippy::disallowed_methods, reason = "measuring time is what this program does")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
