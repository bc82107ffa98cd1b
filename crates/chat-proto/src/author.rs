//! The author of a message, as people see it between the brackets.

pub(crate) mod spelling;

use std::{fmt, net::SocketAddr, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Name, PeerAddr, Text,
    limits::{AUTHOR_BYTES_MAX, TAG_BYTES_MAX},
    text,
    text::clean,
};

/// The author of a message: a remote peer, the room itself, or a named local member in the room's own process.
///
/// `Display` is the part between the brackets of a [`Line`](crate::Line), and `FromStr` its inverse. No two members
/// that are present at the same time are shown alike. But an author is only for people to see:
/// [`Origin`](crate::Origin) says whose message it is.
///
/// No peer can speak as the room or as a local member: addresses, `*` and names have no spelling in common.
///
/// ```
/// use chat_proto::Author;
///
/// assert_eq!("*".parse(), Ok(Author::Room));
/// assert_eq!("bot".parse::<Author>()?.to_string(), "bot");
/// assert_eq!("127.0.0.1:5".parse::<Author>()?.to_string(), "127.0.0.1:5");
/// assert_eq!("127.0.0.1:5/udp".parse::<Author>()?.to_string(), "127.0.0.1:5/udp");
/// # Ok::<(), chat_proto::AuthorError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Author {
    /// A remote member, shown as its address: `127.0.0.1:57814`.
    Peer(PeerAddr),
    /// A remote member that shares its address with another one: `127.0.0.1:57814/udp`.
    Tagged {
        /// The address, without the scope of an IPv6 address.
        address: PeerAddr,
        /// The tag that distinguishes the two.
        tag: Tag,
    },
    /// The room, in its notices: `*`.
    Room,
    /// A named local member in the room's own process: `bot`.
    Named(Name),
    /// The identity of a member without a name that the system or a certificate proves, `uid:1000`; or an author of a
    /// later version of the protocol, cleaned. Never spelled like one of the others.
    Other(Text),
}

impl Author {
    /// A remote member at `address` with `tag` behind it. The scope of an IPv6 address is left out, so that the
    /// author is no longer than one without a tag.
    #[must_use]
    pub fn tagged(address: PeerAddr, tag: Tag) -> Author {
        Author::Tagged { address: address.without_scope(), tag }
    }

    /// The author that is shown like this. A string in none of the known forms is cleaned and cut to
    /// [`AUTHOR_BYTES_MAX`], and kept as text.
    #[must_use]
    pub fn from_shown(shown: &str) -> Author {
        shown.parse().unwrap_or_else(|AuthorError| {
            let clean = clean::clean(shown);
            let front = Text::one_line(text::front(&clean, AUTHOR_BYTES_MAX)).unwrap_or_default();
            front.as_str().parse().unwrap_or(Author::Other(front))
        })
    }

    /// Reads an author that was written down: as [`FromStr`], and also one that a transport has proven, such as
    /// `uid:1000`. `None` for anything else.
    #[must_use]
    pub fn from_record(shown: &str) -> Option<Author> {
        // Nothing else that `FromStr` does not know has a colon.
        let is_whole = |author: &Author| shown.contains(':') && author.to_string() == shown;
        shown.parse().ok().or_else(|| Some(Author::from_shown(shown)).filter(is_whole))
    }

    /// The address that is shown, if one is.
    #[must_use]
    pub fn address(&self) -> Option<PeerAddr> {
        match self {
            Author::Peer(address) | Author::Tagged { address, .. } => Some(*address),
            Author::Room | Author::Named(_) | Author::Other(_) => None,
        }
    }
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Author::Peer(address) => address.fmt(f),
            Author::Tagged { address, tag } => write!(f, "{address}/{tag}"),
            Author::Room => f.pad("*"),
            Author::Named(name) => name.fmt(f),
            Author::Other(text) => text.fmt(f),
        }
    }
}

/// Reads what `Display` writes; an address in another spelling is read as its canonical form.
impl FromStr for Author {
    type Err = AuthorError;

    fn from_str(s: &str) -> Result<Author, AuthorError> {
        if s == "*" {
            return Ok(Author::Room);
        }
        // No name begins like an address.
        let is_address = s.starts_with(|c: char| c.is_ascii_digit() || c == '[');
        if !is_address && let Ok(name) = s.parse() {
            return Ok(Author::Named(name));
        }
        if let Some((address, tag)) = s.split_once('/') {
            let address = address.parse().map_err(|_| AuthorError)?;
            return Ok(Author::tagged(address, tag.parse()?));
        }
        s.parse().map(Author::Peer).map_err(|_| AuthorError)
    }
}

