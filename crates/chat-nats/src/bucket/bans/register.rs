//! The bans in the bucket, compared with those of this server.

use std::collections::HashMap;

use chat_core::access::Ban;

use super::in_force::There;

/// What the bucket has about one ban.
#[derive(Debug)]
struct Known {
    /// The last change that was heard, or made here.
    revision: u64,
    /// `None`: it was lifted, or has ended.
    ban: Option<Ban>,
    /// This server has it in force. Not so if its list was full, or if the ban has ended by its clock.
    holds: bool,
}

/// Something to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// The bucket must get this ban, after this revision of its key.
    Store { key: String, ban: Ban, after: u64 },
    /// Somebody here has lifted it.
    Lift { key: String, after: u64 },
    /// The bucket has it, and this server does not.
    Hold { key: String, ban: Ban },
}

/// What the bucket has, by its keys.
#[derive(Debug, Default)]
pub(crate) struct Register {
    known: HashMap<String, Known>,
    /// The newest revision that was heard, of any key.
    heard: u64,
}

impl Register {
    /// The bucket says that it has this since that revision. False if this server knows a newer one.
    pub(crate) fn hear(&mut self, key: &str, revision: u64, ban: Option<Ban>) -> bool {
        self.heard = self.heard.max(revision);
        self.learn(key, revision, ban)
    }

    /// The bucket has this since that revision. False if this server knows a newer one: then it is the echo of its own
    /// change.
    pub(crate) fn learn(&mut self, key: &str, revision: u64, ban: Option<Ban>) -> bool {
        if self.known.get(key).is_some_and(|known| known.revision >= revision) {
            return false;
        }
        // The bucket forgets lifted bans, too.
        if self.known.len() > 2 * chat_core::limits::BANS_MAX {
            self.known.retain(|_, known| known.ban.is_some());
        }
        self.known.insert(key.to_owned(), Known { revision, ban, holds: false });
        true
    }

    /// The bucket has a value under this key that this server cannot read, or that no server of this cluster has
    /// written. The server keeps what it knew, and its next write uses that revision.
    pub(crate) fn pass_over(&mut self, key: &str, revision: u64) {
        self.heard = self.heard.max(revision);
        match self.known.get_mut(key) {
            Some(known) => known.revision = known.revision.max(revision),
            None => drop(self.learn(key, revision, None)),
        }
    }

    /// That is the last revision of this key. If this server has heard it and does not know it, it has forgotten that a
    /// ban was lifted. If it has not heard it yet, it will.
    pub(crate) fn remember(&mut self, key: &str, revision: u64) {
        if revision <= self.heard {
            self.learn(key, revision, None);
        }
    }

    /// This server has it in force.
    pub(crate) fn holds(&mut self, key: &str) {
        if let Some(known) = self.known.get_mut(key) {
            known.holds = true;
        }
    }

