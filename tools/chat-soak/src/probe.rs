//! What the system says of a process. From /proc, which is Linux.

use std::fs;
use std::time::Duration;

use crate::failure::{Failure, Result};

/// What a process holds and has used so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) memory_bytes: u64,
    pub(crate) descriptors: usize,
    pub(crate) cpu: Duration,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        Ok(Self { memory_bytes: memory_bytes(pid)?, descriptors: descriptors(pid)?, cpu: cpu(pid)? })
    }

    pub(crate) fn memory_mib(&self) -> f64 {
        self.memory_bytes as f64 / 1024.0 / 1024.0
    }
}

/// Resident memory.
fn memory_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.map(|kib: u64| kib * 1024).ok_or_else(|| Failure::new("the server has ended"))
}

pub(crate) fn descriptors(pid: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// CPU time of all its threads, as the scheduler counts it.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end between being listed and being read.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        nanos += text.split(' ').next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(nanos))
}
