//! Names of members and rooms: one spelling each, and no two that look alike.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_security::{GeneralSecurityProfile, RestrictionLevel, RestrictionLevelDetection};

use crate::{Text, limits::NAME_BYTES_MAX};

/// Accents and vowel signs on one letter. Real spelling needs three at most; a pile of them would cover the
/// lines above and below.
const MARKS_MAX: usize = 3;

const DOT_ABOVE: char = '\u{307}';

/// Name of a member or a room: 1 to [`NAME_BYTES_MAX`] bytes, first a letter, then letters, digits,
/// `-` and `_`, of any script.
///
/// A name is kept in Unicode's compatibility form (NFKC), so that it has one spelling. It holds no colon,
/// bracket, space, dot or star, so it can read neither as an address nor as the room's `*`. It has only characters that
/// Unicode recommends for identifiers and mixes only scripts that people mix (UTS #39, *highly restrictive*): Latin
/// and Cyrillic in one name are refused. A clone shares the characters.
///
/// Two names may still look alike. [`Name::is_confusable_with`] tells, and the room lets only one of them in.
///
/// ```
/// use chat_proto::Name;
///
/// let name: Name = "ann".parse()?;
/// assert_eq!(name.as_str(), "ann");
/// assert!(name.is_confusable_with(&"Ann".parse()?));
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

    /// The strings by which names are compared: two names that share one of these strings look alike, or differ
    /// only in case. Not for people to read.
    ///
    /// The first is the skeleton of UTS #39, section 4, of the name as it is, in lower case; the second that of the
    /// name without its case.
    #[must_use]
    pub fn lookalikes(&self) -> [String; 2] {
        [skeleton(&self.0), skeleton(&without_case(&self.0))]
    }

    /// Whether people could take one name for the other.
    #[must_use]
    pub fn is_confusable_with(&self, other: &Name) -> bool {
        let theirs = other.lookalikes();
        self.lookalikes().iter().any(|ours| theirs.contains(ours))
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Name, NameError> {
        if is_plain(s) {
            return Ok(Name(s.into()));
        }
        // Normalising makes a string longer or shorter, by a bounded factor: look at no more than may fit.
        let name: String = s.nfkc().take(NAME_BYTES_MAX + 1).collect();
        if name.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong);
        }
        let first = name.chars().next().ok_or(NameError::Empty)?;
        if !is_letter(first) {
            return Err(NameError::FirstCharacter { character: first });
        }
        if let Some(character) = name.chars().find(|&c| !is_allowed(c)) {
            return Err(NameError::Character { character });
        }
        let mut marks = 0;
        for character in name.chars() {
            marks = if is_mark(character) { marks + 1 } else { 0 };
            if marks > MARKS_MAX {
                return Err(NameError::Marks);
            }
        }
        if !name.check_restriction_level(RestrictionLevel::HighlyRestrictive) {
            return Err(NameError::MixedScripts);
        }
        // A name stands on a line of clean text, so it must be clean itself.
        match Text::one_line(&name) {
            Ok(text) if text.as_str() == name => Ok(Name(name.into())),
            _ => Err(NameError::NotClean),
        }
    }
}

/// Whether it is a name of ASCII letters, digits, `-` and `_`. Most are, and need no tables: a server of a cluster
/// reads one with each message.
fn is_plain(s: &str) -> bool {
    s.len() <= NAME_BYTES_MAX
        && s.starts_with(|c: char| c.is_ascii_alphabetic())
        && s.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The skeleton of a name in lower case, without the marks that nobody sees: a dot on `i` and `j`, and the same mark
/// again.
fn skeleton(s: &str) -> String {
    let mut skeleton = String::new();
    for character in unicode_security::skeleton(s).flat_map(char::to_lowercase) {
        let before = skeleton.chars().next_back();
        let is_seen_before = before == Some(character) && is_mark(character);
        let is_dot_of_letter = character == DOT_ABOVE && matches!(before, Some('i' | 'j'));
        if !is_seen_before && !is_dot_of_letter {
            skeleton.push(character);
        }
    }
    skeleton
}

/// A name by which all that differ from it in case only are the same. Lower case alone would leave `ß` beside `SS`, and
/// both of the sigmas.
fn without_case(s: &str) -> String {
    if s.is_ascii() {
        return s.to_ascii_lowercase();
    }
    let lower = s.chars().flat_map(char::to_lowercase);
    lower.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

fn is_letter(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Letter && c.identifier_allowed()
}

fn is_mark(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Mark
}

fn is_allowed(c: char) -> bool {
    let is_digit = c.general_category() == GeneralCategory::DecimalNumber;
    matches!(c, '-' | '_') || is_letter(c) || ((is_digit || is_mark(c)) && c.identifier_allowed())
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

/// Why a string is not a [`Name`]. The person who chose it is to blame. The message says what a name may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// It has no characters.
    #[error("a name has at least one letter")]
    Empty,
    /// It is longer than [`NAME_BYTES_MAX`] bytes.
    #[error("a name has at most {NAME_BYTES_MAX} bytes")]
    TooLong,
    /// It does not begin with a letter.
    #[error("a name begins with a letter, not with {character:?}")]
    FirstCharacter {
        /// Its first character.
        character: char,
    },
    /// It has a character that names may not have.
    #[error("a name has letters, digits, '-' and '_', not {character:?}")]
    Character {
        /// The first such character.
        character: char,
    },
    /// It has more than three marks on one letter.
    #[error("a name has at most {MARKS_MAX} marks on one letter")]
    Marks,
    /// It mixes scripts that look alike.
    #[error("a name does not mix scripts such as Latin and Cyrillic")]
    MixedScripts,
    /// It has a character that is invisible where it stands.
    #[error("a name has no invisible characters")]
    NotClean,
}
