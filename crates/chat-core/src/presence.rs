//! Who is present.

use std::borrow::Cow;
use std::time::Duration;

use chat_proto::{Author, MemberId, PeerAddr, Text};

use crate::words::in_words;

/// A present member, as `/who` lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Presence {
    /// Which member.
    pub member: MemberId,
    /// The member as people see it.
    pub author: Author,
    /// Where it comes from; `None` for a local member.
    pub address: Option<PeerAddr>,
    /// Its transport: `tcp`, `udp`, …; `local` for a local member.
    pub transport: Cow<'static, str>,
    /// How long it has been here.
    pub here: Duration,
    /// How long it has said nothing; `None` if only the server where it is knows that.
    pub idle: Option<Duration>,
    /// Whether it is an operator.
    pub is_operator: bool,
    /// Whether it is muted.
    pub is_muted: bool,
    /// The other server where it is, as people call it; `None` for this one.
    pub server: Option<Text>,
}

impl Presence {
    /// The line that `/who` shows.
    #[must_use]
    pub fn line(&self, with_address: bool) -> String {
        let Self { author, transport, here, idle, server, .. } = self;
        let mark = if self.is_operator { "@" } else { "" };
        let muted = if self.is_muted { ", muted" } else { "" };
        let address = self.address.filter(|&address| with_address && *author != Author::Peer(address));
        let address = address.map_or_else(String::new, |address| format!(" {address}"));
        let at = server.as_ref().map_or_else(String::new, |server| format!(" at {server}"));
        let here = in_words(here.as_secs());
        let idle = idle.map_or_else(String::new, |idle| format!(", idle for {}", in_words(idle.as_secs())));
        format!("{mark}{author}{address} ({transport}{at}, here for {here}{idle}{muted})")
    }
}
