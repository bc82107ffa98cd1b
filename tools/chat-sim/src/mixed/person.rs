//! The trait and the state that all kinds of members share.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chat_core::LagPolicy;
use chat_proto::LeaveReason;
use chat_testkit::{Network, StreamEnd, Streams};

use super::plan::{Act, World};
use super::threads::Door;
use super::truth::{Stay, Truth};

/// A member must get everything only if it has been reading for this long when the room closes. Otherwise the server
/// may already have closed its connection, and the member does not know it yet.
const READING_MIN: Duration = Duration::from_secs(5);

/// How long the server's operating system probes a peer that has vanished before it gives up.
pub(super) const PROBED: Duration = Duration::from_secs(130);

/// The member's side of a conversation. Its methods return an error as soon as the member sees a broken promise.
pub(super) trait Person {
    /// Performs an act of the member, or something that happens to it.
    fn act(&mut self, act: Act, cx: &mut Surroundings<'_>);

    /// Gives a command, such as `/nick ann`, once everything that it said before is written.
    fn command(&mut self, line: &str, cx: &mut Surroundings<'_>);

    /// How others may address it, if it is connected.
    fn shown(&self) -> Option<String> {
        self.address().map(|address| address.to_string())
    }

    /// Reads, answers and writes as much as is possible at this moment.
    fn step(&mut self, cx: &mut Surroundings<'_>) -> Result<(), String>;

    /// Receives a datagram.
    fn datagram(&mut self, _to: SocketAddr, _bytes: &[u8], _cx: &mut Surroundings<'_>) -> Result<(), String> {
        Ok(())
    }

    /// When the member does something by itself.
    fn deadline(&self) -> Option<Instant>;

    /// Whether the member has got and said everything that it should.
    fn is_done(&mut self, truth: &Truth) -> bool;

    /// Its state, for the report of a member that never is done.
    fn describe(&self) -> String {
        String::new()
    }

    /// Call this when the room begins to close. The member notes whether it must get everything.
    fn closing(&mut self, cx: &mut Surroundings<'_>);

    /// Checks what must hold at the end of the run.
    fn check(&mut self, truth: &Truth, world: &World) -> Result<(), String>;

    /// Whether this end of a stream belongs to the member.
    fn has_end(&self, _end: usize) -> bool {
        false
    }

    /// The member's present address, if it is connected.
    fn address(&self) -> Option<SocketAddr>;

    /// The address from which the member joined, if it can be kicked.
    fn joined_from(&self) -> Option<SocketAddr> {
        self.address()
    }

    /// Whether the member has left for good.
    fn has_ended(&self) -> bool;

    /// How many messages the member got, how many it was told it missed, and how many connections it used.
    fn tally(&self) -> (u64, u64, usize);
}

/// Everything that a member can use or observe.
pub(super) struct Surroundings<'a> {
    pub(super) now: Instant,
    pub(super) world: &'a World,
    pub(super) door: &'a dyn Door,
    pub(super) streams: &'a Streams,
    pub(super) network: &'a mut Network,
    pub(super) truth: &'a Truth,
    pub(super) server: SocketAddr,
    /// No datagram gets through.
    pub(super) is_cut_off: bool,
    pub(super) is_closing: bool,
    /// The number that the newest address was made from.
    pub(super) port: &'a mut u16,
    pub(super) lone: &'a mut Lone,
}

/// The transport of a framed member.
#[derive(Clone, Copy, Debug)]
pub(super) enum Over {
    Tcp,
    Udp,
}

/// The newest address of a framed TCP member that no UDP member has had, and the other way round.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lone {
    tcp: Option<SocketAddr>,
    udp: Option<SocketAddr>,
}

impl Surroundings<'_> {
    /// An address that no member has had before.
    pub(super) fn new_address(&mut self, network: [u8; 2]) -> SocketAddr {
        *self.port += 1;
        let [high, low] = self.port.to_be_bytes();
        SocketAddr::from(([network[0], network[1], high, low], 10_000 + *self.port % 50_000))
    }

    /// An address that no member has had before over this transport. In a world of twins, a member over the other
    /// transport may have it.
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

/// The events of a membership that may be the reason for its end.
#[derive(Clone, Debug)]
pub(super) struct Membership {
    pub(super) address: SocketAddr,
    pub(super) quit: bool,
    pub(super) lost: bool,
    pub(super) stalled: bool,
    pub(super) kicked: bool,
    /// Another connection of the member has replaced it.
    pub(super) replaced: bool,
    /// The reason that the room gave the member.
    pub(super) told: Option<String>,
}

impl Membership {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, quit: false, lost: false, stalled: false, kicked: false, replaced: false, told: None }
    }

    /// Checks that the membership, which the room announced as this stay, ended for a reason that really occurred, and that the member was told this reason.
    pub(super) fn check(&self, stay: Option<&Stay>, world: &World) -> Result<(), String> {
        let Some(stay) = stay else { return Ok(()) };
        let Some(left) = &stay.left else { return Err(format!("{self:?}: has never left")) };
        if self.replaced {
            return Ok(()); // the session continued on other connections, and its end belongs to those
        }
        let is_right = match left {
            LeaveReason::Quit => self.quit,
            LeaveReason::Lost => self.lost,
            LeaveReason::TooSlow => self.lost || self.stalled,
            LeaveReason::Unfinished => self.lost,
            LeaveReason::Kicked { .. } | LeaveReason::Banned { .. } => self.kicked,
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

/// Whether a member reads, and since when.
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

    /// Whether the member has been reading long enough that the server knows it too.
    pub(super) fn is_known(&self, now: Instant) -> bool {
        self.reads() && self.since.is_none_or(|since| now.saturating_duration_since(since) > READING_MIN)
    }
}
