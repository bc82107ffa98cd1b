//! The taken names of a room: each belongs to one member, and so does every name that looks like it.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use chat_proto::{MemberId, Name};

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

/// How many other names are tried for a suggestion.
const SUGGESTIONS_TRIED_MAX: u32 = 99;

/// The names of a room and their holders. Each member holds one name at most.
///
/// Taking a name, giving it up and looking it up cost the same however many there are.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// From the looks of a name to its holder: one or two for each name.
    holders: HashMap<String, MemberId>,
}

impl Names {
    /// The holder of this name, or of one that looks like it.
    pub(crate) fn holder(&self, name: &Name) -> Option<MemberId> {
        name.lookalikes().iter().find_map(|lookalike| self.holders.get(lookalike)).copied()
    }

    /// Gives a name to a member that has none. A previous holder must have given it up.
    pub(crate) fn give(&mut self, name: &Name, member: MemberId) {
        for lookalike in name.lookalikes() {
            self.holders.insert(lookalike, member);
        }
    }

    /// A member gives up its name.
    pub(crate) fn release(&mut self, name: &Name) {
        for lookalike in name.lookalikes() {
            self.holders.remove(&lookalike);
        }
    }

    /// A free name like this one.
    pub(crate) fn suggest(&self, name: &Name) -> Option<Name> {
        let numbered = (2..=SUGGESTIONS_TRIED_MAX).map(|number| format!("{name}-{number}"));
        numbered.filter_map(|name| name.parse().ok()).find(|name| self.holder(name).is_none())
    }
}

/// Whether only the process of the room itself may use this name.
pub(crate) fn is_reserved(name: &Name) -> bool {
    static LOOKS: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let words = RESERVED.iter().filter_map(|word| word.parse::<Name>().ok());
        words.flat_map(|word| word.lookalikes()).collect()
    });
    name.lookalikes().iter().any(|looks| LOOKS.contains(looks))
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
    fn a_suggestion_is_free() {
        let mut names = Names::default();
        names.give(&name("ann"), MemberId::new(1));
        names.give(&name("ann-2"), MemberId::new(2));
        assert_eq!(names.suggest(&name("ann")), Some(name("ann-3")));
        assert_eq!(names.suggest(&name(&"x".repeat(32))), None, "there is no room for a number");
    }

    #[test]
    fn nobody_is_called_like_the_room_or_its_operators() {
        for word in ["operator", "operat0r", "Admin", "everyone", "you", "SERVER"] {
            assert!(is_reserved(&name(word)), "{word}");
        }
        assert!(!is_reserved(&name("operators")));
        assert!(RESERVED.iter().all(|word| word.parse::<Name>().is_ok()), "each is a name");
    }
}
