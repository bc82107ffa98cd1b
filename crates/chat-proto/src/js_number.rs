//! Numbers that a JavaScript number may not hold: in what serde writes for people they are strings of digits.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serializer};

/// The largest integer of which JavaScript knows the neighbours.
const MAX: u64 = (1 << 53) - 1;

pub(crate) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() && *number > MAX {
        serializer.collect_str(number)
    } else {
        serializer.serialize_u64(*number)
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    if deserializer.is_human_readable() {
        deserializer.deserialize_any(NumberOrDigits)
    } else {
        u64::deserialize(deserializer)
    }
}

struct NumberOrDigits;

impl Visitor<'_> for NumberOrDigits {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a string of digits")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }

    fn visit_str<E: Error>(self, digits: &str) -> Result<u64, E> {
        digits.parse().map_err(E::custom)
    }
}

/// The same for a number that may be missing, in reports.
#[cfg(feature = "json")]
pub(crate) mod option {
    use serde::Serializer;

    #[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(crate) fn serialize<S: Serializer>(number: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        match number {
            Some(number) => super::serialize(number, serializer),
            None => serializer.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{MemberId, Origin};

    #[test]
    fn json_has_digits_where_javascript_would_lose_some() {
        for (number, json) in [
            (1, r#"{"member":1,"number":1}"#),
            ((1 << 53) - 1, r#"{"member":9007199254740991,"number":9007199254740991}"#),
            (1 << 53, r#"{"member":"9007199254740992","number":"9007199254740992"}"#),
            (u64::MAX, r#"{"member":"18446744073709551615","number":"18446744073709551615"}"#),
        ] {
            let origin = Origin { member: MemberId::new(number), number };
            assert_eq!(serde_json::to_string(&origin).unwrap(), json);
            assert_eq!(serde_json::from_str::<Origin>(json).unwrap(), origin);
        }
        assert!(serde_json::from_str::<Origin>(r#"{"member":"x","number":1}"#).is_err());
    }
}
