//! The taken names of a room: each belongs to one member, and so does every name that looks like it.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use chat_proto::limits::NAME_BYTES_MAX;
use chat_proto::{MemberId, Name};

use crate::limits::SUGGESTIONS_TRIED_MAX;

/// Words that a remote member cannot be called, because they would read as the room, its operators or everyone.
const RESERVED: [&str; 14] = [
    "admin",
    "administrator",
    "all",
    "anyone",
    "everyone",
    "here",
    "host",
    "me",
    "moderator",
    "operator",
    "room",
    "server",
    "system",
    "you",
];

/// The names of a room and their holders. Each member holds one name at most.
///
/// Taking a name, giving it up and looking it up cost the same however many there are.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// From the skeleton of a name to its holder: one or two for each name.
    holders: HashMap<String, Holder>,
}

/// A member that holds a name, or the session that it is reserved for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) member: MemberId,
    /// It is a member of another server.
    pub(crate) is_elsewhere: bool,
}

impl Names {
    /// The holder of this name, or of one that looks like it.
    pub(crate) fn holder(&self, name: &Name) -> Option<MemberId> {
        name.lookalikes().iter().find_map(|lookalike| self.holders.get(lookalike)).map(|holder| holder.member)
    }

    /// The holder of this name, or of one that looks like it, if it is somebody else than `member`.
    pub(crate) fn other_holder(&self, name: &Name, member: MemberId) -> Option<Holder> {
        let lookalikes = name.lookalikes();
        let mut holders = lookalikes.iter().filter_map(|lookalike| self.holders.get(lookalike));
        holders.find(|holder| holder.member != member).copied()
    }

    /// Gives a name to a member that has none. A previous holder must have given it up.
    pub(crate) fn give(&mut self, name: &Name, member: MemberId) {
        for lookalike in name.lookalikes() {
            self.holders.insert(lookalike, Holder { member, is_elsewhere: false });
        }
    }

    /// A member gives up its name.
    pub(crate) fn release(&mut self, name: &Name) {
        for lookalike in name.lookalikes() {
            if self.holders.get(&lookalike).is_some_and(|holder| !holder.is_elsewhere) {
                self.holders.remove(&lookalike);
            }
        }
    }

    /// The holder of names with this skeleton, if it is here.
    pub(crate) fn holder_here(&self, lookalike: &str) -> Option<MemberId> {
        self.holders.get(lookalike).filter(|holder| !holder.is_elsewhere).map(|holder| holder.member)
    }

    /// A member of another server has a name with this skeleton. Returns the holder here, which has lost it.
    pub(crate) fn give_elsewhere(&mut self, lookalike: String, member: MemberId) -> Option<MemberId> {
        let before = self.holders.insert(lookalike, Holder { member, is_elsewhere: true });
        before.filter(|before| !before.is_elsewhere).map(|before| before.member)
    }

    /// No member of another server has a name with this skeleton any more.
    pub(crate) fn free_elsewhere(&mut self, lookalike: &str) {
        if self.holders.get(lookalike).is_some_and(|holder| holder.is_elsewhere) {
            self.holders.remove(lookalike);
        }
    }

    /// A free name like this one, for a member that wants it. If the first numbers are taken, it gets its own.
    pub(crate) fn suggest(&self, name: &Name, wants: MemberId) -> Option<Name> {
        let numbers = (2..=SUGGESTIONS_TRIED_MAX).chain([wants.as_u64()]);
        numbers.filter_map(|number| numbered(name, number)).find(|name| self.holder(name).is_none())
    }
}

/// A name with a number. The name is cut so that both fit.
fn numbered(name: &Name, number: u64) -> Option<Name> {
    let number = format!("-{number}");
    let mut front = name.as_str();
    while front.len() + number.len() > NAME_BYTES_MAX {
        front = &front[..front.char_indices().next_back()?.0];
    }
    format!("{front}{number}").parse().ok()
}

