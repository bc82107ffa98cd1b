//! Datagrams on their way into the socket, several per system call where the system has one for that.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::SocketAddr;

use crate::limits::{BATCH_DATAGRAMS, SEND_TRIES_MAX};
use crate::route::Route;
use crate::socket::{Outbound, Socket};

/// The datagrams to send next.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    datagrams: VecDeque<Outbound>,
    /// Buffers for reuse.
    spare: Vec<Vec<u8>>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// Takes from `next`, which writes a datagram into a buffer and returns where it goes, as long as it has
    /// some and there is room.
    pub(crate) fn fill(&mut self, mut next: impl FnMut(&mut Vec<u8>) -> Option<Route>) {
        while self.datagrams.len() < BATCH_DATAGRAMS {
            let mut buffer = self.spare.pop().unwrap_or_default();
            let Some(to) = next(&mut buffer) else {
                self.spare.push(buffer);
                break;
            };
            self.datagrams.push_back((to, buffer));
        }
    }

    /// Sends; false if the socket takes no more for now, and the rest is kept. Adds to `unreachable` the peers
    /// that the system reports as unreachable.
    pub(crate) fn send(&mut self, socket: &Socket, unreachable: &mut Vec<SocketAddr>) -> bool {
        let mut tries = 0;
        while let Some((route, _)) = self.datagrams.front() {
            let route = *route;
            let done = match socket.send(&mut self.datagrams) {
                Ok(sent) => sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == ErrorKind::Interrupted => 0,
                // The error is about an earlier datagram, not about this one.
                Err(_) if tries < SEND_TRIES_MAX && socket.take_errors(unreachable) => {
                    tries += 1;
                    continue;
                }
                // The machine may no longer have the address that the peer asked.
                Err(_) if route.local.is_some() => {
                    self.let_system_choose_source();
                    0
                }
                Err(error) => {
                    // No route to this one peer; treat it like a loss in the network.
                    tracing::debug!(to = %route.peer, %error, "sending failed");
                    1
                }
            };
            tries = 0;
            self.spare.extend(self.datagrams.drain(..done).map(|(_, buffer)| buffer));
        }
        true
    }

    fn let_system_choose_source(&mut self) {
        if let Some((route, _)) = self.datagrams.front_mut() {
            route.local = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_cannot_be_sent_keeps_no_other_back() {
        let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = receiver.local_addr().unwrap();
        let socket = Socket::over(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        // The system refuses these at once: another address family, and too many bytes.
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
            Some(Route::from(to))
        });
        assert!(batch.send(&socket, &mut Vec::new()) && batch.is_empty());
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
                Some(SocketAddr::from(([127, 0, 0, 1], 9)).into())
            });
        }
        assert_eq!(given, BATCH_DATAGRAMS);
    }
}