    /// The steps to take if `there` are the bans in force here, at this time.
    pub(crate) fn steps(&mut self, there: &There, unix_ms: u64) -> Vec<Step> {
        let mut steps = Vec::new();
        for (key, known) in &mut self.known {
            let after = known.revision;
            match (&known.ban, there.bans.get(key)) {
                // One that looks like it holds in its place.
                (Some(ban), None) if there.has_lookalike(&ban.who) => {}
                (Some(ban), None) => {
                    // By the clock here, which may be wrong. The bucket has a clock of its own.
                    let has_ended = ban.until_unix_ms.is_some_and(|until| until <= unix_ms);
                    if has_ended {
                        known.holds = false;
                    } else if known.holds {
                        steps.push(Step::Lift { key: key.clone(), after });
                    } else {
                        steps.push(Step::Hold { key: key.clone(), ban: ban.clone() });
                    }
                }
                (ban, Some(there)) if ban.as_ref() != Some(there) => {
                    steps.push(Step::Store { key: key.clone(), ban: there.clone(), after });
                }
                _ => {}
            }
        }
        let unknown = there.bans.iter().filter(|(key, _)| !self.known.contains_key(*key));
        steps.extend(unknown.map(|(key, ban)| Step::Store { key: key.clone(), ban: ban.clone(), after: 0 }));
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(until_unix_ms: Option<u64>) -> Ban {
        Ban { who: "ann".parse().unwrap(), why: "spam".parse().unwrap(), until_unix_ms }
    }

    fn there(ban: &Ban) -> There {
        There::new(vec![ban.clone()])
    }

    fn nobody() -> There {
        There::default()
    }

    #[test]
    fn a_ban_for_which_there_is_no_room_here_stays_in_the_bucket_and_is_tried_again() {
        let (mut register, ban) = (Register::default(), ban(None));
        assert!(register.learn("ban.ann", 5, Some(ban.clone())));
        let hold = Step::Hold { key: "ban.ann".to_owned(), ban: ban.clone() };
        assert_eq!(register.steps(&nobody(), 0), [hold]);
        register.holds("ban.ann");
        assert_eq!(register.steps(&there(&ban), 0), []);
        let lift = Step::Lift { key: "ban.ann".to_owned(), after: 5 };
        assert_eq!(register.steps(&nobody(), 0), [lift], "somebody here has lifted it");
    }

    #[test]
    fn the_echo_of_a_ban_does_not_undo_what_came_after_it() {
        let mut register = Register::default();
        register.learn("ban.ann", 7, None); // banned at 6 and lifted at 7, both here
        assert!(!register.learn("ban.ann", 6, Some(ban(None))), "the echo of 6");
        assert!(!register.learn("ban.ann", 7, None), "the echo of 7");
        assert_eq!(register.steps(&nobody(), 0), []);
        assert!(register.learn("ban.ann", 8, Some(ban(None))), "of another server, later");
    }

    #[test]
    fn a_clock_that_jumps_lifts_no_ban_at_other_servers_and_the_ban_holds_again_when_it_is_right() {
        let (mut register, ban) = (Register::default(), ban(Some(1_000)));
        register.learn("ban.ann", 5, Some(ban.clone()));
        register.holds("ban.ann");
        assert_eq!(register.steps(&nobody(), 5_000), [], "it has ended by the clock here");
        let hold = Step::Hold { key: "ban.ann".to_owned(), ban };
        assert_eq!(register.steps(&nobody(), 500), [hold]);
    }

    #[test]
    fn a_ban_of_this_server_is_stored_unless_the_bucket_knows_that_it_was_lifted() {
        let (mut register, ban) = (Register::default(), ban(None));
        let store = |after| Step::Store { key: "ban.ann".to_owned(), ban: ban.clone(), after };
        assert_eq!(register.steps(&there(&ban), 0), [store(0)]);
        register.learn("ban.ann", 4, None);
        assert_eq!(register.steps(&there(&ban), 0), [store(4)], "it was banned again here");
    }

    #[test]
    fn a_ban_that_another_one_replaces_which_looks_like_it_is_not_lifted() {
        let mut register = Register::default();
        for (revision, who) in [(1, "lris"), (2, "Iris")] {
            let ban = Ban { who: who.parse().unwrap(), ..ban(None) };
            let key = crate::layout::ban_key(&ban.who);
            assert!(register.hear(&key, revision, Some(ban.clone())));
            register.holds(&key);
            assert_eq!(register.steps(&there(&ban), 0), []);
        }
        assert_eq!(register.steps(&nobody(), 0).len(), 2, "both are lifted together");
    }

    #[test]
    fn a_value_that_cannot_be_read_lifts_nothing_and_is_written_over() {
        let (mut register, ban) = (Register::default(), ban(None));
        register.hear("ban.ann", 1, Some(ban.clone()));
        register.holds("ban.ann");
        register.pass_over("ban.ann", 2);
        assert_eq!(register.steps(&there(&ban), 0), [], "the ban is as it was");
        let lift = Step::Lift { key: "ban.ann".to_owned(), after: 2 };
        assert_eq!(register.steps(&nobody(), 0), [lift]);
        let mut later = Register::default();
        later.pass_over("ban.ann", 2);
        let store = Step::Store { key: "ban.ann".to_owned(), ban: ban.clone(), after: 2 };
        assert_eq!(later.steps(&there(&ban), 0), [store]);
    }

    #[test]
    fn a_ban_whose_end_was_forgotten_is_stored_again_after_that() {
        let (mut register, ban) = (Register::default(), ban(None));
        register.hear("ban.ann", 1, None);
        let many = 2 * chat_core::limits::BANS_MAX as u64;
        (2..=many + 2).for_each(|revision| assert!(register.hear(&revision.to_string(), revision, None)));
        let store = |after| Step::Store { key: "ban.ann".to_owned(), ban: ban.clone(), after };
        assert_eq!(register.steps(&there(&ban), 0), [store(0)], "it was forgotten");
        register.remember("ban.ann", many + 9);
        assert_eq!(register.steps(&there(&ban), 0), [store(0)], "this one is still to be heard");
        register.remember("ban.ann", 1);
        assert_eq!(register.steps(&there(&ban), 0), [store(1)]);
    }
}
