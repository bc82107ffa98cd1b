//! Who is present at other servers. It is soft state: each server tells of its own members, nothing is stored, and the
//! members of a server leave when it falls silent.
//!
//! ```text
//!   changes n   n + 1, n + 2, …          what has changed since
//!   beat    n                            every 2 s: this many changes were there
//!   ask                                  of a server that starts, or has missed a change
//!   whole   n                            the answer: all members, in parts
//! ```
//!
//! Each task of a room counts from 1, and says which task it is: a room that is gone at a server may be opened there
//! again.

use std::collections::{HashMap, HashSet};

use chat_core::other_servers::{Elsewhere, OtherMember};
use chat_core::{Author, LeaveReason, MemberId, Text};
use serde::{Deserialize, Serialize};

use crate::exchange::servers::{ServerId, Servers};
use crate::limits::{MEMBERS_MAX, SILENT_LOOKS};

/// What one server tells the others of its members in a room.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Told {
    /// What has changed.
    Changes { server: ServerId, task: u64, at: String, number: u64, changes: Vec<Change> },
    /// All members, after this many changes: part 0, 1, … of this many `parts`.
    Whole {
        server: ServerId,
        task: u64,
        at: String,
        number: u64,
        members: Vec<Member>,
        part: usize,
        parts: usize,
    },
    /// Nothing since this many changes.
    Beat { server: ServerId, task: u64, number: u64 },
    /// Who is there? `whom` is a server; without one, all.
    Ask { server: ServerId, whom: Option<ServerId> },
    /// Something of a later version.
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Change {
    /// A member has come, or is shown as somebody else.
    Here(Member),
    /// A member has left.
    Gone { member: u64, reason: LeaveReason },
    /// Something of a later version.
    #[serde(other)]
    Unknown,
}

/// A member, as servers tell each other of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Member {
    member: u64,
    author: String,
    address: Option<String>,
    transport: String,
    came_unix_ms: u64,
}

impl From<&OtherMember> for Member {
    fn from(member: &OtherMember) -> Self {
        Self {
            member: member.member.as_u64(),
            author: member.author.to_string(),
            address: member.address.map(|address| address.to_string()),
            transport: member.transport.to_string(),
            came_unix_ms: member.came_unix_ms,
        }
    }
}

impl Member {
    fn read(self, at: &str) -> OtherMember {
        OtherMember {
            member: MemberId::new(self.member),
            author: Author::from_shown(&self.author),
            address: self.address.and_then(|address| address.parse().ok()),
            transport: Text::lossy(&self.transport).as_str().to_owned().into(),
            came_unix_ms: self.came_unix_ms,
            server: Text::lossy(at),
        }
    }
}

/// What is known of one server.
#[derive(Debug, Default)]
struct Known {
    task: u64,
    number: u64,
    members: HashSet<MemberId>,
    /// A whole of which some parts have come.
    begun: Option<Begun>,
    /// After how many looks it was heard last.
    heard: u64,
    /// It was heard before, so the changes that it tells are new.
    is_known: bool,
}

/// The parts of a whole that have come.
#[derive(Debug)]
struct Begun {
    number: u64,
    next: usize,
    members: HashMap<MemberId, OtherMember>,
}

/// Where a member is, and since when.
#[derive(Debug)]
struct Place {
    server: ServerId,
    came_unix_ms: u64,
}

/// The members of other servers in one room.
#[derive(Debug, Default)]
pub(crate) struct Others {
    servers: HashMap<ServerId, Known>,
    /// Where each member is: a session may go from one server to another.
    at: HashMap<MemberId, Place>,
    /// Servers that must be asked for all their members.
    ask: HashSet<ServerId>,
    /// How often [`look`](Self::look) was called while NATS was there.
    looks: u64,
}

impl Others {
    /// Where a member is.
    pub(crate) fn server_of(&self, member: MemberId) -> Option<&ServerId> {
        self.at.get(&member).map(|place| &place.server)
    }

    /// Which servers must be asked.
    pub(crate) fn take_asks(&mut self) -> impl Iterator<Item = ServerId> {
        std::mem::take(&mut self.ask).into_iter()
    }

