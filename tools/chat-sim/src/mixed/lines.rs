//! Compares what a plain member reads with what the room accepted.

use chat_proto::Entry;

use super::follower::Follower;
use super::truth::Truth;

const CLOSED: &str = "[*] Closed: ";

/// How the lines that a member reads end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Lf,
    /// LF until the member has spoken, and CR LF from then on.
    CrLf {
        seen: bool,
    },
    /// No line ending. A line break stands only between two lines, which may arrive together.
    Chunk {
        begun: bool,
    },
}

#[derive(Debug)]
pub(super) struct Lines {
    ending: Ending,
    unread: Vec<u8>,
    told: Option<String>,
}

impl Lines {
    pub(super) fn new(ending: Ending) -> Self {
        Self { ending, unread: Vec::new(), told: None }
    }

    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        follower: &mut Follower,
        truth: &Truth,
    ) -> Result<(), String> {
        self.unread.extend_from_slice(bytes);
        while let Some(line) = self.next_line(follower, truth)? {
            self.line(&line, follower, truth)?;
        }
        Ok(())
    }

    /// Ignores all lines except the one by which the room ends the membership.
    pub(super) fn skip_to_end(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        let unread = String::from_utf8_lossy(&self.unread);
        self.told = unread.lines().find_map(|line| line.strip_prefix(CLOSED)).map(ToOwned::to_owned);
    }

    /// The reason for which the room has ended the membership, if it gave one.
    pub(super) fn told(&self) -> Option<String> {
        let Ending::Chunk { .. } = self.ending else { return self.told.clone() };
        // Without a line break, the line is known to be complete only when nothing follows.
        let unread = String::from_utf8_lossy(&self.unread);
        let unread = unread.strip_suffix('\n').unwrap_or(&unread);
        unread.strip_prefix(CLOSED).map(ToOwned::to_owned)
    }

    /// Whether every line that has begun is complete.
    pub(super) fn is_whole(&self) -> bool {
        self.unread.is_empty()
    }

    fn next_line(&mut self, follower: &mut Follower, truth: &Truth) -> Result<Option<String>, String> {
        if let Ending::Chunk { begun } = &mut self.ending {
            if *begun && self.unread.first() == Some(&b'\n') {
                self.unread.remove(0);
            }
            let end = end_of_chunk(&self.unread, follower.next(truth));
            *begun |= end.is_some();
            return end.map(|end| text(self.unread.drain(..end).collect())).transpose();
        }
        let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') else { return Ok(None) };
        let mut line: Vec<u8> = self.unread.drain(..=end).take(end).collect();
        let is_crlf = line.last() == Some(&b'\r');
        match &mut self.ending {
            Ending::CrLf { seen } if is_crlf || !*seen => {
                *seen |= is_crlf;
                line.truncate(line.len() - usize::from(is_crlf));
            }
            Ending::Lf if !is_crlf => {}
            ending => return Err(format!("{ending:?}: {:?} ends otherwise", text(line))),
        }
        text(line).map(Some)
    }

    fn line(&mut self, line: &str, follower: &mut Follower, truth: &Truth) -> Result<(), String> {
        if let Some(told) = &self.told {
            return Err(format!("{line:?} after it was told: {told}"));
        }
        let expected = follower.next(truth).map(|entry| entry.event.to_string());
        if expected.as_deref() == Some(line) {
            follower.shown();
            return Ok(());
        }
        let notice =
            line.strip_prefix("[*] ").ok_or_else(|| format!("was shown {line:?}, not {expected:?}"))?;
        if let Some(messages) = notice.strip_prefix("You missed ") {
            let messages = messages.split(' ').next().and_then(|messages| messages.parse().ok());
            return follower.missed(messages.ok_or_else(|| line.to_owned())?, truth);
        }
        if let Some(reason) = notice.strip_prefix("Closed: ") {
            self.told = Some(reason.to_owned());
            return Ok(());
        }
        let is_answer = notice.starts_with("You ended your side") || notice == "There is no topic";
        if is_answer { Ok(()) } else { Err(format!("was shown {line:?}, not {expected:?}")) }
    }
}

/// Where the first line ends in text without line endings. It is either the expected line or a notice.
fn end_of_chunk(unread: &[u8], expected: Option<&Entry>) -> Option<usize> {
    const ENDED: &str = "[*] You ended your side; you still hear the room";
    let expected = expected.map(|entry| entry.event.to_string());
    let known = [expected.as_deref(), Some(ENDED)];
    for line in known.into_iter().flatten() {
        if unread.starts_with(line.as_bytes()) {
            return Some(line.len());
        }
        if line.as_bytes().starts_with(unread) {
            return None;
        }
    }
    let unread = String::from_utf8_lossy(unread);
    if "[*] You missed ".starts_with(&*unread) || CLOSED.starts_with(&*unread) || unread.starts_with(CLOSED) {
        return None;
    }
    let end = unread[1..].find(['[', '\n']).map_or(unread.len(), |end| end + 1);
    if let Some(missed) = unread.strip_prefix("[*] You missed ") {
        let word = if missed.starts_with("1 ") { " message" } else { " messages" };
        let number = missed.bytes().take_while(u8::is_ascii_digit).count();
        let whole = unread.len() - missed.len() + number + word.len();
        return (unread.len() >= whole).then_some(whole);
    }
    Some(end)
}

fn text(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| format!("a line is not UTF-8: {error}"))
}
