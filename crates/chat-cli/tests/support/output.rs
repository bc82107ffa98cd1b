//! What a process writes.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::{PATIENCE, in_any_room};

/// What a process has written to a pipe so far.
#[derive(Clone)]
pub(crate) struct Output(Arc<(Mutex<Written>, Condvar)>);

#[derive(Default)]
pub(crate) struct Written {
    pub(crate) lines: Vec<String>,
    pub(crate) ended: bool,
}

impl Output {
    pub(super) fn of(pipe: impl Read + Send + 'static) -> Self {
        let output = Self(Arc::default());
        let writer = output.clone();
        thread::spawn(move || writer.collect(pipe));
        output
    }

    /// Collects lines that end in LF. Anything else in a line is for the tests to see.
    fn collect(&self, pipe: impl Read) {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            self.written().lines.push(String::from_utf8_lossy(&line).into_owned());
            self.0.1.notify_all();
            line.clear();
        }
        self.written().ended = true;
        self.0.1.notify_all();
    }

    pub(crate) fn written(&self) -> MutexGuard<'_, Written> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.written().lines.clone()
    }

    pub(crate) fn wait_until<T>(&self, what: &str, mut find: impl FnMut(&Written) -> Option<T>) -> T {
        let mut found = None;
        let waits = |written: &mut Written| {
            found = find(written);
            found.is_none() && !written.ended
        };
        let waited = self.0.1.wait_timeout_while(self.written(), PATIENCE, waits);
        let (written, _) = waited.unwrap_or_else(PoisonError::into_inner);
        found.unwrap_or_else(|| {
            let last = written.lines[written.lines.len().saturating_sub(20)..].join("\n  ");
            panic!("waited in vain for {what}; the output (ended: {}) closes with\n  {last}", written.ended)
        })
    }

    pub(super) fn has_line_within(&self, line: &str, time: Duration) -> bool {
        let is_missing =
            |written: &mut Written| !written.ended && written.lines.iter().all(|there| there != line);
        let waited = self.0.1.wait_timeout_while(self.written(), time, is_missing);
        let (written, _) = waited.unwrap_or_else(PoisonError::into_inner);
        written.lines.iter().any(|there| there == line)
    }

    pub(crate) fn wait_for_line(&self, line: &str) {
        self.wait_until(line, |output| {
            output.lines.iter().rev().any(|there| in_any_room(there) == line).then_some(())
        });
    }

    /// Waits until there are this many lines.
    pub(crate) fn wait_for_lines(&self, count: usize) {
        self.wait_until(&format!("{count} lines"), |output| (output.lines.len() >= count).then_some(()));
    }

    /// Waits until there are this many lines. False if it ends before.
    pub(crate) fn grows_to(&self, count: usize) -> bool {
        let waits = |written: &mut Written| written.lines.len() < count && !written.ended;
        let waited = self.0.1.wait_timeout_while(self.written(), PATIENCE, waits);
        let (written, _) = waited.unwrap_or_else(PoisonError::into_inner);
        written.lines.len() >= count
    }

    /// Waits for each of these lines, in any order.
    pub(crate) fn wait_until_all(&self, what: &str, lines: &BTreeSet<String>) {
        let (mut missing, mut read) = (lines.clone(), 0);
        let waits = |written: &mut Written| {
            for line in &written.lines[read..] {
                missing.remove(line);
            }
            read = written.lines.len();
            !missing.is_empty() && !written.ended
        };
        drop(self.0.1.wait_timeout_while(self.written(), PATIENCE, waits));
        assert!(missing.is_empty(), "{} of {} {what} are missing: {missing:#?}", missing.len(), lines.len());
    }

    /// All that was written up to the end.
    pub(crate) fn all(&self) -> Vec<String> {
        self.wait_until("the end", |output| output.ended.then(|| output.lines.clone()))
    }
}
