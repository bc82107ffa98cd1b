//! Puts frames, objects and lines into the outbox.

#[cfg(feature = "web")]
use std::borrow::Cow;
use std::time::Instant;

#[cfg(feature = "web")]
use chat_core::transport::Format;
use chat_proto::limits::QUIET;
use chat_proto::{Author, Direct, DirectItem, LeaveReason, Line, Notice, PREFACE, RoomFrame, Text};
#[cfg(feature = "web")]
use chat_proto::{WebSocketFrame, json::Report};

use super::{Outgoing, Reading};

impl Outgoing {
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.outbox().extend_from_slice(bytes);
    }

    fn outbox(&mut self) -> &mut Vec<u8> {
        self.extra().outbox.to_mut()
    }

    /// Bytes after which nothing follows. If nothing waits before them they are not copied.
    #[cfg(feature = "web")]
    pub(crate) fn push_last(&mut self, bytes: Cow<'static, [u8]>) {
        match self.outbox_len() {
            0 => (self.extra().outbox, self.extra().outbox_written) = (bytes, 0),
            _ => self.push_bytes(&bytes),
        }
    }

    pub(crate) fn push_preface(&mut self) {
        match self.format() {
            #[cfg(feature = "web")]
            Format::WebSocketFramed => {
                WebSocketFrame::Binary.encode(self.outbox(), |out| out.extend_from_slice(&PREFACE));
            }
            _ => self.push_bytes(&PREFACE),
        }
    }

    /// A frame without a time in it.
    pub(crate) fn push_frame(&mut self, frame: &RoomFrame) {
        self.push_frame_of(frame, 0);
    }

    /// A frame of a room that began at this moment.
    #[cfg_attr(not(feature = "web"), expect(unused_variables, reason = "only objects have the time"))]
    pub(crate) fn push_frame_of(&mut self, frame: &RoomFrame, began_unix_ms: u64) {
        let format = self.format();
        let out = self.outbox();
        match format {
            #[cfg(feature = "web")]
            Format::WebSocketText => {
                if let Some(report) = Report::frame(frame, began_unix_ms) {
                    WebSocketFrame::Text.encode(out, |out| report.write(out));
                }
            }
            #[cfg(feature = "web")]
            Format::WebSocketFramed => WebSocketFrame::Binary.encode(out, |out| frame.encode(out)),
            _ => frame.encode(out),
        }
    }

    /// A `[*] text` line for a plain member; several if it is long.
    pub(crate) fn push_notice(&mut self, text: &str, now: Instant) {
        for text in Text::split(text.as_bytes()) {
            self.push_line(&Line { author: Author::Room, text }.to_string(), now);
        }
    }

    /// An item of the direct lane for a plain member. [`take_written_direct`](Self::take_written_direct) acknowledges
    /// it.
    pub(crate) fn push_direct(&mut self, direct: &Direct, now: Instant) {
        match self.fold(&direct.item) {
            Some(folded) => self.push_after_break(&folded, now),
            None => direct.item.to_lines().iter().for_each(|line| self.push_line(line, now)),
        }
        self.extra().direct = direct.number;
    }

    /// Takes the last line away if nothing of it is written and it says the same of another message. Returns the line
    /// for both.
    fn fold(&mut self, item: &DirectItem) -> Option<String> {
        let line_break = self.line_break();
        let extra = self.extra.as_mut()?;
        let at = extra.last_line_at?;
        let line = extra.outbox.get(at..)?.strip_suffix(line_break.as_bytes())?;
        let folded = item.folded_into(str::from_utf8(line).ok()?)?;
        extra.outbox.to_mut().truncate(at);
        Some(folded)
    }

    pub(super) fn push_line(&mut self, line: &str, now: Instant) {
        let owed = self.owed_break(now);
        self.push_bytes(owed);
        self.push_after_break(line, now);
    }

    fn push_after_break(&mut self, line: &str, now: Instant) {
        let line_break = self.line_break();
        let extra = self.extra();
        extra.last_line_at = Some(extra.outbox.len());
        let outbox = extra.outbox.to_mut();
        outbox.extend_from_slice(line.as_bytes());
        outbox.extend_from_slice(line_break.as_bytes());
        if self.reading == Reading::Undelimited {
            self.extra().unbroken_since = Some(now);
        }
    }

    fn line_break(&self) -> &'static str {
        match self.reading {
            Reading::Delimited(format) => format.line_break(),
            Reading::Undelimited => "",
        }
    }

    /// The last words to a member that leaves for `reason`.
    pub(crate) fn push_farewell(&mut self, reason: &LeaveReason, now: Instant) {
        if self.format().is_plain() {
            return self.push_notice(&Notice::Closed(&reason.farewell()).to_string(), now);
        }
        self.push_frame(&RoomFrame::Bye(reason.clone()));
        #[cfg(feature = "web")]
        if self.format() != Format::Framed {
            let code = crate::web::close_code(reason);
            WebSocketFrame::Close.encode(self.outbox(), |out| out.extend_from_slice(&code.to_be_bytes()));
        }
    }

    /// Writes the line break before the next line for an undelimited peer, if one `recv` of the peer may return both
    /// lines together.
    pub(super) fn owed_break(&self, now: Instant) -> &'static [u8] {
        match self.extra.as_ref().and_then(|extra| extra.unbroken_since) {
            Some(since) if now.saturating_duration_since(since) < QUIET => b"\n",
            _ => b"",
        }
    }
}
