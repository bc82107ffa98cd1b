//! A plain member over TCP, like netcat, telnet, or a program that sends each message as one chunk.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use chat_core::LagPolicy;
use chat_proto::LeaveReason;
use chat_proto::limits::QUIET;
use chat_testkit::StreamEnd;

use super::follower::Follower;
use super::lines::{Ending, Lines};
use super::person::{Attention, Membership, PROBED, Person, Surroundings};
use super::plan::{Act, Kind, World};
use super::truth::{Stay, Truth};

/// The beginning of the reason that is given to a peer that ended its side when nobody has spoken since.
const UNANSWERED: &str = "you ended your side";

/// The most messages that an undelimited peer says in one act.
const CHUNKS_MAX: usize = 10;

pub(super) struct PlainTcp {
    who: String,
    kind: Kind,
    stream: Option<StreamEnd>,
    membership: Option<Membership>,
    follower: Option<Follower>,
    lines: Lines,
    attention: Attention,
    /// The pieces it still has to write. It writes each piece at once, as far as the socket takes it.
    to_write: VecDeque<(Piece, Vec<u8>)>,
    /// It writes nothing before this time, so that its first line, or each chunk, arrives alone.
    writes_at: Option<Instant>,
    said: Vec<String>,
    says: usize,
    /// How many messages are written completely.
    written: usize,
    has_spoken: bool,
    /// An operator has muted it, so that some of its messages may be refused.
    was_muted: bool,
    ends_side: bool,
    has_ended_side: bool,
    /// Its last messages may be lost with the connection.
    is_cut: bool,
    expects_all: bool,
    /// The server has ended the stream properly.
    saw_end: bool,
    ended: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Message,
    Question,
}

impl PlainTcp {
    pub(super) fn new(who: String, kind: Kind) -> Self {
        let ending = match kind {
            Kind::CrLf => Ending::CrLf { seen: false },
            Kind::Chunk => Ending::Chunk { begun: false },
            _ => Ending::Lf,
        };
        let lines = Lines::new(ending, &who);
        Self {
            who,
            kind,
            stream: None,
            membership: None,
            follower: None,
            lines,
            attention: Attention::default(),
            to_write: VecDeque::new(),
            writes_at: None,
            said: Vec::new(),
            says: 0,
            written: 0,
            has_spoken: false,
            was_muted: false,
            ends_side: false,
            has_ended_side: false,
            is_cut: false,
            expects_all: false,
            saw_end: false,
            ended: false,
        }
    }

    fn say(&mut self, messages: usize) {
        if self.ends_side {
            return;
        }
        for number in self.says..self.says + messages {
            let text = format!("{}: {number}.", self.who);
            let line = format!("{text}{}", self.line_break());
            self.said.push(text);
            self.to_write.push_back((Piece::Message, line.into_bytes()));
        }
        self.says += messages;
    }

