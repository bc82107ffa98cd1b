//! Who says something, as people see it between the brackets.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Name, PeerAddr};

/// Who speaks: a remote peer, the room itself, or a named local member in the room's own process.
///
/// `Display` is the part between the brackets of a [`Line`](crate::Line), and `FromStr` its
/// inverse. No peer can speak as one of the other two: addresses, `*` and names have no spelling
/// in common, and a peer's author is the address his bytes came from.
///
/// ```
/// use chat_proto::Author;
///
/// assert_eq!("*".parse(), Ok(Author::Room));
/// assert_eq!("bot".parse::<Author>()?.to_string(), "bot");
/// assert_eq!("127.0.0.1:5".parse::<Author>()?.to_string(), "127.0.0.1:5");
/// # Ok::<(), chat_proto::AuthorError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Author {
    /// A remote member, shown as his address: `127.0.0.1:57814`.
    Peer(PeerAddr),
    /// The room, in its notices: `*`.
    Room,
    /// A named local member in the room's own process: `bot`.
    Named(Name),
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Author::Peer(addr) => addr.fmt(f),
            Author::Room => f.pad("*"),
            Author::Named(name) => name.fmt(f),
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
        if let Ok(name) = s.parse() {
            return Ok(Author::Named(name));
        }
        s.parse().map(Author::Peer).map_err(|_| AuthorError)
    }
}

impl From<PeerAddr> for Author {
    fn from(addr: PeerAddr) -> Author {
        Author::Peer(addr)
    }
}

impl From<Name> for Author {
    fn from(name: Name) -> Author {
        Author::Named(name)
    }
}

/// A string that is neither an address with a port, nor `*`, nor a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an author is an address with a port, '*' or a name")]
pub struct AuthorError;
