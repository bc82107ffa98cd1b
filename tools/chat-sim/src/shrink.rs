//! From a script that fails to a short one that fails.

use crate::scenario::{Fault, Scenario, attempt};

/// A script that fails, and of which no shorter one was found to fail.
#[derive(Clone, Debug)]
pub struct Shortest<S> {
    /// What fails.
    pub script: S,
    /// What is wrong in it: the same promise as in the one it was made of.
    pub fault: Fault,
    /// Scripts that were played to find it.
    pub tries: usize,
}

/// Leaves out of `script`, which fails with `fault`, whatever it fails without, playing at most `tries_max`
/// scripts. A shorter one counts if the same promise is broken in it.
pub fn shrink<S: Scenario>(script: S, fault: Fault, tries_max: usize) -> Shortest<S> {
    let mut shortest = Shortest { script, fault, tries: 0 };
    'shorter: loop {
        for script in shortest.script.shorter() {
            if shortest.tries == tries_max {
                return shortest;
            }
            shortest.tries += 1;
            if let Err(fault) = attempt(&script)
                && fault.what == shortest.fault.what
            {
                (shortest.script, shortest.fault) = (script, fault);
                continue 'shorter;
            }
        }
        return shortest;
    }
}

/// `all` without a part of it: each half, each quarter, and so on down to each single one.
pub fn without_parts<T: Clone>(all: &[T]) -> Vec<Vec<T>> {
    let mut shorter = Vec::new();
    let mut size = all.len().div_ceil(2);
    while size > 0 {
        for start in (0..all.len()).step_by(size) {
            let end = (start + size).min(all.len());
            shorter.push([&all[..start], &all[end..]].concat());
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    shorter
}
