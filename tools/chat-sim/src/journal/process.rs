//! The server's process: a room, and an I/O thread for TCP and for UDP. It can die before any of its writes.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use chat_core::{Room, RoomConfig, Waker, World};
use chat_stream::{Readiness, Stream};
use chat_testkit::{Datagram, ScriptedJournal, StreamEnd, StreamEvent, VirtualTime};
use chat_udp::UdpConfig;

/// How many more writes reach the outside, if the process is about to die.
type WritesLeft = Rc<Cell<Option<usize>>>;

pub(super) struct Process {
    tcp: chat_stream::Endpoint<Socket>,
    udp: chat_udp::Endpoint,
    address: SocketAddr,
    woken: Arc<AtomicBool>,
    tokens: HashMap<usize, usize>,
    events: Vec<(usize, Readiness)>,
    arrived: Vec<Datagram>,
    writes_left: WritesLeft,
}

/// A socket of the process.
struct Socket {
    end: StreamEnd,
    writes_left: WritesLeft,
}

impl Process {
    pub(super) fn start(
        journal: &ScriptedJournal,
        address: SocketAddr,
        seed: [u8; 32],
        time: &VirtualTime,
    ) -> Self {
        let world = World { clock: time.clock(), unix_clock: time.unix_clock(), seed };
        let config = RoomConfig::default().with_rate(None).with_members_per_address_max(usize::MAX);
        let room = Room::restore_in_world(config, world, journal).expect("the journal is in memory");
        let woken = Arc::new(AtomicBool::new(true));
        let waker = || {
            let woken = Arc::clone(&woken);
            Waker::new(move || woken.store(true, Ordering::Relaxed))
        };
        Self {
            tcp: chat_stream::Endpoint::new(&room, waker(), false),
            udp: chat_udp::Endpoint::new(&room, waker(), UdpConfig::default(), address, seed, time.now()),
            address,
            woken,
            tokens: HashMap::new(),
            events: Vec::new(),
            arrived: Vec::new(),
            writes_left: Rc::default(),
        }
    }

    pub(super) fn accept(&mut self, end: StreamEnd, from: SocketAddr, now: Instant) {
        self.tokens.insert(end.id(), self.tcp.next_token());
        self.tcp.adopt(Socket { end, writes_left: Rc::clone(&self.writes_left) }, from, now);
        self.woken.store(true, Ordering::Relaxed);
    }

    /// Takes an event of a stream, if the stream is one of this process.
    pub(super) fn event(&mut self, event: StreamEvent) {
        let StreamEvent { end, readable, ended, writable, hung_up } = event;
        if let Some(&token) = self.tokens.get(&end) {
            self.events.push((token, Readiness { readable, ended, writable, hung_up }));
        }
    }

    pub(super) fn arrived(&mut self, datagram: Datagram) {
        self.arrived.push(datagram);
    }

    /// Whether something has arrived that it has not read.
    pub(super) fn has_input(&self) -> bool {
        !self.arrived.is_empty() || self.events.iter().any(|(_, ready)| ready.readable)
    }

    /// When it runs next.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        if self.woken.load(Ordering::Relaxed) || !self.arrived.is_empty() || !self.events.is_empty() {
            return Some(now);
        }
        self.tcp.deadline(now).into_iter().chain(self.udp.deadline()).min()
    }

    /// Lets it die after this many more writes.
    pub(super) fn die_after(&self, writes: usize) {
        self.writes_left.set(Some(writes));
    }

    /// Whether it was to write something more than it lives to. Nothing of what it does afterwards is seen by anybody.
    pub(super) fn is_dead(&self) -> bool {
        self.writes_left.get() == Some(0)
    }

    /// One turn of each thread. Returns the datagrams that were sent.
    pub(super) fn run(&mut self, now: Instant) -> Vec<Datagram> {
        self.woken.store(false, Ordering::Relaxed);
        for (token, readiness) in self.events.drain(..) {
            self.tcp.ready(token, readiness);
        }
        let _open = self.tcp.turn(now);
        for datagram in self.arrived.drain(..) {
            self.udp.receive(datagram.from, &datagram.bytes, now);
        }
        self.udp.on_deadline(now);
        self.udp.pull(now);
        let (mut sent, mut bytes) = (Vec::new(), Vec::new());
        while let Some(route) = self.udp.transmit(&mut bytes, now) {
            if writes(&self.writes_left) {
                sent.push(Datagram { from: self.address, to: route.peer, bytes: bytes.clone() });
            }
        }
        sent
    }
}

/// Whether another write reaches the outside.
fn writes(left: &WritesLeft) -> bool {
    left.set(left.get().map(|left| left.saturating_sub(1)));
    left.get() != Some(0)
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.end.read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if writes(&self.writes_left) { self.end.write(bytes) } else { Err(ErrorKind::BrokenPipe.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Socket {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.end.shutdown_write()
    }
}