impl From<PeerAddr> for Author {
    fn from(addr: PeerAddr) -> Author {
        Author::Peer(addr)
    }
}

impl From<SocketAddr> for Author {
    fn from(addr: SocketAddr) -> Author {
        Author::Peer(addr.into())
    }
}

impl From<Name> for Author {
    fn from(name: Name) -> Author {
        Author::Named(name)
    }
}

impl Serialize for Author {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Keeps an unknown author, like [`Author::from_shown`].
impl<'de> Deserialize<'de> for Author {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Author, D::Error> {
        text::deserialize_str(deserializer, |s| Ok(Author::from_shown(s)))
    }
}

/// Distinguishes two members with one address: the tag of a transport and, if that is taken, too, a number.
///
/// ```
/// use chat_proto::Tag;
///
/// assert_eq!(Tag::new("udp", 1)?.to_string(), "udp");
/// assert_eq!(Tag::new("udp", 2)?.to_string(), "udp-2");
/// # Ok::<(), chat_proto::AuthorError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

impl Tag {
    /// The tag for the member number `count` of the transport that has the tag `transport`. The first one has no
    /// number.
    ///
    /// # Errors
    ///
    /// [`AuthorError`] if it is longer than [`TAG_BYTES_MAX`], or `transport` has anything but lower-case ASCII
    /// letters.
    pub fn new(transport: &str, count: u32) -> Result<Tag, AuthorError> {
        if count == 1 { transport.parse() } else { format!("{transport}-{count}").parse() }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Tag {
    type Err = AuthorError;

    fn from_str(s: &str) -> Result<Tag, AuthorError> {
        let (transport, number) = s.split_once('-').unwrap_or((s, "1"));
        let is_transport = !transport.is_empty() && transport.bytes().all(|byte| byte.is_ascii_lowercase());
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if is_transport && is_number && s.len() <= TAG_BYTES_MAX {
            Ok(Tag(s.into()))
        } else {
            Err(AuthorError)
        }
    }
}

/// A string that is neither an address with a port, nor `*`, nor a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an author is an address with a port, '*' or a name")]
pub struct AuthorError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_author_is_kept_as_clean_text() {
        assert_eq!(Author::from_shown("ann@home").to_string(), "ann@home");
        assert_eq!(Author::from_shown("a\nb").to_string(), "a\u{240a}b");
        assert_eq!(Author::from_shown(""), Author::Other(Text::default()));
        let long = Author::from_shown(&"x:".repeat(5_000));
        assert_eq!(long.to_string().len(), AUTHOR_BYTES_MAX);
    }

    #[test]
    fn a_proven_author_that_was_written_down_is_read() {
        for shown in
            ["*", "ann", "127.0.0.1:5", "[::1]:5/udp", "uid:1000", "uid:1000/unix-2", "cert:ann@home"]
        {
            assert_eq!(Author::from_record(shown).map(|author| author.to_string()).as_deref(), Some(shown));
        }
        for shown in ["", "ann at home", "ann@home", "uid:\u{1}"] {
            assert_eq!(Author::from_record(shown), None, "{shown}");
        }
    }

    #[test]
    fn known_authors_keep_their_kind() {
        for shown in ["*", "bot", "127.0.0.1:5", "[fe80::1%3]:5", "[::1]:5/udp", "127.0.0.1:5/tcp-12"] {
            let author = Author::from_shown(shown);
            assert!(!matches!(author, Author::Other(_)), "{shown}");
            assert_eq!(author.to_string(), shown);
        }
        assert_eq!(Author::from_shown("[fe80::1%3]:5/udp").to_string(), "[fe80::1]:5/udp");
    }

    #[test]
    fn a_tag_is_a_word_and_a_number() {
        for tag in ["", "-2", "udp-", "udp-x", "UDP", "udp 2", "udp/2", "abcdefghijk"] {
            assert!(tag.parse::<Tag>().is_err(), "{tag}");
        }
        assert!(Tag::new("udp", 99_999).is_ok());
    }

    #[test]
    fn the_longest_authors_fit() {
        let address: PeerAddr = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535".parse().unwrap();
        assert_eq!(address.to_string().len(), AUTHOR_BYTES_MAX);
        let tag = Tag("x".repeat(TAG_BYTES_MAX).into());
        assert!(Author::tagged(address, tag).to_string().len() <= AUTHOR_BYTES_MAX);
    }
}
