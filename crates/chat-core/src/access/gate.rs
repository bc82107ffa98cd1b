//! Which peers may join: a gate is asked once for each peer, before it becomes a member.

use std::fmt;
use std::sync::Arc;

use chat_proto::{Name, PeerAddr, Text};

use crate::panics::survived;

/// Decides who may become a member. Set it in [`RoomConfig::with_gate`](crate::RoomConfig::with_gate);
/// [`BanList`](crate::access::BanList) is one.
///
/// It is asked on the I/O thread that serves the peer, without the room's lock, so it may use the room. While it
/// decides, the other members of that thread wait, so it must be quick and never block. It is asked again when a member
/// takes another name, and before a room is opened for a peer. The limits on members per address and on the rate apply
/// as well.
///
/// ```
/// use chat_core::RoomConfig;
/// use chat_core::access::Gate;
///
/// let gate = Gate::new(|request| if request.address.ip().is_ipv4() { Ok(()) } else { Err("IPv4 only".into()) });
/// let config = RoomConfig::default().with_gate(gate);
/// # drop(config);
/// ```
#[derive(Clone)]
pub struct Gate(Arc<Decide>);

type Decide = dyn Fn(&JoinRequest<'_>) -> Result<(), Refusal> + Send + Sync;

/// A peer that wants to become a member, or a member that wants another name.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct JoinRequest<'a> {
    /// Where it comes from.
    pub address: PeerAddr,
    /// Who it is, if its transport knows that: `uid:1000`. See [`Identity`](crate::access::Identity).
    pub proof: Option<&'a Text>,
    /// Its transport: `tcp`, `udp`, …
    pub transport: &'static str,
    /// The name it asks for, or the one of the session that it resumes.
    pub name: Option<&'a Name>,
    /// The time, in milliseconds of Unix time.
    pub unix_ms: u64,
}

/// Why a peer may not join. Only the peer is told the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One line.
    pub why: Text,
}

impl From<&str> for Refusal {
    /// Takes the first line of `why`, cut to what one message holds.
    fn from(why: &str) -> Self {
        Self { why: Text::lossy(why) }
    }
}

impl Gate {
    /// Decides by calling `decide`. If that panics, this one peer is kept out.
    pub fn new(decide: impl Fn(&JoinRequest<'_>) -> Result<(), Refusal> + Send + Sync + 'static) -> Self {
        Self(Arc::new(decide))
    }

    /// Decides. If that panics the peer is kept out, and everything else goes on.
    pub(crate) fn decide(&self, request: &JoinRequest<'_>) -> Result<(), Refusal> {
        survived(|| (self.0)(request)).unwrap_or_else(|| Err("the server could not decide about it".into()))
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}
