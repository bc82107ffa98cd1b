//! A server process that runs while it is measured and ends with the measurement.

use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::failure::{Context, Result};
use crate::probe;

/// The server that runs now. There is never a second one, because it would disturb the first.
static RUNNING: Mutex<Option<Child>> = Mutex::new(None);

/// A running server. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
}

impl Process {
    /// Starts `command`. `with` may take its pipes.
    pub(crate) fn start<T>(command: &mut Command, with: impl FnOnce(&mut Child) -> T) -> Result<(Self, T)> {
        let mut child = command.spawn().when("cannot be started")?;
        let result = with(&mut child);
        let process = Self { pid: child.id() };
        *running() = Some(child);
        Ok((process, result))
    }

    /// How it ended, if it has ended by itself.
    pub(crate) fn ended(&self) -> Result<Option<ExitStatus>> {
        Ok(running().as_mut().map(Child::try_wait).transpose()?.flatten())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// CPU time used so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        probe::cpu(self.pid)
    }

    /// Bytes of private memory.
    pub(crate) fn memory(&self) -> Result<u64> {
        probe::memory(self.pid)
    }

    pub(crate) fn memory_mib(&self) -> Result<f64> {
        Ok(self.memory()? as f64 / f64::from(1 << 20))
    }

    pub(crate) fn descriptors(&self) -> Result<usize> {
        probe::descriptors(self.pid)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end_what_runs();
    }
}

/// Ends the server if one is running, even when a run is interrupted.
pub(crate) fn end_what_runs() {
    if let Some(mut child) = running().take() {
        // It may have ended by itself. Then there is nothing to do.
        let _killed = child.kill();
        let _reaped = child.wait();
    }
}

fn running() -> MutexGuard<'static, Option<Child>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}
