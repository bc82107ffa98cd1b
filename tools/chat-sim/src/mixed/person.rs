//! What all kinds of members have in common.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chat_core::LagPolicy;
use chat_proto::LeaveReason;
use chat_testkit::{Network, StreamEnd, Streams};

use super::plan::{Act, World};
use super::threads::Door;
use super::truth::Truth;

/// How long a member must have been reading before the room closes, so that the server cannot have given it up
/// already without the member knowing.
const READING_MIN: Duration = Duration::from_secs(5);

/// How long the server's system probes a peer that has vanished.
pub(super) const PROBED: Duration = Duration::from_secs(130);

/// A member's end of it all. Whatever breaks a promise is an error, at the moment when the member sees it.
pub(super) trait Person {
    /// Does something of its own accord, or something happens to it.
    fn act(&mut self, act: Act, cx: &mut Surroundings<'_>);

    /// Reads, answers and writes whatever can be at this moment.
    fn step(&mut self, cx: &mut Surroundings<'_>) -> Result<(), String>;

    /// A datagram has come for it.
    fn datagram(&mut self, _to: SocketAddr, _bytes: &[u8], _cx: &mut Surroundings<'_>) -> Result<(), String> {
        Ok(())
    }

    /// When it does something without being asked.
    fn deadline(&self) -> Option<Instant>;

    /// Whether nothing is left that it should get or say.
    fn is_done(&mut self, truth: &Truth) -> bool;

    /// The room is closing: notes whether it must get everything now.
    fn closing(&mut self, cx: &mut Surroundings<'_>);

    /// What must hold when all is over.
    fn check(&mut self, truth: &Truth, world: &World) -> Result<(), String>;

    /// Whether this end of a stream is its own.
    fn has_end(&self, _end: usize) -> bool {
        false
    }

    /// Where it is.
    fn address(&self) -> Option<SocketAddr>;

    /// Where it joined, if it can be kicked.
    fn joined_from(&self) -> Option<SocketAddr> {
        self.address()
    }

    /// Whether it never comes back.
    fn has_ended(&self) -> bool;

    /// What it got, what it was told it missed, and how many connections that took.
    fn tally(&self) -> (u64, u64, usize);
}

/// What is around a member.
pub(super) struct Surroundings<'a> {
    pub(super) now: Instant,
    pub(super) world: &'a World,
    pub(super) door: &'a dyn Door,
    pub(super) streams: &'a Streams,
    pub(super) network: &'a mut Network,
    pub(super) truth: &'a Truth,
    pub(super) server: SocketAddr,
    /// Everyone had heard and said all, and then the room began to close.
    pub(super) is_settled: bool,
    /// No datagram gets through.
    pub(super) is_cut_off: bool,
    pub(super) is_closing: bool,
    /// Of the newest address.
    pub(super) port: &'a mut u16,
    pub(super) lone: &'a mut Lone,
}

/// What carries a framed member's frames.
#[derive(Clone, Copy, Debug)]
pub(super) enum Over {
    Tcp,
    Udp,
}

/// The newest address of a framed member over TCP that nobody has had over UDP, and the other way round.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lone {
    tcp: Option<SocketAddr>,
    udp: Option<SocketAddr>,
}

impl Surroundings<'_> {
    /// An address that nobody has had before.
    pub(super) fn new_address(&mut self, network: [u8; 2]) -> SocketAddr {
        *self.port += 1;
        let [high, low] = self.port.to_be_bytes();
        SocketAddr::from(([network[0], network[1], high, low], 10_000 + *self.port % 50_000))
    }

    /// An address that nobody has had before over this transport; in a world of twins somebody may have it over the
    /// other one.
    pub(super) fn framed_address(&mut self, over: Over) -> SocketAddr {
        let other = match over {
            Over::Tcp => &mut self.lone.udp,
            Over::Udp => &mut self.lone.tcp,
        };
        if let Some(address) = other.take() {
            self.truth.share(address.into());
            return address;
        }
        let address = self.new_address(match over {
            Over::Tcp => [198, 18],
            Over::Udp => [198, 19],
        });
        if self.world.twins {
            *match over {
                Over::Tcp => &mut self.lone.tcp,
                Over::Udp => &mut self.lone.udp,
            } = Some(address);
        }
        address
    }

    pub(super) fn connect(&mut self) -> (StreamEnd, SocketAddr) {
        let address = self.new_address([198, 18]);
        (self.connect_from(address), address)
    }

    pub(super) fn connect_from(&mut self, address: SocketAddr) -> StreamEnd {
        let (client, server) = self.streams.connect(self.world.streams);
        self.door.enter(server, address);
        client
    }
}

/// What has happened to a membership that may be why it ends.
#[derive(Clone, Debug)]
pub(super) struct Membership {
    pub(super) address: SocketAddr,
    pub(super) quit: bool,
    pub(super) lost: bool,
    pub(super) stalled: bool,
    pub(super) kicked: bool,
    /// Another connection of the member has taken over.
    pub(super) replaced: bool,
    /// The reason that the room told it.
    pub(super) told: Option<String>,
}

impl Membership {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, quit: false, lost: false, stalled: false, kicked: false, replaced: false, told: None }
    }

    /// It ended for a reason that there was, and the member was told that one.
    pub(super) fn check(&self, truth: &Truth, world: &World) -> Result<(), String> {
        let Some(membership) = truth.membership(self.address.into()) else { return Ok(()) };
        let Some(left) = &membership.left else { return Err(format!("{self:?}: has never left")) };
        if self.replaced {
            return Ok(()); // the session has gone on over other connections, which ended it
        }
        let is_right = match left {
            LeaveReason::Quit => self.quit,
            LeaveReason::Lost => self.lost,
            LeaveReason::TooSlow => self.lost || self.stalled,
            LeaveReason::Unfinished => self.lost,
            LeaveReason::Kicked { .. } => self.kicked,
            LeaveReason::Replaced => self.replaced,
            LeaveReason::Lagged => world.lag_policy == LagPolicy::Close,
            LeaveReason::Stopping => true,
            _ => false,
        };
        if !is_right {
            return Err(format!("{self:?}: left because of {left:?}"));
        }
        match &self.told {
            Some(told) if *told != left.to_string() => Err(format!("{self:?}: left because of {left:?}")),
            _ => Ok(()),
        }
    }
}

/// Since when a member reads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attention {
    stalled: bool,
    since: Option<Instant>,
}

impl Attention {
    pub(super) fn stall(&mut self) {
        self.stalled = true;
    }

    pub(super) fn go_on(&mut self, now: Instant) {
        if std::mem::take(&mut self.stalled) {
            self.since = Some(now);
        }
    }

    pub(super) fn reads(&self) -> bool {
        !self.stalled
    }

    /// Whether the server knows it too.
    pub(super) fn is_known(&self, now: Instant) -> bool {
        self.reads() && self.since.is_none_or(|since| now.saturating_duration_since(since) > READING_MIN)
    }
}
