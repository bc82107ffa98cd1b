//! The newest messages of a room on their way into its copy, and how far the copy is.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_core::journal::Kept;
use crossbeam_channel::Sender;

use crate::limits::{COPY_BATCH_MAX, COPY_MESSAGES_MAX};

/// What a room and the copier share.
pub(crate) struct Tail {
    inner: Mutex<Inner>,
    wake: Sender<()>,
    /// Messages that the copies of all rooms lack.
    lacking: Arc<AtomicU64>,
}

struct Inner {
    /// The room is there: the other journal may be asked.
    is_started: bool,
    /// The newest message of the room.
    known: u64,
    /// The newest message of the copy.
    written: u64,
    /// Some of those in between, the newest ones.
    newest: VecDeque<Kept>,
}

impl Tail {
    pub(crate) fn new(known: u64, written: u64, wake: Sender<()>, lacking: Arc<AtomicU64>) -> Self {
        lacking.fetch_add(known - written, Ordering::Relaxed);
        Self {
            inner: Mutex::new(Inner { is_started: false, known, written, newest: VecDeque::new() }),
            wake,
            lacking,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is complete before anything can panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn start(&self) {
        self.lock().is_started = true;
        let _awake_already = self.wake.try_send(());
    }

    pub(crate) fn is_started(&self) -> bool {
        self.lock().is_started
    }

    /// The numbers of the newest message of the room and of the copy.
    pub(crate) fn known_and_written(&self) -> (u64, u64) {
        let inner = self.lock();
        (inner.known, inner.written)
    }

    /// Takes the messages that the room is about to show.
    pub(crate) fn push(&self, batch: &[Kept]) {
        let mut inner = self.lock();
        for kept in batch.iter().filter(|kept| kept.event.is_message()) {
            if kept.seq > inner.known {
                self.lacking.fetch_add(kept.seq - inner.known, Ordering::Relaxed);
                inner.known = kept.seq;
                inner.newest.push_back(kept.clone());
            }
        }
        let excess = inner.newest.len().saturating_sub(COPY_MESSAGES_MAX);
        inner.newest.drain(..excess);
        drop(inner);
        let _awake_already = self.wake.try_send(());
    }

    /// Takes messages that follow those in the copy, if they are here. If they cannot be written they are read from the
    /// other journal later.
    pub(crate) fn take(&self) -> Vec<Kept> {
        let mut inner = self.lock();
        let written = inner.written;
        while inner.newest.front().is_some_and(|kept| kept.seq <= written) {
            inner.newest.pop_front();
        }
        match inner.newest.front() {
            Some(next) if next.seq == written + 1 => {
                let count = inner.newest.len().min(COPY_BATCH_MAX);
                inner.newest.drain(..count).collect()
            }
            _ => Vec::new(),
        }
    }

    pub(crate) fn set_written(&self, seq: u64) {
        let mut inner = self.lock();
        self.lacking.fetch_sub(seq.saturating_sub(inner.written), Ordering::Relaxed);
        inner.written = seq.max(inner.written);
    }

    /// Messages that the copies of all rooms lack.
    pub(crate) fn all_lacking(&self) -> usize {
        usize::try_from(self.lacking.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let (known, written) = self.known_and_written();
        self.lacking.fetch_sub(known.saturating_sub(written), Ordering::Relaxed);
    }
}
