//! The room's log as the bytes that framed and plain members read.

use std::io::Write;

use chat_core::{Attachment, EncodedLog, Update};
use chat_proto::{Entry, encode_entry};

/// Both formats of the log.
#[derive(Debug)]
pub(crate) struct Logs {
    bytes_max: usize,
    announce: bool,
    framed: EncodedLog,
    /// Lines; made when the first plain member comes.
    plain: Option<EncodedLog>,
}

impl Logs {
    pub(crate) fn new(bytes_max: usize, announce: bool) -> Self {
        Self { bytes_max, announce, framed: EncodedLog::new(bytes_max), plain: None }
    }

    /// Frames, as [`encode_entry`] writes them.
    pub(crate) fn framed(&self) -> &EncodedLog {
        &self.framed
    }

    /// Lines that end in LF; made from the room's log if this is its first reader.
    pub(crate) fn open_plain(&mut self, attachment: &Attachment) -> &EncodedLog {
        let (bytes_max, announce) = (self.bytes_max, self.announce);
        self.plain.get_or_insert_with(|| {
            let mut log = EncodedLog::new(bytes_max);
            let mut entries = Vec::new();
            let seq = attachment.replay(|entry| entries.push(entry.clone()));
            log.restart_after(seq);
            entries.iter().for_each(|entry| log.push(entry, |entry, out| encode_line(entry, announce, out)));
            log
        })
    }

    /// The same for who reads it already.
    pub(crate) fn plain(&self) -> &EncodedLog {
        self.plain.as_ref().expect("it is opened before anyone reads it, and never closed")
    }

    /// Appends what a port has pulled; whether there is anything in it that members get to see.
    pub(crate) fn append(&mut self, update: &Update) -> bool {
        let before = self.heads();
        let announce = self.announce;
        for log in [Some(&mut self.framed), self.plain.as_mut()].into_iter().flatten() {
            if let Some(seq) = update.missed_up_to {
                log.restart_after(seq);
            }
        }
        for entry in &update.entries {
            self.framed.push(entry, encode_frame);
            if let Some(plain) = &mut self.plain {
                plain.push(entry, |entry, out| encode_line(entry, announce, out));
            }
        }
        update.missed_up_to.is_some() || self.heads() != before
    }

    fn heads(&self) -> (u64, Option<u64>) {
        (self.framed.head().slot(), self.plain.as_ref().map(|plain| plain.head().slot()))
    }
}

/// Appends `entry` as a frame; nothing if it would cost more than it tells.
fn encode_frame(entry: &Entry, out: &mut Vec<u8>) {
    if !entry.event.is_crowd() {
        encode_entry(entry, out);
    }
}

/// Appends `entry` as a line with its break; nothing if plain members do not get to see it.
fn encode_line(entry: &Entry, announce: bool, out: &mut Vec<u8>) {
    let Entry { event, .. } = entry;
    if event.is_message() || (announce && event.is_presence() && !event.is_crowd()) {
        writeln!(out, "{event}").expect("writing to a Vec does not fail");
    }
}
