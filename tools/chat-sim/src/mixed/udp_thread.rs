//! The I/O thread of the UDP server. It does the work of `UdpTransport` on simulated networks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use chat_core::Rooms;
use chat_testkit::{Datagram, VirtualTime};
use chat_udp::{Endpoint, UdpConfig};

use super::interrupt::waker;

/// How many datagrams the thread receives before it sends the ones that wait.
const RECEIVED_PER_FANOUT: usize = 128;

pub(super) struct UdpThread {
    address: SocketAddr,
    /// `None` once the thread has ended.
    endpoint: Option<Endpoint>,
    woken: Arc<AtomicBool>,
    arrived: Vec<Datagram>,
    runs_at: Option<Instant>,
    drain_by: Option<Instant>,
    /// Datagrams to send.
    out: Vec<Datagram>,
}

impl UdpThread {
    pub(super) fn new(rooms: &Rooms, address: SocketAddr, seed: [u8; 32], time: &VirtualTime) -> Self {
        let woken = Arc::new(AtomicBool::new(false));
        // Plain members speak from this network. The server does not ask them for a number to prove their address.
        let config = UdpConfig::default().with_trusted("10.0.0.0/8".parse().expect("a network"));
        let endpoint = Endpoint::new(rooms, waker(&woken), config, address, seed, time.now());
        Self {
            address,
            endpoint: Some(endpoint),
            woken,
            arrived: Vec::new(),
            runs_at: None,
            drain_by: None,
            out: Vec::new(),
        }
    }

    pub(super) fn arrived(&mut self, datagram: Datagram) {
        if self.endpoint.is_some() {
            self.arrived.push(datagram);
        }
    }

    pub(super) fn has_work(&self, now: Instant) -> bool {
        let Some(endpoint) = &self.endpoint else { return false };
        self.woken.load(Ordering::Relaxed)
            || !self.arrived.is_empty()
            || self.deadline(endpoint).is_some_and(|deadline| deadline <= now)
    }

    fn deadline(&self, endpoint: &Endpoint) -> Option<Instant> {
        endpoint.deadline().into_iter().chain(self.drain_by).min()
    }

    /// When the thread runs next. If it has something to do now, `late` draws the time.
    pub(super) fn schedule(&mut self, now: Instant, late: impl FnOnce() -> Instant) -> Option<Instant> {
        let endpoint = self.endpoint.as_ref()?;
        if self.runs_at.is_none() && self.has_work(now) {
            self.runs_at = Some(late());
        }
        self.runs_at.or_else(|| self.deadline(endpoint))
    }

    /// One turn of the loop. Calls `received` after each datagram.
    pub(super) fn run(&mut self, now: Instant, received: impl Fn()) {
        self.runs_at = None;
        self.woken.store(false, Ordering::Relaxed);
        let mut arrived = std::mem::take(&mut self.arrived).into_iter();
        loop {
            for Datagram { from, bytes, .. } in arrived.by_ref().take(RECEIVED_PER_FANOUT) {
                if let Some(endpoint) = &mut self.endpoint {
                    endpoint.receive(from, &bytes, now);
                }
                received();
            }
            self.serve(now);
            if arrived.len() == 0 {
                break;
            }
        }
        let Some(endpoint) = &mut self.endpoint else { return };
        if let (None, Some(deadline)) = (self.drain_by, endpoint.closing()) {
            endpoint.drain(now);
            self.drain_by = Some(deadline);
            self.serve(now);
        }
        let is_late = self.drain_by.is_some_and(|drain_by| drain_by <= now);
        if is_late
            || self.endpoint.as_ref().is_some_and(|endpoint| self.drain_by.is_some() && endpoint.is_drained())
        {
            self.endpoint = None;
        }
    }

    fn serve(&mut self, now: Instant) {
        let Some(endpoint) = &mut self.endpoint else { return };
        endpoint.on_deadline(now);
        endpoint.pull(now);
        let mut bytes = Vec::new();
        while let Some(to) = endpoint.transmit(&mut bytes, now).map(|route| route.peer) {
            self.out.push(Datagram { from: self.address, to, bytes: bytes.clone() });
        }
    }

    pub(super) fn sent(&mut self) -> Vec<Datagram> {
        std::mem::take(&mut self.out)
    }

    pub(super) fn is_over(&self) -> bool {
        self.endpoint.is_none()
    }
}
