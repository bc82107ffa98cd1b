//! A framed member over TCP. When its connection breaks, it connects again.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chat_core::LagPolicy;
use chat_proto::{FrameDecoder, LeaveReason, MemberFrame, PREFACE, PrefaceDecoder};
use chat_testkit::StreamEnd;

use super::follower::Follower;
use super::lines::{Ending, Lines};
use super::person::{Attention, Membership, Over, PROBED, Person, Surroundings};
use super::plan::{Act, World};
use super::talk::Talk;
use super::truth::Truth;

/// The pause before another attempt.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

pub(super) struct FramedTcp {
    talk: Talk,
    link: Option<Link>,
    /// The member was welcomed at least once, so a new connection resumes its session.
    has_begun: bool,
    retry_at: Option<Instant>,
    /// The member leaves once everything is said.
    quits: bool,
    /// It has asked for another room, so the first one reports that it left.
    goes: bool,
    memberships: Vec<Membership>,
    attention: Attention,
    /// The room is closing, and the member must get everything.
    expects_all: bool,
    /// The member got the room's goodbye when the room closed.
    has_goodbye: bool,
    ended: bool,
}

/// A connection.
struct Link {
    end: StreamEnd,
    out: Vec<u8>,
    incoming: Incoming,
}

enum Incoming {
    /// Lines, before the server's preface. The server sends them while it takes the member for a plain listener.
    Lines(Lines, PrefaceDecoder),
    Frames(FrameDecoder),
}

impl FramedTcp {
    pub(super) fn new(who: String) -> Self {
        Self {
            talk: Talk::new(who),
            link: None,
            has_begun: false,
            retry_at: None,
            quits: false,
            goes: false,
            memberships: Vec::new(),
            attention: Attention::default(),
            expects_all: false,
            has_goodbye: false,
            ended: false,
        }
    }

    fn connect(&mut self, cx: &mut Surroundings<'_>) {
        self.retry_at = None;
        let address = cx.framed_address(Over::Tcp);
        let end = cx.connect_from(address);
        let mut out = PREFACE.to_vec();
        MemberFrame::Hello(self.talk.conversation.hello()).encode(&mut out);
        let incoming = Incoming::Lines(Lines::new(Ending::Lf, &self.talk.who), PrefaceDecoder::new());
        self.link = Some(Link { end, out, incoming });
        if let Some(before) = self.memberships.last_mut() {
            before.replaced = true;
        }
        self.memberships.push(Membership {
            quit: self.quits || self.goes,
            stalled: !self.attention.reads(),
            ..Membership::new(address)
        });
        if !self.has_begun {
            self.talk.follower = None;
        }
    }

    fn disconnected(&mut self, now: Instant) {
        let Some(link) = self.link.take() else { return };
        let refused = matches!(&link.incoming, Incoming::Lines(lines, _) if lines.told().is_some());
        self.ended |= self.talk.disconnected() || refused;
        if let (Some(reason), Some(membership)) = (self.talk.dismissed.take(), self.memberships.last_mut()) {
            membership.told = Some(reason.to_string());
            self.has_goodbye = reason == LeaveReason::Stopping;
            self.ended = true;
        }
        self.retry_at = (!self.ended).then(|| now + RETRY_PAUSE);
    }

    /// Breaks the connection after the hello was sent, if the world says so. The member never gets the welcome.
    fn lose_welcome(&mut self, cx: &mut Surroundings<'_>) {
        let is_sent = self.link.as_ref().is_some_and(|link| link.out.is_empty());
        if !(is_sent && self.has_begun && !self.talk.is_welcome && cx.world.loses_welcomes) {
            return;
        }
        match self.memberships.len() % 4 {
            1 => self.act(Act::Reset(0), cx),
            3 => self.act(Act::Vanish(0), cx),
            _ => {}
        }
    }

    /// Reads everything that has arrived. False if the connection is over.
    fn read(&mut self, truth: &Truth) -> Result<bool, String> {
        let mut buffer = [0; 2048];
        loop {
            let Some(link) = &mut self.link else { return Ok(true) };
            match link.end.read(&mut buffer) {
                Ok(0) => return Ok(false),
                Ok(count) => self.take(&buffer[..count], truth)?,
                Err(error) => return Ok(error.kind() == ErrorKind::WouldBlock),
            }
        }
    }

    fn take(&mut self, bytes: &[u8], truth: &Truth) -> Result<(), String> {
        let (Some(link), Some(membership)) = (&mut self.link, self.memberships.last()) else { return Ok(()) };
        let mut input = bytes;
        if let Incoming::Lines(lines, decoder) = &mut link.incoming {
            if !decoder.is_unfinished() {
                let end = input.iter().position(|&byte| byte == PREFACE[0]).unwrap_or(input.len());
                let (text, rest) = input.split_at(end);
                input = rest;
                let address = membership.address.into();
                if self.has_begun || (self.talk.follower.is_none() && truth.is_shared(address)) {
                    // A member that resumes ignores the lines for a listener. So does a member that shares its address
                    // with another one: from outside, nobody can tell when each of the two joined.
                    lines.skip_to_end(text);
                } else if !text.is_empty() {
                    let since = truth.membership(address);
                    let since = since.map_or_else(|| truth.room(0).head(), |membership| membership.since);
                    let follower = self.talk.follower.get_or_insert_with(|| Follower::new(0, since, None));
                    lines.take(text, follower, truth)?;
                    if !rest.is_empty() && !lines.is_whole() {
                        return Err("a line was not finished before the preface".to_owned());
                    }
                }
            }
            match decoder.next(&mut input) {
                Ok(None) => return Ok(()),
                Ok(Some(_)) => link.incoming = Incoming::Frames(FrameDecoder::new()),
                Err(error) => return Err(error.to_string()),
            }
        }
        let Incoming::Frames(decoder) = &mut link.incoming else { return Ok(()) };
        while let Some(frame) = decoder.next(&mut input).map_err(|error| error.to_string())? {
            self.talk.receive(frame, truth)?;
        }
        self.has_begun |= self.talk.is_welcome;
        Ok(())
    }

