//! What other servers that share the room have told.

use std::collections::HashSet;

use chat_proto::{Author, DirectItem, Event, MemberId, Text};

use super::{State, Wakes};
use crate::elsewhere::Elsewhere;

/// Mutes of sessions that are remembered. Beyond them, a mute ends when its session moves to this server.
const MUTED_MAX: usize = 10_000;

/// What is known of other servers. Empty for a room that no other server has.
#[derive(Debug, Default)]
pub(crate) struct Elsewheres {
    /// Members that are muted, wherever they are.
    muted: HashSet<MemberId>,
}

impl Elsewheres {
    pub(super) fn has_muted(&self, member: MemberId) -> bool {
        self.muted.contains(&member)
    }
}

impl State {
    pub(crate) fn hear_elsewhere(&mut self, what: Elsewhere) -> Wakes {
        match what {
            Elsewhere::Name { looks, holder: Some(holder) } => {
                let loser = self.names.give_elsewhere(looks, holder);
                // A session that has moved there has not lost anything.
                let loser = loser.filter(|&loser| loser != holder || self.author_of(loser).is_none());
                loser.map(|loser| self.lose_name(loser)).unwrap_or_default()
            }
            Elsewhere::Name { looks, holder: None } => {
                self.names.free_elsewhere(&looks);
                Wakes::default()
            }
            Elsewhere::Slow { pause } => {
                self.config.slow = pause;
                Wakes::default()
            }
            Elsewhere::Muted { member, is_muted } => {
                self.mute_elsewhere(member, is_muted);
                Wakes::default()
            }
        }
    }

    fn mute_elsewhere(&mut self, member: MemberId, is_muted: bool) {
        match is_muted {
            true if self.elsewhere.muted.len() < MUTED_MAX => drop(self.elsewhere.muted.insert(member)),
            true => {}
            false => drop(self.elsewhere.muted.remove(&member)),
        }
        if let Some(profile) = self.profile_mut(member) {
            profile.standing.is_muted = is_muted;
        } else if let Some(left) = self.left.get_mut(member) {
            left.standing.is_muted = is_muted;
        }
    }

    /// The name that a member has here belongs to a member of another server. A local member keeps it: its process has chosen it.
    fn lose_name(&mut self, loser: MemberId) -> Wakes {
        if self.local_place(loser).is_some() {
            return Wakes::default();
        }
        let Some(from) = self.author_of(loser) else {
            self.left.release_name(loser);
            return Wakes::default();
        };
        let Some(name) = self.profile_mut(loser).and_then(|profile| profile.name.take()) else {
            return Wakes::default();
        };
        self.names.release(&name);
        self.give_up_name(loser);
        let to = self.author_of(loser).unwrap_or(Author::Room);
        let mut wakes = self.append(Event::Renamed { member: loser, from, to }, None);
        let why = format!("{name} belongs to somebody at another server. /nick NAME gives you another name.");
        let told = self.tell(loser, DirectItem::Notice { text: Text::lossy(&why) });
        wakes.0.extend(told.unwrap_or_default().0);
        wakes
    }
}
