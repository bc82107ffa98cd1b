//! Members that read too slowly, or not at all: the log's tail passes them, or the server kicks them.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::clock;
use crate::crowd;
use crate::failure::Result;

/// The first half of these members reads nothing. The others read everything from time to time.
const MEMBERS: usize = 10;
const READS_EVERY: u32 = 20;
/// Longer than the server waits for a member that takes nothing.
const COMES_AGAIN_AFTER: u32 = 150;

pub(super) fn lag(server: SocketAddr, stop: &AtomicBool) -> Result<()> {
    let mut members = (0..MEMBERS).map(|_| connect(server)).collect::<Result<Vec<_>>>()?;
    for second in 1.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        clock::pause(Duration::from_secs(1));
        for (index, member) in members.iter_mut().enumerate() {
            if index < MEMBERS / 2 {
                if second % COMES_AGAIN_AFTER == 0 {
                    *member = connect(server)?;
                }
            } else if second % READS_EVERY == 0 && !read_all(member) {
                *member = connect(server)?;
            }
        }
    }
    Ok(())
}

fn connect(server: SocketAddr) -> Result<TcpStream> {
    let socket = crowd::connect_with_small_buffers(server)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Reads what has arrived. Returns false if the connection has ended.
fn read_all(member: &mut TcpStream) -> bool {
    let mut buffer = [0; 64 * 1024];
    loop {
        match member.read(&mut buffer) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Err(_) => return false,
        }
    }
}
