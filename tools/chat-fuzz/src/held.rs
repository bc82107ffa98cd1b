//! What a piece of code makes this process hold.

/// Runs `work`, and fails if at any moment it held more than `bytes_max` beyond what was held before.
#[track_caller]
pub(crate) fn at_most(bytes_max: usize, work: impl FnOnce()) {
    let held = allocation_counter::measure(work).bytes_max;
    assert!(held <= bytes_max as u64, "held {held} bytes, more than {bytes_max}");
}
