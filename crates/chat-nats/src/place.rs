//! Where the things of a room are in NATS.

use std::fmt::Write;

use chat_core::Name;

/// Where a room's messages and its topic are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The stream with the messages, and nothing else.
    pub(crate) stream: String,
    /// What they are published to.
    pub(crate) subject: String,
    /// What the keys of the room begin with, in the bucket.
    pub(crate) key: String,
}

impl Place {
    /// `prefix` has no character that means something to NATS.
    pub(crate) fn new(prefix: &str, room: Option<&Name>) -> Self {
        match room.map(token) {
            Some(token) => Self {
                stream: format!("{prefix}_room_{token}"),
                subject: format!("{prefix}.room.{token}"),
                key: format!("room.{token}"),
            },
            None => Self {
                stream: format!("{prefix}_room"),
                subject: format!("{prefix}.room"),
                key: "room".to_owned(),
            },
        }
    }

    pub(crate) fn topic_key(&self) -> String {
        format!("{}.topic", self.key)
    }

    pub(crate) fn ids_key(&self) -> String {
        format!("{}.ids", self.key)
    }
}

/// A room's name in the alphabet of streams, subjects and keys. Names that differ in the case of letters alone are one room.
fn token(name: &Name) -> String {
    let mut token = String::new();
    for byte in name.as_str().to_lowercase().bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => token.push(char::from(byte)),
            _ => write!(token, "={byte:02x}").expect("a string takes everything"),
        }
    }
    token
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
}
