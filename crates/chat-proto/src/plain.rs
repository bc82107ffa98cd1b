//! Cuts what a plain peer sends into lines, and learns how he ends them.

use memchr::{memchr, memchr3};

use crate::{
    buffer,
    limits::PLAIN_LINE_BYTES_MAX,
    telnet::{self, Command, IAC, Replies, State},
};

/// Cuts a plain peer's bytes into lines, strips telnet commands and learns the peer's [`LineEnding`].
///
/// LF, CR LF, CR NUL (telnet) and a bare CR each end a line. A CR ends it at once; an LF or NUL
/// after it, even in a later read, is swallowed. What a line holds besides is not looked at: give
/// it to [`Text::split`](crate::Text::split).
///
/// ```text
/// undecided --- a read ends with a line break ---> line peer (Lf or CrLf), for good
///     |
///     +-------- quiet() with bytes unfinished ---> chunk peer (Chunk), for good
/// ```
///
/// A line that is whole in the input is borrowed from there; only a line in pieces, or one with
/// telnet commands inside, is copied. Each byte is looked at once, so that the cost is linear in
/// the bytes however they are fragmented. Holds at most [`PLAIN_LINE_BYTES_MAX`] bytes of an
/// unfinished line, and no heap memory while nothing is pending.
///
/// ```
/// use chat_proto::{LineEnding, PlainSplitter};
///
/// let mut splitter = PlainSplitter::new();
/// let mut input: &[u8] = b"one\r\ntwo\r";
/// assert_eq!(splitter.next(&mut input)?, Some(&b"one"[..]));
/// assert_eq!(splitter.next(&mut input)?, Some(&b"two"[..]));
/// assert_eq!(splitter.next(&mut input)?, None);
/// assert_eq!(splitter.line_ending(), Some(LineEnding::CrLf));
///
/// let mut input: &[u8] = b"\nthree";
/// assert_eq!(splitter.next(&mut input)?, None);
/// assert_eq!(splitter.finish(), Some(b"three".to_vec()));
/// # Ok::<(), chat_proto::LineTooLong>(())
/// ```
#[derive(Debug, Default)]
pub struct PlainSplitter {
    /// The unfinished line, free of commands; or the line returned last, while `lent`.
    line: Vec<u8>,
    replies: Replies,
    /// Length of the subnegotiation that is being skipped. It is not kept, but an endless one is
    /// an endless line.
    skipped: u32,
    telnet: State,
    last_break: Option<Break>,
    line_ending: Option<LineEnding>,
    /// `line` was returned and is to be let go.
    lent: bool,
    #[cfg(test)]
    examined: usize,
}

/// How a plain peer ends what he says, and so how to end what is sent to him.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineEnding {
    /// Lines that end in LF.
    Lf,
    /// Lines that end in CR LF, CR NUL or CR.
    CrLf,
    /// Chunks: each `send` is a message, without a line break at its end.
    Chunk,
}

/// A plain peer's line is longer than [`PLAIN_LINE_BYTES_MAX`]; the peer is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("peer sent a line of more than {PLAIN_LINE_BYTES_MAX} bytes")]
pub struct LineTooLong;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Break {
    Lf,
    Cr,
    /// A CR, and no data since: an LF or NUL that comes now belongs to it.
    JustCr,
}

impl PlainSplitter {
    /// A splitter at the beginning of a line, for a peer whose line ending is not known.
    pub fn new() -> PlainSplitter {
        PlainSplitter::default()
    }

