//! A connection with its stream, and their state in the loop.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::time::Duration;

use chat_core::transport::{Deadlines, FeedId, Listed, Membership};

use crate::connection::Connection;
use crate::context::Context;
use crate::limits::OPENING_GRACE;
use crate::stream::{Readiness, Stream};

#[derive(Debug)]
pub(crate) struct Peer<S> {
    stream: S,
    pub(crate) connection: Connection,
    /// Distinguishes the peers that used the same place one after the other.
    generation: u16,
    /// Bytes of its unfinished line that its endpoint has counted.
    unfinished: u32,
    /// Reading may bring bytes; false once it would block.
    readable: bool,
    /// The peer has ended its side; the next read will find this out.
    ended: bool,
    /// Writing may take bytes; false once it would block.
    writable: bool,
    /// The system says that both sides of the connection are gone.
    hung_up: bool,
    /// Counts as a newcomer.
    newcomer: bool,
    /// In the loop's queue of peers to serve.
    queued: bool,
    /// The deadline under which the peer is listed; the true one may be later.
    listed: Listed,
}

impl<S: Stream> Peer<S> {
    /// A peer that is put into the queue to be served for the first time.
    pub(crate) fn new(stream: S, connection: Connection, generation: u16) -> Self {
        Self {
            stream,
            connection,
            generation,
            unfinished: 0,
            readable: true,
            ended: false,
            writable: true,
            hung_up: false,
            newcomer: true,
            queued: true,
            listed: Listed::default(),
        }
    }

    /// The feed of the room that it is in, or where it begins.
    pub(crate) fn at(&self) -> FeedId {
        self.connection.room.unwrap_or(FeedId::FIRST)
    }

    /// Whether the peer counted as a newcomer until now, and no longer is one.
    pub(crate) fn is_newcomer_no_more(&mut self) -> bool {
        std::mem::replace(&mut self.newcomer, self.connection.is_newcomer()) && !self.newcomer
    }

    /// Whether it is this member of this room.
    pub(crate) fn is_member(&self, room: FeedId, member: Membership) -> bool {
        self.connection.room == Some(room) && self.connection.member() == Some(member)
    }

    /// Whether it is the peer of that generation, and counts as a newcomer.
    pub(crate) fn is_newcomer_of(&self, generation: u16) -> bool {
        self.newcomer && self.is_of(generation)
    }

    /// Whether it is the peer of that generation.
    pub(crate) fn is_of(&self, generation: u16) -> bool {
        self.generation == generation
    }

    /// Records an event. True if the peer must be put into the queue.
    pub(crate) fn on_event(&mut self, readiness: Readiness) -> bool {
        self.ended |= readiness.ended;
        self.readable |= readiness.readable || readiness.ended;
        self.writable |= readiness.writable;
        self.hung_up |= readiness.hung_up;
        !std::mem::replace(&mut self.queued, true)
    }

    /// Bytes of its unfinished line at the last count.
    pub(crate) fn unfinished(&self) -> usize {
        self.unfinished as usize
    }

    /// Brings the `sum` over all peers up to date with this peer's unfinished line.
    pub(crate) fn count_unfinished(&mut self, sum: &mut usize) {
        *sum -= self.unfinished();
        // A line has at most 64 KiB.
        self.unfinished = u32::try_from(self.connection.unfinished_len()).unwrap_or(u32::MAX);
        *sum += self.unfinished();
    }

    /// Was taken from the queue.
    pub(crate) fn dequeued(&mut self) {
        self.queued = false;
    }

    /// The listed deadline has passed.
    pub(crate) fn on_deadline(&mut self, cx: &mut Context<'_>) {
        self.listed = Listed::default();
        if self.connection.is_silent(cx.now) && self.stream.silent() {
            self.opened(Duration::ZERO, cx);
        }
        // The socket takes bytes again, and we have not tried yet: the delay is ours, not the peer's.
        if !(self.writable && self.connection.is_blocked()) {
            self.connection.on_deadline(cx);
        }
    }

