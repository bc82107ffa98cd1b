//! A plain peer: its lines, and whether they are text at all.

use chat_proto::{LeaveReason, LineEnding, PlainSplitter, TextKind};

use crate::incoming::{Heard, Wait};

/// A plain peer that has sent something.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    splitter: PlainSplitter,
    /// It has said something that is text.
    spoke: bool,
    /// Its input so far is the beginning of an HTTP request.
    begins_http: bool,
    /// It was told that its encoding cannot be read.
    told_encoding: bool,
}

impl Plain {
    /// A peer that is known to speak plain text, so that its first words are like any others.
    pub(crate) fn known() -> Self {
        Self { spoke: true, ..Self::default() }
    }

    /// The next line in `input`, as [`Incoming::next`](crate::incoming::Incoming::next) has it.
    pub(crate) fn next<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Option<Heard<'a>> {
        let (whole, had_begun) = (*input, self.splitter.is_unfinished());
        let Ok(line) = self.splitter.next(input) else {
            let begins_http = self.begins_http || (!had_begun && TextKind::begins_http_request(whole));
            let is_foreign = !self.spoke && begins_http;
            return Some(Heard::Fault(if is_foreign {
                LeaveReason::NotChat
            } else {
                LeaveReason::LineTooLong
            }));
        };
        let line = line?;
        if self.spoke || line.is_empty() {
            return Some(Heard::Line(line, kind(line, &mut self.told_encoding)));
        }
        if TextKind::of_first(line) == TextKind::NotText || !continues_as_text(input) {
            return Some(Heard::Fault(LeaveReason::NotChat));
        }
        self.spoke = true;
        Some(Heard::Line(line, kind(line, &mut self.told_encoding)))
    }

    /// Checks an unfinished first line. `Err` if it cannot be text, so that waiting for its end is
    /// useless.
    pub(crate) fn judge_beginning(&mut self) -> Result<(), LeaveReason> {
        let beginning = self.splitter.unfinished();
        if self.spoke || beginning.is_empty() {
            return Ok(());
        }
        self.begins_http = TextKind::begins_http_request(beginning);
        if TextKind::may_begin_with(beginning[0]) { Ok(()) } else { Err(LeaveReason::NotChat) }
    }

    /// No byte arrived for a moment: this ends a message of an undelimited client. `Err` if the peer must
    /// be closed.
    pub(crate) fn quiet(&mut self) -> Result<Option<(Vec<u8>, TextKind)>, LeaveReason> {
        let is_request = !self.spoke && self.begins_http;
        match self.splitter.quiet() {
            Some(_) if is_request => Err(LeaveReason::NotChat),
            message => self.judge(message),
        }
    }

    /// No byte arrived for a long time: an unfinished line counts as whole.
    pub(crate) fn lapse(&mut self) -> Result<Option<(Vec<u8>, TextKind)>, LeaveReason> {
        let line = self.splitter.lapse();
        self.judge(line)
    }

    /// The input has ended: the last line, if its break is missing.
    pub(crate) fn finish(&mut self) -> Result<Option<(Vec<u8>, TextKind)>, LeaveReason> {
        let line = self.splitter.finish();
        self.judge(line)
    }

    fn judge(&mut self, line: Option<Vec<u8>>) -> Result<Option<(Vec<u8>, TextKind)>, LeaveReason> {
        let Some(line) = line else { return Ok(None) };
        if !std::mem::replace(&mut self.spoke, true) && TextKind::of_first(&line) == TextKind::NotText {
            return Err(LeaveReason::NotChat);
        }
        let kind = kind(&line, &mut self.told_encoding);
        Ok(Some((line, kind)))
    }

    pub(crate) fn wait(&self) -> Wait {
        if self.splitter.ends_when_quiet() {
            Wait::Quiet
        } else if self.splitter.is_unfinished() {
            Wait::Line
        } else {
            Wait::Nothing
        }
    }

    pub(crate) fn line_ending(&self) -> Option<LineEnding> {
        self.splitter.line_ending()
    }

    pub(crate) fn take_reply(&mut self) -> Option<Vec<u8>> {
        self.splitter.take_reply()
    }

    /// Bytes of the line that has begun and not ended.
    pub(crate) fn unfinished_len(&self) -> usize {
        self.splitter.unfinished().len()
    }
}

/// The kind of a line. An unreadable encoding is reported once.
fn kind(line: &[u8], told_encoding: &mut bool) -> TextKind {
    match TextKind::of(line) {
        TextKind::OtherEncoding if std::mem::replace(told_encoding, true) => TextKind::Utf8,
        kind => kind,
    }
}

/// Whether the line after the first one, as far as both were read together, is text, too: another protocol may contain
/// a line break anywhere. Bytes after a telnet command are not checked.
fn continues_as_text(rest: &[u8]) -> bool {
    let is_blank = |byte: &&u8| matches!(byte, b'\n' | b'\r' | 0);
    let begin = rest.iter().take_while(is_blank).count();
    let rest = &rest[begin..];
    let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r' | 0xFF)).unwrap_or(rest.len());
    TextKind::of(&rest[..end]) != TextKind::NotText
}
