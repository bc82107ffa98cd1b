//! Members who read too slowly, or not at all: the log's tail passes them, or the server puts them out.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::clock;
use crate::failure::Result;

/// As over a network: with what loopback has, the system would hold megabytes for each.
const RECEIVE_BUFFER_BYTES: usize = 16 * 1024;
const MSS: u32 = 1_400;
/// Members of whom the first half reads nothing, and the rest all of it now and then.
const MEMBERS: usize = 10;
const READS_EVERY: u32 = 20;
/// Longer than the server waits for a member who takes nothing.
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
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    #[cfg(unix)]
    socket.set_tcp_mss(MSS)?;
    socket.connect(&server.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Reads what there is; false if the connection has ended.
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
