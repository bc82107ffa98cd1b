//! Two members who answer each other, each over a blocking socket.

use std::net::SocketAddr;
use std::time::Duration;

use super::tcp::TcpSpeaker;
use super::udp::UdpSpeaker;
use crate::failure::{Failure, Result};
use crate::wire::Medium;

pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait for each other until both are known to be in.
pub(super) const TRY_AGAIN: Duration = Duration::from_millis(250);

/// Two members.
pub(crate) struct Pair {
    members: [Box<dyn Speaker>; 2],
    stamp: u64,
}

/// A member who says and hears.
pub(super) trait Speaker {
    fn say(&mut self, stamp: u64) -> Result<()>;

    /// Waits for this message; his own, where a system gives them back, are passed over.
    fn hear(&mut self, awaited: u64) -> Result<()>;

    /// From here on he waits as long as it takes, for everyone is known to be there.
    fn is_in(&mut self) -> Result<()>;
}

impl Pair {
    pub(crate) fn join(medium: Medium, address: SocketAddr) -> Result<Self> {
        let member = |who: usize| -> Result<Box<dyn Speaker>> {
            Ok(match medium {
                Medium::Stream(wire) => Box::new(TcpSpeaker::join(wire, address, who)?),
                Medium::Datagrams { framed } => Box::new(UdpSpeaker::join(framed, address, who)?),
            })
        };
        let mut pair = Self { members: [member(0)?, member(2)?], stamp: 0 };
        // A server that says nothing on joining may not have the second one yet.
        while pair.round_trip().is_err() {
            if pair.stamp > 100 {
                return Err(Failure::new("the two members do not hear each other"));
            }
        }
        pair.members.iter_mut().try_for_each(|member| member.is_in())?;
        Ok(pair)
    }

    /// The first says something, the second hears it and answers, the first hears the answer.
    pub(crate) fn round_trip(&mut self) -> Result<()> {
        let [first, second] = &mut self.members;
        self.stamp += 2;
        first.say(self.stamp)?;
        second.hear(self.stamp)?;
        second.say(self.stamp + 1)?;
        first.hear(self.stamp + 1)
    }
}
