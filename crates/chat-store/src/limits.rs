//! Times and sizes of a history, each with its reason.

use std::time::Duration;

/// Records that may wait to be written. With the longest texts about 36 MiB.
pub(crate) const QUEUE_MAX: usize = 32_768;

/// Rooms that may wait for their copies to be opened.
pub(crate) const TASKS_MAX: usize = 1_024;

/// Pages of the log beside the file, before they are moved into it: 16 MiB.
pub(crate) const WAL_PAGES_MAX: u32 = 4_096;

/// Steps of housekeeping after a batch, if housekeeping is overdue: more than the largest batch adds, so that the rest
/// shrinks.
pub(crate) const OVERDUE_STEPS: usize = BATCH_MAX / HOUSEKEEPING_ROWS + 1;

/// Records in one transaction.
pub(crate) const BATCH_MAX: usize = 2_048;

/// A batch of this many is followed by another one, as a rule.
pub(crate) const BUSY_MIN: usize = 64;

/// While it is busy, the longest time between two records of one batch.
pub(crate) const GAP_MAX: Duration = Duration::from_micros(100);

/// After a large batch, housekeeping begins when no record has come for this long.
pub(crate) const LULL: Duration = Duration::from_millis(20);

/// How often it looks for messages that are too old, and does housekeeping even without a lull.
pub(crate) const RETENTION_EVERY: Duration = Duration::from_secs(10);

/// Messages whose words are indexed, or that are deleted, at a time. A few milliseconds, for which a message waits at
/// worst.
pub(crate) const HOUSEKEEPING_ROWS: usize = 512;

/// Threads that read.
pub(crate) const READERS: usize = 2;

/// Questions that may wait.
pub(crate) const QUESTIONS_MAX: usize = 256;

/// Messages that were said since the words were indexed last, and that one question looks through.
pub(crate) const UNINDEXED_MAX: i64 = 100_000;

/// Messages that wait for the copier. If there are more it reads the oldest of them from the other journal. With the
/// longest texts about 4.5 MiB.
pub(crate) const COPY_MESSAGES_MAX: usize = 4_096;

/// Messages that are written in one transaction.
pub(crate) const COPY_BATCH_MAX: usize = 512;

/// The pause after the copy could not be written, or the other journal not be read.
pub(crate) const COPY_RETRY: Duration = Duration::from_secs(1);
