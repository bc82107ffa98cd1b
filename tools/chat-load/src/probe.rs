//! What a process holds and has used, according to the operating system. It reads /proc, so it needs Linux.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use crate::failure::{Context, Failure, Result};

/// CPU time of all threads of a process that are still alive, user and system together. The scheduler counts it in
/// nanoseconds. The usual clock ticks of 10 ms are coarser than some of our runs.
///
/// The kernel's work for a `send` over loopback (the receiving side's TCP) is charged to the sender.
pub(crate) fn cpu(pid: u32) -> Result<Duration> {
    let mut nanos = 0;
    for task in
        fs::read_dir(format!("/proc/{pid}/task")).when("CPU time is read from /proc, which is Linux")?
    {
        // A thread may end after it was listed and before it is read.
        let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        let first = text.split(' ').next().and_then(|field| field.parse::<u64>().ok());
        nanos += first.ok_or_else(|| Failure::new("schedstat of a thread is not as documented"))?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// Bytes of memory that would be free if the process ended. Memory shared with other processes does not count.
pub(crate) fn memory(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).when("memory is read from /proc")?;
    let kib = text
        .lines()
        .filter(|line| line.starts_with("Private_Clean:") || line.starts_with("Private_Dirty:"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        .sum::<u64>();
    Ok(kib * 1024)
}

/// Open descriptors.
pub(crate) fn descriptors(pid: u32) -> Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd")).when("descriptors are listed in /proc")?.count())
}

/// Whether somebody receives datagrams at an IPv4 address.
pub(crate) fn is_bound_over_udp(address: SocketAddr) -> Result<bool> {
    let SocketAddr::V4(address) = address else { return Err(Failure::new("not an IPv4 address")) };
    let listed = format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port());
    let text = fs::read_to_string("/proc/net/udp").when("sockets are listed in /proc")?;
    Ok(text.lines().any(|line| line.split_whitespace().nth(1) == Some(&listed)))
}
