//! Limits the memory that a piece of code makes this process hold.

/// Runs `work`. Fails if it held more than `bytes_max` additional bytes at any moment.
#[track_caller]
pub(crate) fn at_most(bytes_max: usize, work: impl FnOnce()) {
    let held = allocation_counter::measure(work).bytes_max;
    assert!(held <= bytes_max as u64, "held {held} bytes, more than {bytes_max}");
}