    /// The next whole line, without its break, taken from the front of `input`.
    ///
    /// `Ok(None)` means that `input` is used up. Call it until then, since that is also when the
    /// peer's line ending is decided and a returned line's memory is let go. The line is borrowed from
    /// `input` where it is whole there, else from the splitter.
    ///
    /// # Errors
    ///
    /// [`LineTooLong`] as soon as the line (or a telnet subnegotiation within it) exceeds
    /// [`PLAIN_LINE_BYTES_MAX`]. The line is gone; close the connection.
    pub fn next<'a, 'i: 'a>(&'a mut self, input: &mut &'i [u8]) -> Result<Option<&'a [u8]>, LineTooLong> {
        self.let_go();
        while !input.is_empty() {
            match self.telnet {
                State::Data => {
                    self.swallow_rest_of_break(input);
                    let found = memchr3(b'\n', b'\r', IAC, input);
                    let (data, stop) = cut(input, found);
                    self.examine(data.len() + usize::from(stop.is_some()));
                    let is_break = matches!(stop, Some(b'\n' | b'\r'));
                    if is_break && self.line.is_empty() && data.len() <= PLAIN_LINE_BYTES_MAX {
                        self.note_break(stop);
                        return Ok(Some(data));
                    }
                    self.append(data)?;
                    if is_break {
                        self.note_break(stop);
                        self.lent = true;
                        return Ok(Some(&self.line));
                    }
                    if stop.is_some() {
                        self.telnet = State::Command;
                    }
                }
                State::Command => match telnet::command(input[0]) {
                    Command::Escaped => {
                        self.append(&[IAC])?;
                        self.telnet = State::Data;
                        self.skip(input);
                    }
                    Command::Strip(next) => {
                        self.telnet = next;
                        self.skip(input);
                    }
                    Command::None => {
                        self.append(&[IAC])?;
                        self.telnet = State::Data;
                    }
                },
                State::Will | State::Do | State::Refused => {
                    self.replies.refuse(self.telnet, input[0]);
                    self.telnet = State::Data;
                    self.skip(input);
                }
                State::Subnegotiation => {
                    let (data, stop) = cut(input, memchr(IAC, input));
                    self.examine(data.len() + usize::from(stop.is_some()));
                    self.count_skipped(data.len())?;
                    if stop.is_some() {
                        self.telnet = State::SubnegotiationCommand;
                    }
                }
                State::SubnegotiationCommand => {
                    self.telnet = telnet::subnegotiation_command(input[0]);
                    self.skip(input);
                    match self.telnet {
                        State::Data => self.skipped = 0,
                        _ => self.count_skipped(2)?,
                    }
                }
            }
        }
        self.decide_line_ending();
        Ok(None)
    }

    /// Says that no byte came for [`QUIET`](crate::limits::QUIET); the clock is the caller's.
    ///
    /// A peer whose line ending is not known and who left bytes unfinished is a chunk peer from now on,
    /// and a chunk peer's unfinished bytes are a message, which is returned. A line peer may take
    /// as long as he likes over a line: for him, and where nothing is unfinished, this is `None`
    /// and changes nothing.
    pub fn quiet(&mut self) -> Option<Vec<u8>> {
        self.let_go();
        if self.line.is_empty() || matches!(self.line_ending, Some(LineEnding::Lf | LineEnding::CrLf)) {
            return None;
        }
        self.line_ending = Some(LineEnding::Chunk);
        Some(std::mem::take(&mut self.line))
    }

