//! Datagrams on their way into the socket, several per system call where the system has one for that.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use mio::net::UdpSocket;

use crate::limits::BATCH_DATAGRAMS;

/// What the socket is to take next.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    datagrams: VecDeque<(SocketAddr, Vec<u8>)>,
    /// Buffers to be used again.
    spare: Vec<Vec<u8>>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// Takes from `next`, which writes a datagram into a buffer and tells whom it is for, as long as it has
    /// some and there is room.
    pub(crate) fn fill(&mut self, mut next: impl FnMut(&mut Vec<u8>) -> Option<SocketAddr>) {
        while self.datagrams.len() < BATCH_DATAGRAMS {
            let mut buffer = self.spare.pop().unwrap_or_default();
            let Some(to) = next(&mut buffer) else {
                self.spare.push(buffer);
                break;
            };
            self.datagrams.push_back((to, buffer));
        }
    }

    /// Sends; false if the socket takes no more for now, and the rest is kept.
    pub(crate) fn send(&mut self, socket: &UdpSocket) -> bool {
        while !self.datagrams.is_empty() {
            let sent = match send_some(socket, &mut self.datagrams) {
                Ok(sent) => sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == ErrorKind::Interrupted => 0,
                Err(error) => {
                    // No way to this one peer; as if the network had lost it.
                    tracing::debug!(to = ?self.datagrams.front().map(|(to, _)| to), %error, "sending failed");
                    1
                }
            };
            self.spare.extend(self.datagrams.drain(..sent).map(|(_, buffer)| buffer));
        }
        true
    }
}

/// Sends at least one of the datagrams, from the first on, and tells how many. An error concerns the first.
#[cfg(target_os = "linux")]
fn send_some(socket: &UdpSocket, datagrams: &mut VecDeque<(SocketAddr, Vec<u8>)>) -> io::Result<usize> {
    use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};
    use std::io::IoSlice;

    if datagrams.len() == 1 {
        return send_first(socket, datagrams);
    }
    let addresses: Vec<SocketAddrAny> = datagrams.iter().map(|(to, _)| SocketAddrAny::from(*to)).collect();
    let slices: Vec<[IoSlice<'_>; 1]> = datagrams.iter().map(|(_, bytes)| [IoSlice::new(bytes)]).collect();
    let mut nothing: Vec<_> = datagrams.iter().map(|_| SendAncillaryBuffer::default()).collect();
    let parts = addresses.iter().zip(&slices).zip(&mut nothing);
    let mut messages: Vec<_> =
        parts.map(|((to, slice), nothing)| MMsgHdr::new_with_addr(to, slice, nothing)).collect();
    Ok(sendmmsg(socket, &mut messages, SendFlags::empty())?)
}

/// Sends the first of the datagrams.
#[cfg(not(target_os = "linux"))]
fn send_some(socket: &UdpSocket, datagrams: &mut VecDeque<(SocketAddr, Vec<u8>)>) -> io::Result<usize> {
    send_first(socket, datagrams)
}

fn send_first(socket: &UdpSocket, datagrams: &VecDeque<(SocketAddr, Vec<u8>)>) -> io::Result<usize> {
    let Some((to, bytes)) = datagrams.front() else { return Ok(0) };
    socket.send_to(bytes, *to).map(|_| 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_cannot_be_sent_keeps_no_other_back() {
        let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = receiver.local_addr().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        // The system refuses these at once: another family, and too much.
        let elsewhere = "[2001:db8::1]:9".parse().unwrap();
        let mut datagrams = vec![
            (elsewhere, b"x".to_vec()),
            (to, b"one".to_vec()),
            (to, vec![0; 70_000]),
            (elsewhere, b"x".to_vec()),
            (to, b"two".to_vec()),
            (to, Vec::new()),
            (elsewhere, b"x".to_vec()),
        ]
        .into_iter();
        let mut batch = Batch::default();
        batch.fill(|out| {
            let (to, bytes) = datagrams.next()?;
            *out = bytes;
            Some(to)
        });
        assert!(batch.send(&socket) && batch.is_empty());
        let mut buffer = [0; 10];
        let mut receive = || receiver.recv(&mut buffer).map(|bytes| buffer[..bytes].to_vec()).unwrap();
        assert_eq!([receive(), receive(), receive()], [b"one".to_vec(), b"two".to_vec(), Vec::new()]);
    }

    #[test]
    fn a_batch_holds_no_more_than_it_may() {
        let mut batch = Batch::default();
        let mut given = 0;
        for _ in 0..3 {
            batch.fill(|_| {
                given += 1;
                Some(SocketAddr::from(([127, 0, 0, 1], 9)))
            });
        }
        assert_eq!(given, BATCH_DATAGRAMS);
    }
}