    fn line_break(&self) -> &'static str {
        match self.kind {
            Kind::CrLf => "\r\n",
            Kind::Chunk => "",
            _ => "\n",
        }
    }

    fn write(&mut self, now: Instant, world: &World) {
        self.writes_at.take_if(|at| *at <= now);
        while self.writes_at.is_none()
            && let (Some(stream), Some((piece, bytes))) = (&mut self.stream, self.to_write.front_mut())
        {
            // A read will report the error, after it has returned everything that arrived before.
            let Ok(written) = stream.write(bytes) else { return };
            bytes.drain(..written);
            if !bytes.is_empty() {
                continue;
            }
            self.written += usize::from(*piece == Piece::Message);
            self.to_write.pop_front();
            if !self.has_spoken || self.kind == Kind::Chunk {
                self.has_spoken = true;
                let (least, most) = world.streams.delay;
                self.writes_at = Some(now + 2 * QUIET + most + (most - least) + world.lateness);
            }
        }
        if self.ends_side
            && self.to_write.is_empty()
            && let Some(stream) = &mut self.stream
            && !std::mem::replace(&mut self.has_ended_side, true)
        {
            let _gone = stream.shutdown_write();
        }
    }

    fn read(&mut self, truth: &Truth) -> Result<(), String> {
        let mut buffer = [0; 2048];
        while let Some(stream) = &mut self.stream {
            match stream.read(&mut buffer) {
                Ok(0) => {
                    self.saw_end = true;
                    self.end();
                }
                Ok(count) => {
                    // It may get a notice before it is a member.
                    let mut newcomer = Follower::new(0, truth.room(0).head(), None);
                    let follower = match self.lines.stay(truth) {
                        Some(stay) => self.follower.get_or_insert_with(|| Follower::plain(stay)),
                        None => &mut newcomer,
                    };
                    self.lines.take(&buffer[..count], follower, truth)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.end(),
            }
        }
        Ok(())
    }

    fn end(&mut self) {
        (self.stream, self.ended) = (None, true);
        self.to_write.clear();
    }

    /// Whether it has seen everything that the room sends it. It may not have received a byte yet.
    fn is_up_to_date(&mut self, truth: &Truth) -> bool {
        if self.membership.is_none() {
            return true;
        }
        let Some(stay) = self.lines.stay(truth) else { return false };
        let follower = self.follower.get_or_insert_with(|| Follower::plain(stay));
        follower.is_up_to_date(truth) && self.lines.has_arrived(truth)
    }

    /// Checks that the messages which the rooms accepted are the first ones that it said. Returns how many these are. If
    /// it was muted, messages may be missing.
    fn taken(&self, truth: &Truth) -> Result<usize, String> {
        let taken = truth.said(&self.who);
        if self.kind == Kind::Chunk {
            let (taken, said) = (taken.concat().concat(), self.said.concat());
            let whole = taken.matches('.').count();
            return if said.starts_with(&taken) { Ok(whole) } else { Err(format!("{taken:?} of {said:?}")) };
        }
        let mut taken: Vec<_> = taken.into_iter().map(|texts| texts.iter().peekable()).collect();
        let (mut count, mut missing) = (0, None);
        for said in &self.said {
            let is_taken =
                taken.iter_mut().any(|texts| texts.next_if(|text| text.as_str() == said).is_some());
            match (is_taken, missing) {
                (true, Some(missing)) if !self.was_muted => {
                    return Err(format!("{said:?} was taken, and {missing:?} before it was not"));
                }
                (true, _) => count += 1,
                (false, _) => missing = missing.or(Some(said)),
            }
        }
        // The beginning of a line is a message too if the rest of the line never arrived.
        let rest: Vec<_> = taken.into_iter().flatten().collect();
        match (rest.as_slice(), missing) {
            ([], _) => Ok(count),
            ([rest], _) if self.ended && self.said.iter().any(|said| said.starts_with(rest.as_str())) => {
                Ok(count + 1)
            }
            (rest, _) => Err(format!("{rest:?} is not what it said next")),
        }
    }

    /// Its stay in the last room to which it went.
    fn last_stay<'t>(&self, truth: &'t Truth) -> Option<&'t Stay> {
        truth.last_membership(self.lines.address?.into(), &self.who)
    }

    /// Whether everything that it wrote must be in the log.
    fn is_heard(&self, truth: &Truth, world: &World) -> bool {
        let Some(membership) = &self.membership else { return false };
        let there = self.last_stay(truth);
        let left = there.filter(|there| !there.lasts_until_closing()).and_then(|there| there.left.as_ref());
        !(self.is_cut
            || membership.kicked
            || self.was_muted
            || world.lag_policy == LagPolicy::Close
            || matches!(left, None | Some(LeaveReason::TooSlow)))
    }
}

/// The texts, one behind the other.
trait Concat {
    fn concat(&self) -> String;
}

impl Concat for [chat_proto::Text] {
    fn concat(&self) -> String {
        self.iter().map(chat_proto::Text::as_str).collect()
    }
}

impl Person for PlainTcp {
    fn act(&mut self, act: Act, cx: &mut Surroundings<'_>) {
        let membership = self.membership.as_mut();
        match (act, membership) {
            (Act::Join(_), None) => {
                let (end, address) = cx.connect();
                (self.stream, self.membership) = (Some(end), Some(Membership::new(address)));
                self.lines.address = Some(address);
            }
            // Each chunk is written alone, so many chunks would take too long.
            (Act::Say(_, messages), _) if self.kind == Kind::Chunk => self.say(messages.min(CHUNKS_MAX)),
            (Act::Say(_, messages), _) => self.say(messages),
            (Act::Who(_, times), _) if self.kind != Kind::Chunk && self.has_spoken && !self.ends_side => {
                let question = format!("/topic{}", self.line_break()).into_bytes();
                self.to_write.extend((0..times).map(|_| (Piece::Question, question.clone())));
            }
            (Act::Stall(_), membership) => {
                self.attention.stall();
                self.expects_all = false;
                if let Some(membership) = membership {
                    membership.stalled = true;
                }
            }
            (Act::GoOn(_), _) => self.attention.go_on(cx.now),
            (Act::Reset(_) | Act::Vanish(_), Some(membership)) => {
                let Some(stream) = self.stream.take() else { return };
                membership.lost = true;
                self.expects_all = false;
                if let Act::Reset(_) = act {
                    self.is_cut = cx.world.streams.reset_destroys;
                    stream.reset();
                } else {
                    self.is_cut = true;
                    stream.vanish(PROBED);
                }
                self.end();
            }
            (Act::HalfClose(_), Some(membership)) => {
                membership.quit = true;
                self.ends_side = true;
            }
            // The peer's program ends.
            (Act::Quit(_), Some(membership)) => {
                (membership.quit, membership.lost) = (true, true);
                self.expects_all = false;
                self.is_cut = cx.world.streams.reset_destroys;
                self.end();
            }
            (Act::Mute(_), _) => self.was_muted = true,
            (Act::Kick(_), Some(membership)) => {
                membership.kicked = true;
                self.expects_all = false;
            }
            _ => {}
        }
    }