    /// Says that the input has ended; the last line if its break is missing.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        self.let_go();
        if self.telnet == State::Command && self.line.len() < PLAIN_LINE_BYTES_MAX {
            // No command followed, so that it was data.
            self.line.push(IAC);
        }
        self.telnet = State::Data;
        self.skipped = 0;
        let line = std::mem::take(&mut self.line);
        (!line.is_empty()).then_some(line)
    }

    /// Whether a line or a telnet command has begun and not ended.
    pub fn is_unfinished(&self) -> bool {
        (!self.line.is_empty() && !self.lent) || self.telnet != State::Data
    }

    /// How the peer ends what he says; `None` while it is not known.
    pub fn line_ending(&self) -> Option<LineEnding> {
        self.line_ending
    }

    /// Bytes to send back, if any: refusals of the telnet options that the peer proposed.
    ///
    /// Of those at most [`TELNET_REPLY_BYTES_MAX`](crate::limits::TELNET_REPLY_BYTES_MAX) bytes
    /// wait here, later ones are dropped.
    pub fn take_reply(&mut self) -> Option<Vec<u8>> {
        self.replies.take()
    }

    /// Drops the line that was returned last. Its memory too: most peers are idle most of the time.
    fn let_go(&mut self) {
        if self.lent {
            self.line = Vec::new();
            self.lent = false;
        }
    }

    fn swallow_rest_of_break(&mut self, input: &mut &[u8]) {
        if self.last_break == Some(Break::JustCr) {
            match input[0] {
                // A command between CR and LF is no data.
                IAC => return,
                b'\n' | b'\0' => self.skip(input),
                _ => {}
            }
            self.last_break = Some(Break::Cr);
        }
    }

    fn note_break(&mut self, stop: Option<u8>) {
        self.last_break = Some(match stop {
            Some(b'\r') => Break::JustCr,
            _ => Break::Lf,
        });
    }

    fn decide_line_ending(&mut self) {
        if self.line_ending.is_none() && self.line.is_empty() {
            self.line_ending = self.last_break.map(|last| match last {
                Break::Lf => LineEnding::Lf,
                Break::Cr | Break::JustCr => LineEnding::CrLf,
            });
        }
    }

    fn append(&mut self, data: &[u8]) -> Result<(), LineTooLong> {
        if data.is_empty() {
            return Ok(());
        }
        if self.line.len() + data.len() > PLAIN_LINE_BYTES_MAX {
            self.line = Vec::new();
            return Err(LineTooLong);
        }
        if self.last_break == Some(Break::JustCr) {
            self.last_break = Some(Break::Cr);
        }
        buffer::append(&mut self.line, data, PLAIN_LINE_BYTES_MAX);
        Ok(())
    }

    fn count_skipped(&mut self, bytes: usize) -> Result<(), LineTooLong> {
        let skipped = self.skipped as usize + bytes;
        if self.line.len() + skipped > PLAIN_LINE_BYTES_MAX {
            self.line = Vec::new();
            return Err(LineTooLong);
        }
        self.skipped = u32::try_from(skipped).expect("invariant: the limit of a line fits");
        Ok(())
    }

    fn skip(&mut self, input: &mut &[u8]) {
        self.examine(1);
        *input = &input[1..];
    }

    #[cfg(test)]
    fn examine(&mut self, bytes: usize) {
        self.examined += bytes;
    }

    #[cfg(not(test))]
    fn examine(&mut self, _bytes: usize) {}
}

/// Takes what stands before `found` from the front of `input`, and the byte there; or everything.
fn cut<'i>(input: &mut &'i [u8], found: Option<usize>) -> (&'i [u8], Option<u8>) {
    match found {
        Some(at) => {
            let (data, rest) = input.split_at(at);
            *input = &rest[1..];
            (data, Some(rest[0]))
        }
        None => (std::mem::take(input), None),
    }
}

#[cfg(test)]
mod tests {
    use super::PlainSplitter;
    use crate::limits::PLAIN_LINE_BYTES_MAX;

    fn drip(splitter: &mut PlainSplitter, bytes: &[u8]) -> usize {
        let mut lines = 0;
        for byte in bytes.chunks(1) {
            let mut input = byte;
            while splitter.next(&mut input).expect("short enough").is_some() {
                lines += 1;
            }
        }
        lines
    }

    #[test]
    fn each_byte_of_a_dripped_line_is_examined_once() {
        let mut line = vec![b'x'; PLAIN_LINE_BYTES_MAX];
        line.extend(b"\r\n");
        let mut splitter = PlainSplitter::new();
        assert_eq!(drip(&mut splitter, &line), 1);
        assert_eq!(splitter.examined, line.len());

        let commands = [b"\xff\xfa".to_vec(), vec![b'x'; 60_000], b"\xff\xf0\xff\xf1".to_vec()].concat();
        let mut splitter = PlainSplitter::new();
        assert_eq!(drip(&mut splitter, &commands), 0);
        assert_eq!(splitter.examined, commands.len());
    }

    #[test]
    fn each_byte_of_many_lines_at_once_is_examined_once() {
        let lines = b"hello\r\n".repeat(10_000);
        let mut splitter = PlainSplitter::new();
        let mut input = lines.as_slice();
        let mut count = 0;
        while splitter.next(&mut input).expect("short").is_some() {
            count += 1;
        }
        assert_eq!((count, splitter.examined), (10_000, lines.len()));
    }

    #[test]
    fn no_memory_is_held_while_nothing_is_pending() {
        let mut splitter = PlainSplitter::new();
        drip(&mut splitter, &[b'x'; PLAIN_LINE_BYTES_MAX]);
        assert!(splitter.line.capacity() <= PLAIN_LINE_BYTES_MAX);
        drip(&mut splitter, b"\n");
        assert_eq!(splitter.line.capacity(), 0);

        drip(&mut splitter, b"left over");
        assert!(splitter.finish().is_some());
        assert_eq!(splitter.line.capacity(), 0);
    }
}
