//! The names of streams, subjects and keys in NATS: those of each room, made from its name, and those of bans.

use std::fmt::Write;

use chat_core::access::Banned;
use chat_core::{MemberId, Name};

/// Where a room's messages and its topic are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The stream with the messages, and nothing else.
    pub(crate) stream: String,
    /// The subject that they are published to.
    pub(crate) subject: String,
    /// The prefix of the room's keys in the bucket.
    pub(crate) key: String,
}

/// What a key of the bucket is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// The topic.
    Topic,
    /// Slow mode.
    Slow,
    /// Who has a name with this skeleton.
    Name(String),
    /// Whether this member is muted.
    Muted(MemberId),
}

impl Place {
    /// `prefix` has no character that means something to NATS.
    pub(crate) fn new(prefix: &str, room: Option<&Name>) -> Self {
        // Names that differ in the case of letters alone are one room.
        match room.map(|name| token(&name.as_str().to_lowercase())) {
            Some(token) => Self {
                stream: format!("{prefix}_room_{token}"),
                subject: format!("{prefix}.room.{token}"),
                key: format!("room.{token}"),
            },
            None => Self {
                stream: format!("{prefix}_room"),
                subject: format!("{prefix}.room"),
                key: "unnamed".to_owned(),
            },
        }
    }

    pub(crate) fn topic_key(&self) -> String {
        format!("{}.topic", self.key)
    }

    pub(crate) fn ids_key(&self) -> String {
        format!("{}.ids", self.key)
    }

    pub(crate) fn slow_key(&self) -> String {
        format!("{}.slow", self.key)
    }

    pub(crate) fn name_key(&self, skeleton: &str) -> String {
        format!("{}.name.{}", self.key, token(skeleton))
    }

    pub(crate) fn muted_key(&self, member: MemberId) -> String {
        format!("{}.muted.{member}", self.key)
    }

    /// What this key of the bucket is about; `None` if it is nothing that rooms learn from each other.
    pub(crate) fn read_key(&self, key: &str) -> Option<Key> {
        let (what, which) = match key.strip_prefix(&self.key)?.strip_prefix('.')?.split_once('.') {
            Some((what, which)) => (what, which),
            None => (key.strip_prefix(&self.key)?.strip_prefix('.')?, ""),
        };
        match (what, which) {
            ("topic", "") => Some(Key::Topic),
            ("slow", "") => Some(Key::Slow),
            ("name", skeleton) => Some(Key::Name(untoken(skeleton)?)),
            ("muted", member) => Some(Key::Muted(MemberId::new(member.parse().ok()?))),
            _ => None,
        }
    }
}

/// The key of a ban. Names that differ in case have one, and so have most others that look alike.
pub(crate) fn ban_key(who: &Banned) -> String {
    let skeleton = match who {
        Banned::Network(network) => network.to_string(),
        Banned::Name(name) => {
            let [_, without_case] = name.lookalikes();
            without_case
        }
    };
    format!("ban.{}", token(&skeleton))
}

/// A string in the alphabet of streams, subjects and keys.
fn token(string: &str) -> String {
    let mut token = String::new();
    for byte in string.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => token.push(char::from(byte)),
            _ => write!(token, "={byte:02x}").expect("a string takes everything"),
        }
    }
    token
}

/// The string that a token stands for.
fn untoken(token: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = token.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'=' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_room_has_its_own_place_in_letters_that_nats_takes() {
        let place = |name: &str| Place::new("chat", Some(&name.parse().unwrap()));
        assert_eq!(place("Dev").stream, "chat_room_dev");
        assert_eq!(place("dev").subject, "chat.room.dev");
        assert_eq!(place("a_b").topic_key(), "room.a=5fb.topic");
        assert_eq!(place("München").stream, "chat_room_m=c3=bcnchen");
        let all = [Place::new("chat", None), place("dev"), place("a_b"), place("a-b")];
        assert!(all.iter().all(|place| all.iter().filter(|other| *other == place).count() == 1));
    }

    #[test]
    fn a_key_says_what_it_is_about() {
        for place in [Place::new("chat", None), Place::new("chat", Some(&"dev".parse().unwrap()))] {
            let member = MemberId::new(1 << 40);
            assert_eq!(place.read_key(&place.topic_key()), Some(Key::Topic));
            assert_eq!(place.read_key(&place.slow_key()), Some(Key::Slow));
            assert_eq!(place.read_key(&place.muted_key(member)), Some(Key::Muted(member)));
            for skeleton in ["ann", "münchen", "a_b=c.d", "東京"] {
                assert_eq!(place.read_key(&place.name_key(skeleton)), Some(Key::Name(skeleton.to_owned())));
            }
            for key in [place.ids_key(), "room.other.topic".to_owned(), format!("{}.name.=f", place.key)] {
                assert_eq!(place.read_key(&key), None, "{key}");
            }
        }
    }
}
