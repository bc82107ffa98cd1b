//! Compares what a plain member reads with what the room accepted.

use std::net::SocketAddr;

use chat_proto::Entry;

use super::follower::Follower;
use super::journal::ROOMS;
use super::truth::{Stay, Truth};

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

/// What the room answers to the commands of a run. An answer begins or ends like this.
const ANSWERS_BEGIN: [&str; 9] = [
    "You ended your side",
    "Not said: ",
    "You are ",
    "Not delivered",
    "There is no topic",
    "There is only this room",
    "The name ",
    "Wait",
    "You have no name",
];
const ANSWERS_END: [&str; 3] = [
    " is not here. /who tells who is.",
    "/nick NAME gives you another name.",
    " /rooms lists what there is.",
];

#[derive(Debug)]
pub(super) struct Lines {
    ending: Ending,
    unread: Vec<u8>,
    told: Option<String>,
    /// The plain member that reads them: its name in this run.
    who: String,
    /// Where that member is, once it is connected.
    pub(super) address: Option<SocketAddr>,
    /// The place of the room that it reads about.
    room: usize,
    /// How many of its memberships in each room are over for the reader: it has gone to another room, or was told so.
    over: [usize; ROOMS.len()],
    /// The newest message of its room when it first asked to go to another one. If there is none, it gets all until it leaves.
    goes_after: Option<u64>,
}

impl Lines {
    /// Lines that the member `who` reads.
    pub(super) fn new(ending: Ending, who: &str) -> Self {
        let who = who.to_owned();
        Self {
            ending,
            unread: Vec::new(),
            told: None,
            who,
            address: None,
            room: 0,
            over: [0; ROOMS.len()],
            goes_after: None,
        }
    }

    /// The member asks to go to another room.
    pub(super) fn goes(&mut self, truth: &Truth) {
        self.goes_after.get_or_insert(truth.room(self.room).head());
    }

    /// The member has read how its membership ended. It begins again in the first room.
    pub(super) fn begin_anew(&mut self) {
        self.over[self.room] += 1;
        (self.room, self.goes_after) = (0, None);
        self.told = None;
        self.unread.clear();
    }

    /// The stay that the member reads about.
    pub(super) fn stay<'t>(&self, truth: &'t Truth) -> Option<&'t Stay> {
        let stays = truth.memberships(self.address?.into(), &self.who);
        stays.into_iter().filter(|stay| stay.room == self.room).nth(self.over[self.room])
    }

    /// Whether the member has come to the last room to which it went.
    pub(super) fn has_arrived(&self, truth: &Truth) -> bool {
        let stays = self.address.map_or(0, |address| truth.memberships(address.into(), &self.who).len());
        stays <= self.over.iter().sum::<usize>() + 1
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
        if let Some((front, text)) = line.strip_prefix('[').and_then(|line| line.split_once("] ")) {
            if front.ends_with(" -> you") {
                return truth.whispers().arrived(&self.who, text);
            }
            if front.starts_with("you -> ") {
                return truth.whispers().taken(text);
            }
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
        if notice.starts_with("You are in ") && notice.ends_with(" present") {
            return self.moved(line, follower, truth);
        }
        let is_answer = ANSWERS_BEGIN.iter().any(|answer| notice.starts_with(answer))
            || ANSWERS_END.iter().any(|answer| notice.ends_with(answer));
        if is_answer { Ok(()) } else { Err(format!("was shown {line:?}, not {expected:?}")) }
    }

    /// The member reads that it is in another room. It must have been shown everything of the room before.
    fn moved(&mut self, line: &str, follower: &mut Follower, truth: &Truth) -> Result<(), String> {
        let left = self.stay(truth).filter(|stay| stay.left.is_some());
        let left = left.ok_or_else(|| format!("was shown {line:?}, and is in its room"))?;
        if !follower.has_all_of(left, self.goes_after.take(), truth) {
            return Err(format!("was shown {line:?} before {:?}", follower.next(truth)));
        }
        self.over[self.room] += 1;
        let named = line.split(' ').nth(4);
        self.room =
            truth.place_of(named).ok_or_else(|| format!("was shown {line:?}: there is no such room"))?;
        let stay = self.stay(truth).ok_or_else(|| format!("was shown {line:?}, and has joined no room"))?;
        follower.go_on_in(stay);
        Ok(())
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
