//! What the operating system says that a process has used.

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::failure::{Context, Failure, Result};

/// CPU time of all threads of a process that are still alive, user and system together, in nanoseconds as the
/// scheduler counts them: the usual clock ticks of 10 ms are coarser than some of our runs.
///
/// What the kernel does on behalf of a `send` over loopback (the receiving side's TCP) is charged to the sender.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let tasks = PathBuf::from(format!("/proc/{pid}/task"));
    let mut nanos = 0;
    for task in fs::read_dir(&tasks).when("CPU time is read from /proc, which is Linux")? {
        // A thread may end between being listed and being read.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        let first = text.split(' ').next().and_then(|field| field.parse::<u64>().ok());
        nanos += first.ok_or_else(|| Failure::new("schedstat of a thread is not as documented"))?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// Bytes of memory that would be free if the process ended: what is shared with others does not count.
pub(crate) fn private_memory(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).when("memory is read from /proc")?;
    let kib = text
        .lines()
        .filter(|line| line.starts_with("Private_Clean:") || line.starts_with("Private_Dirty:"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .sum::<u64>();
    Ok(kib * 1024)
}

/// Whether somebody receives datagrams at an IPv4 address.
pub(crate) fn is_bound_over_udp(address: SocketAddr) -> Result<bool> {
    let SocketAddr::V4(address) = address else { return Err(Failure::new("not an IPv4 address")) };
    let listed = format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port());
    let text = fs::read_to_string("/proc/net/udp").when("sockets are listed in /proc")?;
    Ok(text.lines().any(|line| line.split_whitespace().nth(1) == Some(&listed)))
}

/// Counts the system calls of a process until it is finished. Needs `perf` and the right to use it.
#[derive(Debug)]
pub(crate) struct CallCounter {
    perf: Child,
    output: PathBuf,
}

impl CallCounter {
    /// Starts to count. `dir` takes what `perf` prints.
    pub(crate) fn start(pid: u32, dir: &Path) -> Result<Self> {
        let output = dir.join("calls");
        // `perf` counts as long as the command runs that it is given, and `cat` runs until its input ends.
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
        // What comes back from `cat` says that it runs, and so that counting has begun.
        let (Some(input), Some(echo)) = (&mut counter.perf.stdin, &mut counter.perf.stdout) else {
            return Err(Failure::new("perf has no pipes"));
        };
        input.write_all(b"\n")?;
        echo.read_exact(&mut [0]).when("perf is not allowed to count system calls")?;
        Ok(counter)
    }

    /// System calls since the start.
    pub(crate) fn finish(mut self) -> Result<f64> {
        drop(self.perf.stdin.take());
        self.perf.wait()?;
        let text = fs::read_to_string(&self.output).when("perf wrote nothing")?;
        let line = text.lines().find(|line| line.contains("sys_enter"));
        let count = line.and_then(|line| line.split(',').next()?.parse().ok());
        count.ok_or_else(|| Failure::new("perf did not count system calls"))
    }
}
