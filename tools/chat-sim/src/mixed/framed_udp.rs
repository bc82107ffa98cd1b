//! A framed member over UDP. When its session has ended, it begins another one.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chat_core::LagPolicy;
use chat_proto::LeaveReason;
use chat_udp::{ClientSession, SessionEnd};

use super::person::{Attention, Over, Person, Surroundings};
use super::plan::{Act, World};
use super::talk::Talk;
use super::truth::{Stay, Truth};

/// The pause before another attempt.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// The longest time until the server knows that its welcome has arrived. If the room closes before that, the server
/// tells the member so and sends it nothing more.
const HEARD_OF: Duration = Duration::from_secs(5);

/// The longest time until the server knows a member's new address. It can be long, because a silent member sends only
/// a keep-alive now and then, and that may be lost.
const FOUND: Duration = Duration::from_secs(60);

pub(super) struct FramedUdp {
    talk: Talk,
    session: Option<ClientSession>,
    /// The addresses of this session. The last one is the member's present address. The room knows the member by one of
    /// them: the first, unless the member moved at once.
    addresses: Vec<SocketAddr>,
    moved_at: Option<Instant>,
    nonce: u64,
    sessions: usize,
    welcome_at: Option<Instant>,
    retry_at: Option<Instant>,
    /// The member leaves once everything is said, or it has been kicked.
    goes: bool,
    attention: Attention,
    expects_all: bool,
    has_goodbye: bool,
    ended: bool,
}

impl FramedUdp {
    pub(super) fn new(who: String, nonce: u64) -> Self {
        Self {
            talk: Talk::new(who),
            session: None,
            addresses: Vec::new(),
            moved_at: None,
            nonce,
            sessions: 0,
            welcome_at: None,
            retry_at: None,
            goes: false,
            attention: Attention::default(),
            expects_all: false,
            has_goodbye: false,
            ended: false,
        }
    }

    fn begin(&mut self, cx: &mut Surroundings<'_>) {
        let hello = self.talk.conversation.hello();
        self.nonce = self.nonce.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.session = Some(ClientSession::new(self.nonce, hello, cx.now));
        (self.addresses, self.moved_at) = (vec![cx.framed_address(Over::Udp)], None);
        self.sessions += 1;
        self.retry_at = None;
    }

    fn retry(&mut self, now: Instant) {
        (self.session, self.welcome_at) = (None, None);
        self.ended |= self.talk.disconnected();
        self.retry_at = (!self.ended).then(|| now + RETRY_PAUSE);
    }
}

impl Person for FramedUdp {
    fn act(&mut self, act: Act, cx: &mut Surroundings<'_>) {
        match act {
            Act::Join(_) if self.sessions == 0 => self.begin(cx),
            Act::Say(_, messages) => self.talk.say(messages),
            Act::Who(..) => self.talk.conversation.ask_who(),
            Act::Stall(_) => {
                self.attention.stall();
                self.expects_all = false;
            }
            Act::GoOn(_) => self.attention.go_on(cx.now),
            Act::Reset(_) | Act::Vanish(_) if self.session.is_some() => {
                self.expects_all = false;
                self.talk.dismissed = None;
                self.retry(cx.now);
            }
            Act::Quit(_) => {
                (self.expects_all, self.goes) = (false, true);
                self.talk.conversation.finish();
            }
            Act::Move(_) if self.session.is_some() => {
                self.expects_all = false;
                self.addresses.push(cx.framed_address(Over::Udp));
                self.moved_at = Some(cx.now);
            }
            Act::Outage(_) => self.expects_all = false,
            Act::Kick(_) => (self.expects_all, self.goes) = (false, true),
            _ => {}
        }
    }

    fn command(&mut self, line: &str, _cx: &mut Surroundings<'_>) {
        self.talk.command(line);
    }

    fn shown(&self) -> Option<String> {
        self.talk.shown.clone().filter(|_| self.talk.is_welcome)
    }

