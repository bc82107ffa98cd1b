//! A member over a blocking UDP socket.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::peer::Peer;
use crate::clock;
use crate::failure::{Context, Failure, Result};
use crate::load::in_time;
use crate::load::pair::{PATIENCE, Speaker, TRY_AGAIN};
use crate::stamp::{self, Scanner};

/// The shortest time that a socket can wait.
const WAIT_MIN: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(in crate::load) struct UdpSpeaker {
    socket: UdpSocket,
    peer: Peer,
    patience: Duration,
    buffer: Vec<u8>,
}

impl UdpSpeaker {
    pub(in crate::load) fn join(framed: bool, address: SocketAddr, who: usize) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(address)?;
        let peer = Peer::talker(framed, who as u64, clock::now());
        let mut speaker = Self { socket, peer, patience: TRY_AGAIN, buffer: vec![0; 64 * 1024] };
        let deadline = clock::now() + PATIENCE;
        speaker.flush()?;
        while !speaker.peer.is_in() {
            speaker.receive(deadline, &mut |_| {})?;
            in_time(deadline, "joining was not answered")?;
        }
        Ok(speaker)
    }

    fn flush(&mut self) -> Result<()> {
        while let Some(datagram) = self.peer.transmit(clock::now()) {
            self.socket.send(datagram).when("a member cannot send")?;
        }
        Ok(())
    }

    /// Waits for one datagram, or until something is due, and says what is to be said then.
    fn receive(&mut self, until: Instant, hear: &mut dyn FnMut(&[u8])) -> Result<()> {
        let due = self.peer.deadline().map_or(until, |due| due.min(until));
        self.socket.set_read_timeout(Some(due.saturating_duration_since(clock::now()).max(WAIT_MIN)))?;
        match self.socket.recv(&mut self.buffer) {
            Ok(count) => self.peer.receive(&self.buffer[..count], clock::now(), hear)?,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error).when("a member hears nothing"),
        }
        self.flush()
    }
}

impl Speaker for UdpSpeaker {
    fn say(&mut self, stamp: u64) -> Result<()> {
        self.peer.say(&stamp::text(stamp), clock::now())?;
        self.flush()
    }

    fn hear(&mut self, awaited: u64) -> Result<()> {
        let deadline = clock::now() + self.patience;
        let mut is_there = false;
        while !is_there {
            if clock::now() > deadline {
                return Err(Failure::new("a member hears nothing"));
            }
            self.receive(deadline, &mut |bytes| {
                Scanner::default().scan(bytes, |stamp| is_there |= stamp == awaited);
            })?;
        }
        Ok(())
    }

    fn is_in(&mut self) -> Result<()> {
        self.patience = PATIENCE;
        Ok(())
    }
}
