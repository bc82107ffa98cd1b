//! Counting the system calls of a process with `perf`.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::failure::{Context, Failure, Result};

/// Counts system calls until it is finished. Needs `perf` and the right to use it.
#[derive(Debug)]
pub(super) struct CallCounter {
    perf: Child,
    output: PathBuf,
}

impl CallCounter {
    /// Starts to count. `perf` writes its output into `dir`.
    pub(super) fn start(pid: u32, dir: &Path) -> Result<Self> {
        let output = dir.join("calls");
        // `perf` counts for as long as the command that it is given runs, and `cat` runs until its input ends.
        let line = format!("stat -x , -e raw_syscalls:sys_enter -p {pid} -o");
        let perf = Command::new("perf")
            .args(line.split(' '))
            .arg(&output)
            .args(["--", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .when("perf cannot be started")?;
        let mut counter = Self { perf, output };
        // When the line comes back from `cat`, `cat` is running, so `perf` has begun to count.
        let (Some(input), Some(echo)) = (&mut counter.perf.stdin, &mut counter.perf.stdout) else {
            return Err(Failure::new("perf has no pipes"));
        };
        input.write_all(b"\n")?;
        echo.read_exact(&mut [0]).when("perf is not allowed to count system calls")?;
        Ok(counter)
    }

    /// System calls since the start.
    pub(super) fn finish(mut self) -> Result<f64> {
        drop(self.perf.stdin.take());
        self.perf.wait()?;
        let text = fs::read_to_string(&self.output).when("perf wrote nothing")?;
        let line = text.lines().find(|line| line.contains("sys_enter"));
        let count = line.and_then(|line| line.split(',').next()?.parse().ok());
        count.ok_or_else(|| Failure::new("perf did not count system calls"))
    }
}