    fn datagram(&mut self, to: SocketAddr, bytes: &[u8], cx: &mut Surroundings<'_>) -> Result<(), String> {
        if let Some(session) = &mut self.session
            && self.addresses.last() == Some(&to)
            && self.attention.reads()
        {
            session.receive(bytes, cx.now);
        }
        Ok(())
    }

    fn step(&mut self, cx: &mut Surroundings<'_>) -> Result<(), String> {
        if self.retry_at.is_some_and(|retry_at| retry_at <= cx.now) {
            if cx.is_closing {
                (self.ended, self.retry_at) = (true, None);
            } else {
                self.begin(cx);
            }
        }
        let (Some(session), Some(&address)) = (&mut self.session, self.addresses.last()) else {
            return Ok(());
        };
        let mut out = Vec::new();
        loop {
            while let Some(frame) = session.next_frame() {
                self.talk.receive(frame, cx.truth)?;
            }
            if self.talk.is_welcome {
                self.welcome_at.get_or_insert(cx.now);
            }
            while session.is_ready()
                && let Some(frame) = self.talk.next_frame(cx.truth)
            {
                session.send(frame, cx.now);
            }
            if !session.transmit(&mut out, cx.now) {
                break;
            }
            cx.network.send(address, cx.server, &out, cx.now);
        }
        if let Some(end) = session.end().cloned() {
            self.has_goodbye = end == SessionEnd::Dismissed(LeaveReason::Stopping);
            // Where many datagrams are lost, a client may hear nothing for so long that it gives up. To a room that closes it
            // cannot come back.
            let is_unlucky = end == SessionEnd::NoAnswer && cx.world.datagrams.loss > 0.0;
            self.expects_all &= !(is_unlucky && cx.is_closing);
            // The other room may refuse it, because it is full.
            let moves = self.talk.is_welcome && self.talk.conversation.moves();
            self.ended |= matches!(end, SessionEnd::Dismissed(_)) && !moves;
            self.retry(cx.now);
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        self.session.as_ref().and_then(ClientSession::deadline).into_iter().chain(self.retry_at).min()
    }

    fn is_done(&mut self, truth: &Truth) -> bool {
        self.ended || self.sessions == 0 || (self.talk.is_welcome && self.talk.is_done(truth))
    }

    fn describe(&self) -> String {
        format!("{:?}", self.talk)
    }

    fn closing(&mut self, cx: &mut Surroundings<'_>) {
        let is_there = self.talk.member().and_then(|member| cx.truth.stay(member));
        let lasts = |since: Instant, least| cx.now.saturating_duration_since(since) > least;
        self.expects_all = self.welcome_at.is_some_and(|at| lasts(at, HEARD_OF))
            && self.moved_at.is_none_or(|at| lasts(at, FOUND))
            && !cx.is_cut_off
            && !self.goes
            && !self.talk.goes_to_another_room()
            && self.attention.is_known(cx.now)
            && cx.world.lag_policy == LagPolicy::Skip
            && is_there.is_some_and(Stay::lasts_until_closing);
    }

    fn check(&mut self, truth: &Truth, world: &World) -> Result<(), String> {
        self.talk.check(truth)?;
        // The server sends the goodbye three times, and all three may be lost.
        let has_goodbye = self.has_goodbye || world.datagrams.loss > 0.0;
        if self.expects_all && !(self.talk.is_up_to_date(truth) && has_goodbye) {
            return Err(format!("did not get all until the end: {:?}", self.talk.follower));
        }
        Ok(())
    }

    fn address(&self) -> Option<SocketAddr> {
        self.session.as_ref()?;
        self.addresses.last().copied()
    }

    fn joined_from(&self) -> Option<SocketAddr> {
        self.session.as_ref()?;
        self.addresses.first().copied()
    }

    fn has_ended(&self) -> bool {
        self.ended
    }

    fn tally(&self) -> (u64, u64, usize) {
        let shown = self.talk.tally();
        (shown.0, shown.1, self.sessions)
    }
}
