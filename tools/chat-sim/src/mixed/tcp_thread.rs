//! An I/O thread of the TCP server. It does the work of `TcpTransport` on simulated streams.

use std::collections::HashMap;
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::rc::Weak;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use chat_core::Rooms;
use chat_core::limits::PAGE_BYTES_MAX;
use chat_core::transport::Turn;
use chat_proto::limits::{ENTRY_FRAME_BYTES_MAX, FRAME_BYTES_MAX};
use chat_stream::{Endpoint, Held, Readiness, Stream};
use chat_testkit::{StreamEnd, StreamEvent};

use super::interrupt::{Interrupt, waker};

/// The most bytes that may wait for one member alone: 4 KiB of answers, the answer that exceeded them, the rest of an
/// entry, a notice or a goodbye, and a page.
const OUTBOX_BYTES_MAX: usize = 4 * 1024 + 2 * FRAME_BYTES_MAX + ENTRY_FRAME_BYTES_MAX + PAGE_BYTES_MAX;

/// The most bytes that one turn reads from a member.
const BACKLOG_BYTES_MAX: usize = 64 * 1024;

/// The most bytes of unfinished lines, summed over all members. There are fewer than a hundred members.
const UNFINISHED_BYTES_MAX: usize = 4 * 1024 * 1024 + 100 * 1024 + 64 * 1024;

/// With more peers than this, a turn does not measure the memory that they take.
const WATCHED_PEERS_MAX: usize = 60;

/// A socket at which the thread may be interrupted. `QUICK`: a short read means that nothing is left to read.
pub(super) struct Socket<const QUICK: bool> {
    end: StreamEnd,
    threads: Weak<dyn Interrupt>,
}

pub(super) struct TcpThread<const QUICK: bool> {
    /// `None` once the thread has ended.
    endpoint: Option<Endpoint<Socket<QUICK>>>,
    woken: Arc<AtomicBool>,
    /// Connections that were dealt to the thread and are not in the endpoint yet.
    inbox: Vec<(Socket<QUICK>, SocketAddr, Instant)>,
    /// The endpoint's token of each stream, by the id of the stream's end.
    tokens: HashMap<usize, usize>,
    events: Vec<(usize, Readiness)>,
    /// Events of streams in the inbox. A real poll reports them once the streams are registered.
    early: Vec<(usize, Readiness)>,
    /// When the thread runs next, once it has something to do.
    runs_at: Option<Instant>,
    is_closing: bool,
    held: Held,
}

impl<const QUICK: bool> TcpThread<QUICK> {
    pub(super) fn new(rooms: &Rooms) -> Self {
        let woken = Arc::new(AtomicBool::new(false));
        Self {
            endpoint: Some(Endpoint::new(rooms, waker(&woken), false)),
            woken,
            inbox: Vec::new(),
            tokens: HashMap::new(),
            events: Vec::new(),
            early: Vec::new(),
            runs_at: None,
            is_closing: false,
            held: Held::default(),
        }
    }

    pub(super) fn deal(&mut self, socket: Socket<QUICK>, address: SocketAddr, now: Instant) {
        if self.endpoint.is_some() {
            self.inbox.push((socket, address, now));
        }
    }

    /// Takes an event. False if the stream does not belong to this thread.
    pub(super) fn event(&mut self, event: StreamEvent) -> bool {
        let StreamEvent { end, readable, ended, writable, hung_up } = event;
        let readiness = Readiness { readable, ended, writable, hung_up };
        if let Some(&token) = self.tokens.get(&end) {
            self.events.push((token, readiness));
            return true;
        }
        let is_ours = self.inbox.iter().any(|(socket, ..)| socket.end.id() == end);
        if is_ours {
            self.early.push((end, readiness));
        }
        is_ours
    }

    /// Whether a real poll would return now.
    pub(super) fn has_work(&self, now: Instant) -> bool {
        let Some(endpoint) = &self.endpoint else { return false };
        self.woken.load(Ordering::Relaxed)
            || !self.events.is_empty()
            || (!self.inbox.is_empty() && !self.is_closing)
            || endpoint.deadline(now).is_some_and(|deadline| deadline <= now)
    }

    /// When the thread runs next. If it has something to do now, `late` draws the time.
    pub(super) fn schedule(&mut self, now: Instant, late: impl FnOnce() -> Instant) -> Option<Instant> {
        let endpoint = self.endpoint.as_ref()?;
        if self.runs_at.is_none() && self.has_work(now) {
            self.runs_at = Some(late());
        }
        self.runs_at.or_else(|| endpoint.deadline(now))
    }

    /// One turn of the loop.
    pub(super) fn run(&mut self, now: Instant) {
        self.runs_at = None;
        self.woken.store(false, Ordering::Relaxed);
        let Some(endpoint) = &mut self.endpoint else { return };
        for (token, readiness) in self.events.drain(..) {
            endpoint.ready(token, readiness);
        }
        if !self.is_closing {
            for (socket, address, came) in self.inbox.drain(..) {
                self.tokens.insert(socket.end.id(), endpoint.next_token());
                endpoint.adopt(socket, address, came);
            }
            let registered = self.early.drain(..);
            self.events.extend(registered.filter_map(|(end, ready)| Some((*self.tokens.get(&end)?, ready))));
        }
        let turn = endpoint.turn(now);
        self.is_closing = turn != Turn::Open;
        if endpoint.peers() <= WATCHED_PEERS_MAX {
            self.held = endpoint.held();
        }
        if turn == Turn::Done {
            self.endpoint = None;
            self.inbox.clear();
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.endpoint.is_none()
    }

    /// Describes the memory of the thread if it holds more than it may.
    pub(super) fn fault(&self, log_bytes_max: usize) -> Option<String> {
        let Held { log_bytes_most, outbox_bytes_most, backlog_bytes_most, unfinished_bytes, .. } = self.held;
        let is_within = log_bytes_most <= log_bytes_max
            && outbox_bytes_most <= OUTBOX_BYTES_MAX
            && backlog_bytes_most <= BACKLOG_BYTES_MAX
            && unfinished_bytes <= UNFINISHED_BYTES_MAX;
        (!is_within).then(|| format!("{:?}", self.held))
    }
}

impl<const QUICK: bool> Socket<QUICK> {
    pub(super) fn new(end: StreamEnd, threads: Weak<dyn Interrupt>) -> Self {
        Self { end, threads }
    }

    fn interrupt(&self) {
        if let Some(threads) = self.threads.upgrade() {
            threads.interrupt();
        }
    }
}

impl<const QUICK: bool> Read for Socket<QUICK> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupt();
        self.end.read(buffer)
    }
}

impl<const QUICK: bool> Write for Socket<QUICK> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.interrupt();
        self.end.write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.interrupt();
        self.end.write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<const QUICK: bool> Stream for Socket<QUICK> {
    const SHORT_READ_IS_ALL: bool = QUICK;

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.end.shutdown_write()
    }
}
