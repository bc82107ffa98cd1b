//! Turns a script that fails into a short one that still fails.

use crate::scenario::{Fault, Scenario, attempt};

/// The shortest script that was found to fail.
#[derive(Clone, Debug)]
pub struct Shortest<S> {
    /// The script.
    pub script: S,
    /// How it fails. It breaks the same promise as the original script.
    pub fault: Fault,
    /// How many scripts were played to find it.
    pub tries: usize,
}

/// Removes everything from `script` that is not needed to make it fail. `fault` is how `script` fails.
///
/// Plays at most `tries_max` scripts. A shorter script counts only if it breaks the same promise.
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

/// Copies of `all`, each without one part: each half, each quarter, and so on down to each single element.
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
