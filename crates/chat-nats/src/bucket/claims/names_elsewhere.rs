//! The names that members of other servers have, as far as the bucket has told.

use std::collections::HashMap;

use chat_core::MemberId;
use chat_core::other_servers::Elsewhere;
use serde::{Deserialize, Serialize};

use crate::exchange::servers::ServerId;
use crate::limits::HELD_MAX;

/// What the bucket says about the skeleton of a name.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Claim {
    /// The server where its member is.
    pub(super) server: ServerId,
    /// The session.
    pub(super) member: u64,
    /// The name as it is written.
    pub(super) name: String,
}

/// A key of another server.
#[derive(Debug)]
struct Held {
    revision: u64,
    claim: Claim,
    /// The room was told that the name is taken.
    is_told: bool,
}

/// The keys of other servers, by the skeleton of their names.
#[derive(Debug)]
pub(super) struct HeldNames {
    held: HashMap<String, Held>,
    max: usize,
    /// The newest revision of the bucket that was heard.
    seen: u64,
    /// The newest one for which there was no place to note who has the key.
    unnoted: u64,
}

impl Default for HeldNames {
    fn default() -> Self {
        Self { held: HashMap::new(), max: HELD_MAX, seen: 0, unnoted: 0 }
    }
}

impl HeldNames {
    /// Another server has this key since that revision. Returns what the room must know.
    pub(super) fn taken(
        &mut self,
        skeleton: String,
        revision: u64,
        claim: Claim,
        is_gone: bool,
    ) -> Option<Elsewhere> {
        self.seen = self.seen.max(revision);
        if self.has_no_place_for(&skeleton) {
            self.unnoted = revision;
            return None;
        }
        self.note(skeleton, revision, claim, is_gone)
    }

    fn note(&mut self, skeleton: String, revision: u64, claim: Claim, is_gone: bool) -> Option<Elsewhere> {
        let holder = (!is_gone).then_some(MemberId::new(claim.member));
        let before = self.held.insert(skeleton.clone(), Held { revision, claim, is_told: !is_gone });
        let is_news = !is_gone || before.is_some_and(|before| before.is_told);
        is_news.then_some(Elsewhere::Name { skeleton, holder })
    }

    /// No other server has this key since that revision. Returns what the room must know.
    pub(super) fn freed(&mut self, skeleton: &str, revision: u64) -> Option<Elsewhere> {
        self.seen = self.seen.max(revision);
        let before = self.held.remove(skeleton)?;
        before.is_told.then(|| Elsewhere::Name { skeleton: skeleton.to_owned(), holder: None })
    }

    /// A claim of this server has failed, because another one has the key since that revision. Returns what the room
    /// must know; `None` if the key was given up meanwhile.
    pub(super) fn lost(
        &mut self,
        skeleton: String,
        revision: u64,
        claim: Claim,
        is_gone: bool,
    ) -> Option<Vec<Elsewhere>> {
        let may_be_unnoted = revision <= self.unnoted && !self.held.contains_key(&skeleton);
        if may_be_unnoted || self.has_no_place_for(&skeleton) {
            // The member loses it, and the room does not remember why.
            let taken =
                Elsewhere::Name { skeleton: skeleton.clone(), holder: Some(MemberId::new(claim.member)) };
            return Some(vec![taken, Elsewhere::Name { skeleton, holder: None }]);
        }
        if revision > self.seen {
            return Some(self.note(skeleton, revision, claim, is_gone).into_iter().collect());
        }
        self.held.get(&skeleton).is_some_and(|held| held.is_told).then(Vec::new)
    }

    /// Tells which keys are free because their server `is_gone`, and which are not any more.
    pub(super) fn look(&mut self, is_gone: impl Fn(&ServerId) -> bool) -> Vec<Elsewhere> {
        let mut told = Vec::new();
        for (skeleton, held) in &mut self.held {
            let is_told = !is_gone(&held.claim.server);
            if std::mem::replace(&mut held.is_told, is_told) != is_told {
                let holder = is_told.then_some(MemberId::new(held.claim.member));
                told.push(Elsewhere::Name { skeleton: skeleton.clone(), holder });
            }
        }
        told
    }

    /// Keys of servers that are forgotten, and their revisions: at most this many.
    pub(super) fn left_behind(
        &self,
        max: usize,
        is_forgotten: impl Fn(&ServerId) -> bool,
    ) -> Vec<(String, u64)> {
        let left = self.held.iter().filter(|(_, held)| !held.is_told && is_forgotten(&held.claim.server));
        left.map(|(skeleton, held)| (skeleton.clone(), held.revision)).take(max).collect()
    }

    fn has_no_place_for(&self, skeleton: &str) -> bool {
        self.held.len() >= self.max && !self.held.contains_key(skeleton)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(member: u64) -> Claim {
        Claim { server: "other".to_owned(), member, name: "ann".to_owned() }
    }

    fn told(skeleton: &str, member: Option<u64>) -> Elsewhere {
        Elsewhere::Name { skeleton: skeleton.to_owned(), holder: member.map(MemberId::new) }
    }

    #[test]
    fn a_name_is_taken_until_it_is_given_up_or_its_server_is_gone() {
        let mut names = HeldNames::default();
        assert_eq!(names.taken("ann".to_owned(), 1, claim(7), false), Some(told("ann", Some(7))));
        assert_eq!(names.look(|_| true), [told("ann", None)]);
        assert_eq!(names.left_behind(9, |_| true), [("ann".to_owned(), 1)]);
        assert_eq!(names.look(|_| false), [told("ann", Some(7))], "it is back");
        assert_eq!(names.freed("ann", 2), Some(told("ann", None)));
        assert_eq!(names.lost("ann".to_owned(), 1, claim(7), false), None, "it was given up meanwhile");
    }

    #[test]
    fn a_claim_fails_once_although_there_is_no_place_to_note_who_has_the_name() {
        let mut names = HeldNames { max: 1, ..HeldNames::default() };
        names.taken("bob".to_owned(), 1, claim(8), false);
        assert_eq!(names.taken("ann".to_owned(), 2, claim(7), false), None);
        let lost = names.lost("ann".to_owned(), 2, claim(7), false);
        assert_eq!(lost, Some(vec![told("ann", Some(7)), told("ann", None)]));
        assert_eq!(names.held.len(), 1);
        names.freed("bob", 3);
        let lost = names.lost("ann".to_owned(), 2, claim(7), false);
        assert!(lost.is_some(), "there is a place now, and it was not noted before");
    }
}
