//! Learns how a plain peer ends its lines.

use super::PlainSplitter;
use super::char_mode::{self, Arrival};
use super::telnet::IAC;

/// How a plain peer ends its messages, and so how to end lines to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineEnding {
    /// LF.
    Lf,
    /// CR LF, CR NUL or CR.
    CrLf,
    /// Nothing: each `send` is a message.
    Undelimited,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Break {
    Lf,
    Cr,
    /// A CR, and no data since: an LF or NUL that arrives now belongs to it.
    JustCr,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Read {
    /// A line break.
    pub(super) has_break: bool,
    /// A line that had words in it, rather than keys.
    pub(super) has_words: bool,
}

impl PlainSplitter {
    /// Whether [`quiet`](Self::quiet) would return the unfinished bytes as a message, so that the caller must wait for
    /// [`QUIET`](crate::limits::QUIET). Otherwise they wait for the rest of their line, for [`lapse`](Self::lapse) at
    /// most.
    pub fn ends_when_quiet(&self) -> bool {
        let is_held = self.lent || self.line.is_empty() || self.negotiated;
        let awaits_break = match self.line_ending {
            Some(LineEnding::Undelimited) => false,
            Some(LineEnding::Lf | LineEnding::CrLf) => true,
            None => self.arrival == Some(Arrival::Keys),
        };
        !(is_held || awaits_break)
    }

    /// The peer's line ending; `None` while it is not known.
    pub fn line_ending(&self) -> Option<LineEnding> {
        if self.negotiated { Some(LineEnding::CrLf) } else { self.line_ending }
    }

    pub(super) fn swallow_rest_of_break(&mut self, input: &mut &[u8]) {
        if self.last_break == Some(Break::JustCr) {
            match input[0] {
                // A command between CR and LF is not data.
                IAC => return,
                b'\n' | b'\0' => self.skip(input),
                _ => {}
            }
            self.last_break = Some(Break::Cr);
        }
    }

    pub(super) fn note_break(&mut self, stop: Option<u8>) {
        self.read.has_break = true;
        self.last_break = Some(match stop {
            Some(b'\r') => Break::JustCr,
            _ => Break::Lf,
        });
    }

    /// All of a read is taken: it tells how its last line comes, and how the peer ends its lines.
    pub(super) fn end_read(&mut self) {
        let read = std::mem::take(&mut self.read);
        if self.line.is_empty() {
            // An undelimited message may have a line break at its end. One without any words was not a message.
            let is_one_message = self.line_ending == Some(LineEnding::Undelimited) && read.has_words;
            if read.has_break && !is_one_message {
                self.line_ending = self.last_break.map(|last| match last {
                    Break::Lf => LineEnding::Lf,
                    Break::Cr | Break::JustCr => LineEnding::CrLf,
                });
            }
            return;
        }
        let line_before = self.line_before as usize;
        if self.line.len() > line_before {
            let new = &self.line[line_before..];
            self.arrival = Some(match self.arrival {
                None if !read.has_break && char_mode::is_one_key(new) => Arrival::Keys,
                Some(Arrival::Words) if char_mode::is_editing_key(new) => Arrival::Keys,
                before => before.unwrap_or(Arrival::Words),
            });
            self.line_before = u32::try_from(self.line.len()).expect("invariant: the limit of a line fits");
        }
    }
}
