//! Cuts a plain peer's input into lines, and learns its line ending.

pub(crate) mod char_mode;
mod line_ending;
pub(crate) mod telnet;

use memchr::{memchr, memchr3};

pub use line_ending::LineEnding;
use line_ending::{Break, Read};

use char_mode::Arrival;
use telnet::{Command, IAC, Replies, State};

use crate::{buffer, limits::PLAIN_LINE_BYTES_MAX};

/// Cuts a plain peer's bytes into lines, strips telnet commands and learns the peer's [`LineEnding`].
///
/// LF, CR LF, CR NUL (telnet) and a bare CR each end a line. A CR ends it at once; an LF or NUL
/// after it, even in a later read, is swallowed. NULs between lines are padding and are dropped. The content of a line
/// is not checked: give it to [`Text::split`](crate::Text::split).
///
/// # The line ending
///
/// It is learned from what the peer sends, and learned again when that changes:
///
/// | what comes | the peer ends its messages with |
/// |---|---|
/// | a read that ends in a line break | that line break, as long as it does so |
/// | words without a break, then [`quiet`](Self::quiet) | nothing: it is [`Undelimited`](LineEnding::Undelimited) |
/// | one key per read, then a line break | that line break: a terminal that sends each key |
/// | nothing but a line break | that line break, even after undelimited messages |
/// | words without a break for a long time: [`lapse`](Self::lapse) | nothing, even after lines |
/// | a telnet option | CR LF |
///
/// In a line that came key by key, backspace, delete, Ctrl-U and Ctrl-W have edited the line before it is returned.
///
/// # Cost
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
    /// How much of `line` came before this read.
    line_before: u32,
    telnet: State,
    last_break: Option<Break>,
    line_ending: Option<LineEnding>,
    /// How the unfinished line has come until this read.
    arrival: Option<Arrival>,
    /// The content of this read.
    read: Read,
    /// A line was not empty.
    spoke: bool,
    /// A telnet option was seen, so that lines end as RFC 854 says.
    negotiated: bool,
    /// `line` was returned and must be freed.
    lent: bool,
    #[cfg(test)]
    examined: usize,
}

/// A plain peer's line is longer than [`PLAIN_LINE_BYTES_MAX`]; the peer is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("peer sent a line of more than {PLAIN_LINE_BYTES_MAX} bytes")]
pub struct LineTooLong;

impl PlainSplitter {
    /// A splitter at the beginning of a line, for a peer whose line ending is not known.
    pub fn new() -> PlainSplitter {
        PlainSplitter::default()
    }

    /// The next whole line, without its break, taken from the front of `input`, which is what one read has returned.
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
                        let line = self.without_padding(data);
                        self.read.has_words |= !line.is_empty();
                        self.spoke |= !line.is_empty();
                        self.note_break(stop);
                        return Ok(Some(line));
                    }
                    self.append(data)?;
                    if is_break {
                        self.note_break(stop);
                        self.end_line();
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
                        self.negotiated |= next != State::Data;
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
        self.end_read();
        Ok(None)
    }

    /// Says that no byte came for [`QUIET`](crate::limits::QUIET); the clock is the caller's.
    ///
    /// Returns the unfinished bytes if they are a message: those of a peer that ends its messages with nothing, or of
    /// one that has begun with words and no line break. That peer counts as [`LineEnding::Undelimited`] from now on.
    /// Otherwise this is `None` and changes nothing: a line takes as long as a person takes to type it.
    pub fn quiet(&mut self) -> Option<Vec<u8>> {
        self.let_go();
        if !self.ends_when_quiet() {
            return None;
        }
        self.line_ending = Some(LineEnding::Undelimited);
        self.take_unfinished()
    }

    /// Says that no byte came for a long time; how long is the caller's choice. Returns the unfinished line, if there
    /// is one, as a message. If it came in words, the peer seems to end its messages with nothing.
    pub fn lapse(&mut self) -> Option<Vec<u8>> {
        self.let_go();
        if !self.line.is_empty() && self.arrival == Some(Arrival::Words) {
            self.line_ending = Some(LineEnding::Undelimited);
        }
        self.take_unfinished()
    }

    /// Says that the input has ended; the last line if its break is missing.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        self.let_go();
        if self.telnet == State::Command && self.line.len() < PLAIN_LINE_BYTES_MAX {
            // No command followed, so it was data.
            self.line.push(IAC);
        }
        self.telnet = State::Data;
        self.skipped = 0;
        self.take_unfinished()
    }

    /// The bytes of the line that has begun and not ended, without telnet commands.
    pub fn unfinished(&self) -> &[u8] {
        if self.lent { &[] } else { &self.line }
    }

    /// Whether a line or a telnet command has begun and not ended.
    pub fn is_unfinished(&self) -> bool {
        !self.unfinished().is_empty() || self.telnet != State::Data
    }

    /// Bytes to send back, if any: refusals of the telnet options that the peer proposed.
    ///
    /// At most [`TELNET_REPLY_BYTES_MAX`](crate::limits::TELNET_REPLY_BYTES_MAX) bytes of them wait here; later ones
    /// are dropped.
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

    fn take_unfinished(&mut self) -> Option<Vec<u8>> {
        self.end_line();
        let line = std::mem::take(&mut self.line);
        (!line.is_empty()).then_some(line)
    }

    /// The line in the buffer has ended. If it came key by key, applies its editing keys.
    fn end_line(&mut self) {
        self.spoke |= !self.line.is_empty();
        match self.arrival.take() {
            Some(Arrival::Keys) => char_mode::edit(&mut self.line),
            _ => self.read.has_words |= !self.line.is_empty(),
        }
        self.line_before = 0;
    }

    fn append(&mut self, data: &[u8]) -> Result<(), LineTooLong> {
        let data = if self.line.is_empty() { self.without_padding(data) } else { data };
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

    /// The data without NULs at the beginning of a line, if a line came before: they are the rest of a buffer that a
    /// program has sent whole.
    fn without_padding<'d>(&self, data: &'d [u8]) -> &'d [u8] {
        let padding = if self.spoke { data.iter().take_while(|&&byte| byte == 0).count() } else { 0 };
        &data[padding..]
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

/// Takes the bytes before `found` from the front of `input`, and the byte there; without `found`, everything.
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
mod tests;