    /// Another server has told something. Returns what the room must know.
    pub(crate) fn hear(&mut self, told: Told) -> Vec<Elsewhere> {
        let mut elsewhere = Vec::new();
        match told {
            Told::Changes { server, task, at, number, changes } => {
                let Some(known) = self.task(&server, task, &mut elsewhere) else { return elsewhere };
                // Before its first change it had nobody.
                known.is_known |= number == 1;
                if known.is_known && number <= known.number {
                    return elsewhere; // said before
                }
                if !known.is_known || number != known.number + 1 {
                    self.ask.insert(server);
                    return elsewhere;
                }
                known.number = number;
                for change in changes {
                    match change {
                        Change::Here(member) => {
                            elsewhere.extend(self.here(&server, member.read(&at), true));
                        }
                        Change::Gone { member, reason } => {
                            elsewhere.extend(self.gone(&server, MemberId::new(member), reason));
                        }
                        Change::Unknown => {}
                    }
                }
            }
            Told::Whole { server, task, at, number, members, part, parts } => {
                let Some(known) = self.task(&server, task, &mut elsewhere) else { return elsewhere };
                if known.is_known && number < known.number {
                    return elsewhere;
                }
                if part == 0 {
                    known.begun = Some(Begun { number, next: 0, members: HashMap::new() });
                }
                let begun = known.begun.take_if(|begun| begun.number == number && begun.next == part);
                let Some(Begun { members: mut whole, .. }) = begun else {
                    known.begun = None;
                    self.ask.insert(server); // a part is missing
                    return elsewhere;
                };
                let members = members.into_iter().map(|member| member.read(&at));
                whole.extend(members.take(MEMBERS_MAX - whole.len()).map(|member| (member.member, member)));
                if part + 1 < parts {
                    known.begun = Some(Begun { number, next: part + 1, members: whole });
                } else {
                    let is_news = std::mem::replace(&mut known.is_known, true);
                    known.number = number;
                    let missing: Vec<MemberId> =
                        known.members.iter().copied().filter(|member| !whole.contains_key(member)).collect();
                    for member in missing {
                        elsewhere.extend(self.gone(&server, member, LeaveReason::Lost));
                    }
                    for member in whole.into_values() {
                        elsewhere.extend(self.here(&server, member, is_news));
                    }
                }
            }
            Told::Beat { server, task, number } => {
                let Some(known) = self.task(&server, task, &mut elsewhere) else { return elsewhere };
                if !known.is_known || known.number != number {
                    self.ask.insert(server);
                }
            }
            Told::Ask { .. } | Told::Unknown => {}
        }
        elsewhere
    }

    /// What is known of a server whose task has said something. If it is a new one, the messages of the one before it
    /// do not count any more; of an earlier one it is `None`.
    fn task(&mut self, server: &ServerId, task: u64, elsewhere: &mut Vec<Elsewhere>) -> Option<&mut Known> {
        let known = self.servers.entry(server.clone()).or_default();
        if task < known.task {
            return None;
        }
        known.heard = self.looks;
        if task > known.task {
            (known.task, known.number, known.begun) = (task, 0, None);
            for member in std::mem::take(&mut known.members) {
                elsewhere.extend(self.gone(server, member, LeaveReason::Lost));
            }
        }
        self.servers.get_mut(server)
    }

    /// Lets members leave whose server is gone, or no longer says anything about this room.
    pub(crate) fn look(&mut self, servers: &Servers, is_connected: bool) -> Vec<Elsewhere> {
        self.looks += u64::from(is_connected);
        let looks = self.looks;
        let has_gone = |(server, known): &(&ServerId, &Known)| {
            let is_silent = looks - known.heard > SILENT_LOOKS;
            !known.members.is_empty() && (is_silent || servers.is_gone(server))
        };
        let gone: Vec<ServerId> =
            self.servers.iter().filter(has_gone).map(|(server, _)| server.clone()).collect();
        let mut elsewhere = Vec::new();
        for server in gone {
            // If it comes back, it is asked for its members.
            let known = self.servers.get_mut(&server).map(|known| {
                known.number = 0;
                std::mem::take(&mut known.members)
            });
            for member in known.unwrap_or_default() {
                elsewhere.extend(self.gone(&server, member, LeaveReason::Lost));
            }
        }
        self.servers.retain(|server, _| !servers.is_forgotten(server));
        elsewhere
    }

    fn here(&mut self, server: &ServerId, member: OtherMember, is_news: bool) -> Option<Elsewhere> {
        if self.at.len() >= MEMBERS_MAX && !self.at.contains_key(&member.member) {
            return None;
        }
        let known = self.servers.get_mut(server)?;
        known.members.insert(member.member);
        let elsewhere = self.at.get(&member.member).filter(|place| place.server != *server);
        if elsewhere.is_some_and(|place| place.came_unix_ms > member.came_unix_ms) {
            return None; // it has gone on there, and this server has not noticed yet
        }
        let place = Place { server: server.clone(), came_unix_ms: member.came_unix_ms };
        let before = self.at.insert(member.member, place);
        if let Some(before) = before.filter(|before| before.server != *server)
            && let Some(known) = self.servers.get_mut(&before.server)
        {
            known.members.remove(&member.member);
        }
        Some(Elsewhere::Here { member, is_news })
    }

    fn gone(&mut self, server: &ServerId, member: MemberId, reason: LeaveReason) -> Option<Elsewhere> {
        if let Some(known) = self.servers.get_mut(server) {
            known.members.remove(&member);
        }
        // It may have gone on at another server before this one noticed that it is gone.
        (self.server_of(member) == Some(server)).then(|| self.at.remove(&member))?;
        // If another server has it, too, that is where it is: the clocks of the two may differ.
        let has_it = self.servers.iter().filter(|(_, known)| known.members.contains(&member));
        self.ask.extend(has_it.map(|(server, _)| server.clone()));
        Some(Elsewhere::Gone { member, reason })
    }
}

#[cfg(test)]
mod tests;
