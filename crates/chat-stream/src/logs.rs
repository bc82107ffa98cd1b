//! The room's log in each wire format that members of this thread read.

use std::io::Write;

use chat_core::{Attachment, EncodedLog, Update};
use chat_proto::{Entry, encode_entry};

/// How a member reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Framed,
    Lf,
    CrLf,
}

/// Encoded logs, each made when its first reader comes.
#[derive(Debug)]
pub(crate) struct Logs {
    bytes_max: usize,
    announce: bool,
    framed: Option<EncodedLog>,
    lf: Option<EncodedLog>,
    crlf: Option<EncodedLog>,
}

impl Logs {
    pub(crate) fn new(bytes_max: usize, announce: bool) -> Self {
        Self { bytes_max, announce, framed: None, lf: None, crlf: None }
    }

    /// The log in `format`; made from the room's if this is its first reader.
    pub(crate) fn open(&mut self, format: Format, attachment: &Attachment) -> &EncodedLog {
        let (bytes_max, announce) = (self.bytes_max, self.announce);
        self.place(format).get_or_insert_with(|| {
            let mut log = EncodedLog::new(bytes_max);
            let mut entries = Vec::new();
            let seq = attachment.replay(|entry| entries.push(entry.clone()));
            log.restart_after(seq);
            entries
                .iter()
                .for_each(|entry| log.push(entry, |entry, out| encode(entry, format, announce, out)));
            log
        })
    }

    /// The log in `format`, which a member reads already.
    pub(crate) fn get(&self, format: Format) -> &EncodedLog {
        let log = match format {
            Format::Framed => &self.framed,
            Format::Lf => &self.lf,
            Format::CrLf => &self.crlf,
        };
        log.as_ref().expect("a format is opened before anyone reads it, and never closed")
    }

    /// Appends what a port has pulled.
    pub(crate) fn append(&mut self, update: &Update) {
        for format in [Format::Framed, Format::Lf, Format::CrLf] {
            let announce = self.announce;
            let Some(log) = self.place(format) else { continue };
            if let Some(seq) = update.missed_up_to {
                log.restart_after(seq);
            }
            for entry in &update.entries {
                log.push(entry, |entry, out| encode(entry, format, announce, out));
            }
        }
    }

    /// Bytes that the largest of them holds, its index included.
    pub(crate) fn bytes_most(&self) -> usize {
        let logs = [&self.framed, &self.lf, &self.crlf].into_iter().flatten();
        logs.map(EncodedLog::bytes_held).max().unwrap_or(0)
    }

    fn place(&mut self, format: Format) -> &mut Option<EncodedLog> {
        match format {
            Format::Framed => &mut self.framed,
            Format::Lf => &mut self.lf,
            Format::CrLf => &mut self.crlf,
        }
    }
}

impl Format {
    /// What ends a line; nothing where there are no lines.
    pub(crate) fn line_break(self) -> &'static str {
        match self {
            Self::Framed => "",
            Self::Lf => "\n",
            Self::CrLf => "\r\n",
        }
    }
}

/// Appends `entry` as members of this format read it; nothing if they do not get to see it.
fn encode(entry: &Entry, format: Format, announce: bool, out: &mut Vec<u8>) {
    let Entry { event, .. } = entry;
    if event.is_crowd() {
        return;
    }
    match format {
        Format::Framed => encode_entry(entry, out),
        Format::Lf | Format::CrLf if event.is_message() || (announce && event.is_presence()) => {
            write!(out, "{event}{}", format.line_break()).expect("writing to a Vec does not fail");
        }
        Format::Lf | Format::CrLf => {}
    }
}
