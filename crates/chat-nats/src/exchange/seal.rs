//! How servers of a cluster recognise each other's messages: each thing that they tell each other, or store for each
//! other, has a code that only the cluster's secret makes.
//!
//! ```text
//! 64 hexadecimal digits, a space, JSON: a5f1…9c {"v":1,"server":"…", …}
//! ```
//!
//! The digits are HMAC-SHA256 over the place where it is (the subject or the key), a zero byte, and the JSON. So what
//! was stored in one place means nothing in another one.
//!
//! `v` is the version, 1. A later version may add fields and kinds, which this one does not read, and never changes
//! what the fields of this one mean.

use std::fmt::Write;

use bytes::Bytes;
use ring::hmac;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Secret;

/// The version of what servers tell each other.
pub(crate) const VERSION: u8 = 1;

/// Hexadecimal digits of a code.
const DIGITS: usize = 64;

/// Seals and opens what servers tell each other.
#[derive(Debug)]
pub(crate) struct Seal(hmac::Key);

/// Something of this version.
#[derive(Serialize)]
struct Versioned<'a, T> {
    v: u8,
    #[serde(flatten)]
    what: &'a T,
}

impl Seal {
    pub(crate) fn new(secret: &Secret) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let key = hmac::sign(&key, b"what chat servers tell each other\0");
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()))
    }

    /// The string to store or publish at `place`.
    pub(crate) fn close(&self, place: &str, what: &impl Serialize) -> Bytes {
        let json = serde_json::to_string(&Versioned { v: VERSION, what }).expect("it has a JSON form");
        let code = hmac::sign(&self.0, &Self::signed(place, json.as_bytes()));
        let mut sealed = String::with_capacity(DIGITS + 1 + json.len());
        code.as_ref()
            .iter()
            .for_each(|byte| write!(sealed, "{byte:02x}").expect("a string takes everything"));
        sealed.push(' ');
        sealed.push_str(&json);
        Bytes::from(sealed)
    }

    /// The content of a string that was stored or published at `place`; `None` if it is not of a server of this
    /// cluster, or cannot be understood.
    pub(crate) fn open<T: DeserializeOwned>(&self, place: &str, sealed: &[u8]) -> Option<T> {
        let (digits, rest) = sealed.split_at_checked(DIGITS)?;
        let json = rest.strip_prefix(b" ")?;
        let code: Option<Vec<u8>> = digits
            .chunks_exact(2)
            .map(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok())
            .collect();
        hmac::verify(&self.0, &Self::signed(place, json), &code?).ok()?;
        serde_json::from_slice(json).ok()
    }

    fn signed(place: &str, json: &[u8]) -> Vec<u8> {
        [place.as_bytes(), &[0], json].concat()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Thing {
        count: u8,
    }

    #[derive(Debug, Serialize)]
    struct LaterThing {
        count: u8,
        colour: &'static str,
    }

    fn seal(byte: u8) -> Seal {
        Seal::new(&Secret::new([byte; 32]).unwrap())
    }

    #[test]
    fn only_who_has_the_secret_is_believed_and_only_at_its_place() {
        let closed = seal(1).close("here", &Thing { count: 3 });
        assert!(closed.ends_with(br#" {"v":1,"count":3}"#));
        assert_eq!(seal(1).open("here", &closed), Some(Thing { count: 3 }));
        assert_eq!(seal(2).open::<Thing>("here", &closed), None);
        assert_eq!(seal(1).open::<Thing>("there", &closed), None);
        for place in 0..closed.len() {
            let mut changed = closed.to_vec();
            changed[place] ^= 1;
            assert_eq!(seal(1).open::<Thing>("here", &changed), None);
            assert_eq!(seal(1).open::<Thing>("here", &closed[..place]), None);
        }
    }

    #[test]
    fn fields_of_a_later_version_are_not_read() {
        let closed = seal(1).close("here", &LaterThing { count: 3, colour: "green" });
        assert_eq!(seal(1).open("here", &closed), Some(Thing { count: 3 }));
    }
}