/// Whether only the process of the room itself may use this name.
pub(crate) fn is_reserved(name: &Name) -> bool {
    static SKELETONS: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let words = RESERVED.iter().filter_map(|word| word.parse::<Name>().ok());
        words.flat_map(|word| word.lookalikes()).collect()
    });
    // A large `i` looks like a small `l` or a `1`, in whatever case the word is written.
    name.lookalikes()
        .iter()
        .any(|skeleton| SKELETONS.contains(skeleton) || SKELETONS.contains(&skeleton.replace('l', "i")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(s: &str) -> Name {
        s.parse().unwrap()
    }

    #[test]
    fn a_name_and_what_looks_like_it_have_one_holder() {
        let (mut names, ann) = (Names::default(), MemberId::new(1));
        names.give(&name("Iris"), ann);
        for taken in ["Iris", "iris", "IRIS", "lris"] {
            assert_eq!(names.holder(&name(taken)), Some(ann), "{taken}");
        }
        assert_eq!(names.holder(&name("Irma")), None);
        names.release(&name("Iris"));
        assert!(names.holders.is_empty());
    }

    #[test]
    fn a_name_is_taken_if_somebody_else_has_one_of_its_skeletons() {
        let (mut names, ann, bob) = (Names::default(), MemberId::new(1), MemberId::new(2));
        names.give(&name("iris"), ann);
        names.give(&name("lris"), bob);
        for (asks, other) in [(ann, bob), (bob, ann)] {
            assert_eq!(names.other_holder(&name("Iris"), asks).map(|holder| holder.member), Some(other));
        }
        assert_eq!(names.other_holder(&name("IRIS"), ann), None);
    }

    #[test]
    fn a_name_of_another_server_is_given_up_by_that_one_only() {
        let (mut names, ann, bob) = (Names::default(), MemberId::new(1), MemberId::new(2));
        let skeleton = name("ann").lookalikes()[0].clone();
        names.give(&name("ann"), ann);
        assert_eq!(names.give_elsewhere(skeleton.clone(), bob), Some(ann));
        names.release(&name("ann"));
        assert_eq!(names.holder(&name("ann")), Some(bob));
        names.free_elsewhere(&skeleton);
        assert!(names.holders.is_empty());
        names.give(&name("ann"), ann);
        names.free_elsewhere(&skeleton);
        assert_eq!(names.holder(&name("ann")), Some(ann));
    }

    #[test]
    fn a_suggestion_is_free() {
        let mut names = Names::default();
        names.give(&name("ann"), MemberId::new(1));
        names.give(&name("ann-2"), MemberId::new(2));
        let suggested = |names: &Names, taken: &str| names.suggest(&name(taken), MemberId::new(1_000));
        assert_eq!(suggested(&names, "ann"), Some(name("ann-3")));
        assert_eq!(suggested(&names, &"x".repeat(32)), Some(name(&format!("{}-2", "x".repeat(30)))));
        assert_eq!(suggested(&names, &"é".repeat(16)), Some(name(&format!("{}-2", "é".repeat(15)))));
        (3..=SUGGESTIONS_TRIED_MAX)
            .for_each(|number| names.give(&name(&format!("ann-{number}")), MemberId::new(number)));
        assert_eq!(suggested(&names, "ann"), Some(name("ann-1000")));
    }

    #[test]
    fn nobody_is_called_like_the_room_or_its_operators() {
        for word in
            ["operator", "operat0r", "Admin", "ADMlN", "ADM1N", "adm1n", "ADMİN", "everyone", "you", "SERVER"]
        {
            assert!(is_reserved(&name(word)), "{word}");
        }
        for word in ["operators", "Ali", "Ail"] {
            assert!(!is_reserved(&name(word)), "{word}");
        }
        assert!(RESERVED.iter().all(|word| word.parse::<Name>().is_ok()), "each is a name");
    }
}