    fn command(&mut self, line: &str, _cx: &mut Surroundings<'_>) {
        if self.kind == Kind::Chunk || !self.has_spoken || self.ends_side {
            return;
        }
        if let Some(membership) = self.membership.as_mut().filter(|_| line.starts_with("/join")) {
            membership.quit = true; // the first room reports that it has left
        }
        let line = format!("{line}{}", self.line_break()).into_bytes();
        self.to_write.push_back((Piece::Question, line));
    }

    fn step(&mut self, cx: &mut Surroundings<'_>) -> Result<(), String> {
        self.write(cx.now, cx.world);
        if self.attention.reads() {
            self.read(cx.truth)?;
        }
        self.write(cx.now, cx.world);
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        self.writes_at.filter(|_| !self.to_write.is_empty() && self.stream.is_some())
    }

    fn is_done(&mut self, truth: &Truth) -> bool {
        if self.membership.is_none() {
            return true;
        }
        if self.ended {
            // The server accepts a member's messages before it notes the end of the stream. If the member has ended its
            // side and then disappears, the server learns this only when it writes.
            return self.has_ended_side || self.last_stay(truth).is_none_or(|there| there.left.is_some());
        }
        let is_heard = || self.was_muted || self.taken(truth).is_ok_and(|taken| taken == self.said.len());
        self.to_write.is_empty() && is_heard() && self.is_up_to_date(truth)
    }

    fn closing(&mut self, cx: &mut Surroundings<'_>) {
        let Some(membership) = &self.membership else { return };
        let there = self.last_stay(cx.truth);
        self.expects_all = there.is_some_and(Stay::lasts_until_closing)
            && self.stream.is_some()
            && !membership.kicked
            && cx.world.lag_policy == LagPolicy::Skip
            && self.attention.is_known(cx.now);
    }

    fn check(&mut self, truth: &Truth, world: &World) -> Result<(), String> {
        let taken = self.taken(truth)?;
        let stay = self.last_stay(truth).cloned();
        let Some(membership) = &mut self.membership else { return Ok(()) };
        // Ignore what is left of a reason on a broken stream, and the reason of a member that did not read in time.
        membership.told = self.lines.told().filter(|_| self.saw_end && !membership.stalled);
        // Nobody answers it for a while, so it leaves, and the room may close while it is given a moment to read the rest.
        let is_unanswered =
            self.has_ended_side && self.lines.told().is_some_and(|told| told.starts_with(UNANSWERED));
        if is_unanswered && membership.told.is_some() {
            membership.told = Some(LeaveReason::Quit.to_string());
        }
        membership.check(stay.as_ref(), world)?;
        if taken < self.written && self.is_heard(truth, world) {
            return Err(format!("{taken} of its {} messages were taken", self.written));
        }
        if self.expects_all && !(self.saw_end && (self.is_up_to_date(truth) || is_unanswered)) {
            return Err(format!("did not get all until the end: {:?}, {:?}", self.follower, self.membership));
        }
        Ok(())
    }

    fn has_end(&self, end: usize) -> bool {
        self.stream.as_ref().is_some_and(|stream| stream.id() == end)
    }

    fn address(&self) -> Option<SocketAddr> {
        self.stream.as_ref()?;
        self.membership.as_ref().map(|membership| membership.address)
    }

    fn joined_from(&self) -> Option<SocketAddr> {
        self.membership.as_ref().map(|membership| membership.address)
    }

    fn has_ended(&self) -> bool {
        self.ended
    }

    fn tally(&self) -> (u64, u64, usize) {
        let shown = self.follower.as_ref().map_or((0, 0), |follower| (follower.delivered, follower.missed));
        (shown.0, shown.1, 0)
    }
}
