//! Other systems than Linux: a datagram per call. Behind a wildcard address the system chooses from which
//! address it answers, and what ICMP messages say is lost.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use super::{Outbound, Socket};
use crate::arrivals::{Arrival, Arrivals};

pub(super) fn ask_for_errors(_: &Socket) -> io::Result<()> {
    Ok(())
}

pub(super) fn ask_for_own_address(_: &Socket) -> io::Result<()> {
    Ok(())
}

pub(super) fn receive(socket: &Socket, arrivals: &mut Arrivals) -> io::Result<bool> {
    let Arrivals { buffers, arrived, .. } = arrivals;
    arrived.clear();
    let Some(buffer) = buffers.first_mut() else { return Ok(false) };
    let (bytes, peer) = socket.io.recv_from(buffer)?;
    arrived.push(Arrival { route: Some(peer.into()), bytes });
    Ok(true)
}

pub(super) fn send(socket: &Socket, datagrams: &mut VecDeque<Outbound>) -> io::Result<usize> {
    let Some((to, bytes)) = datagrams.front() else { return Ok(0) };
    socket.io.send_to(bytes, to.peer).map(|_| 1)
}

pub(super) fn next_error(_: &Socket) -> io::Result<Option<SocketAddr>> {
    Err(io::ErrorKind::WouldBlock.into())
}
