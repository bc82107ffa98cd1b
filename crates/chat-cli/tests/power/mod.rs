//! Simulates a loss of power without a machine: after a kill, everything that was written and not synced is taken
//! back.
//!
//! The kernel may already have written any part of this data to the disk, in any order. So a seed decides for each
//! block whether it is taken back.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The unit that a disk writes or does not write.
const BLOCK: u64 = 4096;

/// The library for `LD_PRELOAD`. `None`, with a message, if it cannot be made here.
pub(crate) fn library() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power/undo.c");
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("undo-{}.so", std::process::id()));
    let cc = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl")
        .status();
    match cc {
        Ok(status) => {
            assert!(status.success(), "the library does not compile");
            Some(library)
        }
        Err(error) => {
            eprintln!("skipped: no C compiler ({error})");
            None
        }
    }
}

/// Takes back those writes to the files of a history that are not on the disk: all of them, or with `seed` a part.
pub(crate) fn lose(file: &Path, mut seed: Option<u64>) {
    let mut is_lost = || {
        seed.as_mut().is_none_or(|seed| {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*seed >> 33) % 2 == 0
        })
    };
    for end in ["", "-wal"] {
        let path = beside(file, end);
        let undo = beside(&path, ".undo");
        let Ok(notes) = fs::read(&undo) else { continue };
        take_back(&path, &notes, &mut is_lost);
        fs::remove_file(undo).unwrap();
    }
    // This file is never read after a start.
    let _none = fs::remove_file(beside(file, "-shm"));
}

fn take_back(path: &Path, notes: &[u8], is_lost: &mut impl FnMut() -> bool) {
    let Ok(file) = File::options().write(true).open(path) else { return };
    let mut records = Vec::new();
    let mut rest = notes;
    // The last record may be incomplete. Then the write that it describes did not happen.
    while let Some((head, after)) = rest.split_at_checked(24) {
        let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap());
        let (offset, length, size) = (number(0), number(8), number(16));
        let Some((before, after)) = after.split_at_checked(usize::try_from(length).unwrap()) else { break };
        records.push((offset, before, size));
        rest = after;
    }
    let mut is_all_lost = true;
    for (offset, before, _) in records.iter().rev() {
        let mut at = *offset;
        let mut before = *before;
        while !before.is_empty() {
            let length = usize::try_from(BLOCK - at % BLOCK).unwrap().min(before.len());
            let (block, after) = before.split_at(length);
            if is_lost() {
                file.write_all_at(block, at).unwrap();
            } else {
                is_all_lost = false;
            }
            (at, before) = (at + length as u64, after);
        }
    }
    if let (true, Some((_, _, size))) = (is_all_lost, records.first()) {
        file.set_len(*size).unwrap();
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