    fn write(&mut self, truth: &Truth) {
        let Some(link) = &mut self.link else { return };
        loop {
            if link.out.is_empty() {
                let Some(frame) = self.talk.next_frame(truth) else { return };
                frame.encode(&mut link.out);
            }
            // A read will report the error, after it has returned everything that arrived before.
            let Ok(written) = link.end.write(&link.out) else { return };
            link.out.drain(..written);
        }
    }
}

impl Person for FramedTcp {
    fn act(&mut self, act: Act, cx: &mut Surroundings<'_>) {
        match act {
            Act::Join(_) if self.memberships.is_empty() => self.connect(cx),
            Act::Say(_, messages) => self.talk.say(messages),
            Act::Who(..) => self.talk.conversation.ask_who(),
            Act::Stall(_) => {
                self.attention.stall();
                self.expects_all = false;
                self.memberships.iter_mut().for_each(|membership| membership.stalled = true);
            }
            Act::GoOn(_) => self.attention.go_on(cx.now),
            Act::Reset(_) | Act::Vanish(_) => {
                let Some(link) = self.link.take() else { return };
                match act {
                    Act::Reset(_) => link.end.reset(),
                    _ => link.end.vanish(PROBED),
                }
                self.expects_all = false;
                if let Some(membership) = self.memberships.last_mut() {
                    membership.lost = true;
                }
                self.ended |= self.talk.disconnected();
                self.talk.dismissed = None;
                self.retry_at = (!self.ended).then(|| cx.now + RETRY_PAUSE);
            }
            Act::Quit(_) => {
                self.expects_all = false;
                self.quits = true;
                self.talk.conversation.finish();
                self.memberships.iter_mut().for_each(|membership| membership.quit = true);
            }
            Act::Kick(_) => {
                self.expects_all = false;
                self.memberships.iter_mut().for_each(|membership| membership.kicked = true);
            }
            _ => {}
        }
    }

    fn command(&mut self, line: &str, _cx: &mut Surroundings<'_>) {
        if line.starts_with("/join") {
            self.goes = true;
            self.memberships.iter_mut().for_each(|membership| membership.quit = true);
        }
        self.talk.command(line);
    }

    fn shown(&self) -> Option<String> {
        self.talk.shown.clone().filter(|_| self.talk.is_welcome)
    }

    fn step(&mut self, cx: &mut Surroundings<'_>) -> Result<(), String> {
        if self.retry_at.is_some_and(|retry_at| retry_at <= cx.now) {
            if cx.is_closing {
                (self.ended, self.retry_at) = (true, None);
            } else {
                self.connect(cx);
            }
        }
        self.write(cx.truth);
        self.lose_welcome(cx);
        if self.attention.reads() && !self.read(cx.truth)? {
            self.disconnected(cx.now);
        }
        self.write(cx.truth);
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        self.retry_at
    }

    fn is_done(&mut self, truth: &Truth) -> bool {
        self.ended || self.memberships.is_empty() || (self.talk.is_welcome && self.talk.is_done(truth))
    }

    fn describe(&self) -> String {
        format!("{:?}", self.talk)
    }

    fn closing(&mut self, cx: &mut Surroundings<'_>) {
        self.expects_all = self.talk.is_welcome
            && !self.ended
            && self.attention.is_known(cx.now)
            && cx.world.lag_policy == LagPolicy::Skip
            && self.memberships.last().is_some_and(|membership| !membership.kicked && !membership.quit);
    }

    fn check(&mut self, truth: &Truth, world: &World) -> Result<(), String> {
        for membership in &self.memberships {
            membership.check(truth.membership(membership.address.into()), world)?;
        }
        self.talk.check(truth)?;
        if self.expects_all && !(self.talk.is_up_to_date(truth) && self.has_goodbye) {
            return Err(format!(
                "did not get all until the end: {:?}, {:?}",
                self.talk.follower,
                self.memberships.last()
            ));
        }
        Ok(())
    }

    fn has_end(&self, end: usize) -> bool {
        self.link.as_ref().is_some_and(|link| link.end.id() == end)
    }

    fn address(&self) -> Option<SocketAddr> {
        self.link.as_ref()?;
        self.memberships.last().map(|membership| membership.address)
    }

    fn joined_from(&self) -> Option<SocketAddr> {
        self.memberships.last().map(|membership| membership.address)
    }

    fn has_ended(&self) -> bool {
        self.ended
    }

    fn tally(&self) -> (u64, u64, usize) {
        let shown = self.talk.tally();
        (shown.0, shown.1, self.memberships.len())
    }
}
