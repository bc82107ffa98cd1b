//! Names of in-process local members, which must never pass for an address or for the room.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::limits::NAME_BYTES_MAX;

/// Name of an in-process local member: 1 to [`NAME_BYTES_MAX`] ASCII characters, first a letter, then
/// letters, digits, `-`, `_` and `.`.
///
/// It holds no colon, bracket, space or star, so that it can read neither as an address nor as the
/// room's `*`. A clone shares the characters.
///
/// ```
/// use chat_proto::Name;
///
/// let name: Name = "bot".parse()?;
/// assert_eq!(name.as_str(), "bot");
/// assert!("127.0.0.1:5".parse::<Name>().is_err());
/// # Ok::<(), chat_proto::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// The characters of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Name, NameError> {
        if s.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong { bytes: s.len() });
        }
        let Some(first) = s.chars().next() else {
            return Err(NameError::Empty);
        };
        if !first.is_ascii_alphabetic() {
            return Err(NameError::Forbidden { at: 0 });
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        match s.find(|c| !allowed(c)) {
            Some(at) => Err(NameError::Forbidden { at }),
            None => Ok(Name(s.into())),
        }
    }
}

impl TryFrom<&str> for Name {
    type Error = NameError;

    fn try_from(s: &str) -> Result<Name, NameError> {
        s.parse()
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        crate::text::deserialize_str(deserializer, |s| s.parse().map_err(D::Error::custom))
    }
}

/// Why a string is no [`Name`]; whoever chose it is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// It has no characters.
    #[error("a name has at least one character")]
    Empty,
    /// It is longer than [`NAME_BYTES_MAX`].
    #[error("a name of {bytes} bytes is longer than {NAME_BYTES_MAX}")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// It has a character that names may not have at that place.
    #[error(
        "character at byte {at}: a name begins with an ASCII letter, then letters, digits, '-', '_' or '.'"
    )]
    Forbidden {
        /// Where that character begins, in bytes.
        at: usize,
    },
}