    /// Continues the handshake that must end before the first byte; true once it is done.
    pub(crate) fn open(&mut self, cx: &mut Context<'_>) -> bool {
        match self.stream.open() {
            Ok(true) => {
                self.readable = true; // it may have read more than the handshake, of which no event tells
                self.opened(OPENING_GRACE, cx);
            }
            Ok(false) if !self.hung_up => {
                self.readable = false; // an event comes when there is more to do
                self.identify(); // it may come from elsewhere, and counts there from now on
            }
            Ok(false) => self.connection.fail(&ErrorKind::BrokenPipe.into(), cx),
            Err(error) => self.connection.fail(&error, cx),
        }
        !self.connection.is_handshaking()
    }

    fn opened(&mut self, grace: Duration, cx: &mut Context<'_>) {
        self.identify();
        self.connection.opened(self.stream.speaks(), grace, cx);
    }

    fn identify(&mut self) {
        if let Some(address) = self.connection.newcomer_address() {
            self.connection.identify(self.stream.identity(address));
        }
    }

    /// Reads until it would block, the connection wants no more, or `buffer`, the peer's share of this turn,
    /// is used up.
    pub(crate) fn read(&mut self, buffer: &mut [u8], cx: &mut Context<'_>) {
        if self.connection.is_handshaking() && !self.open(cx) {
            return;
        }
        let mut heard = 0;
        if self.connection.has_backlog() {
            self.connection.receive_backlog(cx);
        }
        while self.readable && self.connection.wants_bytes() && heard < buffer.len() {
            let asked = buffer.len() - heard;
            match self.stream.read(&mut buffer[heard..]) {
                Ok(0) => {
                    self.readable = false;
                    self.connection.end_of_input(cx);
                }
                Ok(count) => {
                    self.connection.receive(&buffer[heard..heard + count], cx);
                    heard += count;
                    // There is no separate event for the end if it arrived together with these bytes.
                    self.readable = count == asked || self.ended || !S::SHORT_READ_IS_ALL;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.readable = false;
                    self.connection.fail(&error, cx);
                }
            }
        }
        // Only when all its bytes are processed: a vanished peer may have sent more than its last line.
        if self.hung_up && !self.readable && self.connection.wants_bytes() {
            self.connection.fail(&ErrorKind::BrokenPipe.into(), cx);
        }
    }

    /// Writes the peer's pending output, as far as the socket takes it.
    pub(crate) fn flush(&mut self, cx: &mut Context<'_>) {
        if self.hung_up {
            return self.connection.give_up_writing();
        }
        if !self.writable {
            return;
        }
        let result = self.connection.flush(cx, &mut self.stream).and_then(|shuts_down| match shuts_down {
            true => self.stream.shutdown_write(),
            false => Ok(()),
        });
        if let Err(error) = result {
            // The peer is gone. Some of the bytes it sent before may not be read yet.
            tracing::debug!(member = ?self.connection.member(), %error, "cannot write");
            (self.hung_up, self.readable) = (true, true);
            self.connection.give_up_writing();
        }
        self.writable = !self.connection.is_blocked();
    }

    /// Lists the peer where it must be served again. False if it can be dropped.
    pub(crate) fn settle(
        &mut self,
        key: usize,
        deadlines: &mut Deadlines,
        queue: &mut VecDeque<usize>,
    ) -> bool {
        if self.connection.is_done() {
            deadlines.remove(&mut self.listed);
            return false;
        }
        if let Some(deadline) = self.connection.deadline() {
            deadlines.list(key, &mut self.listed, deadline);
        }
        let is_to_be_read = (self.readable || self.hung_up) && self.connection.wants_bytes();
        if !self.queued && (is_to_be_read || self.connection.has_backlog()) {
            self.queued = true;
            queue.push_back(key);
        }
        true
    }
}
