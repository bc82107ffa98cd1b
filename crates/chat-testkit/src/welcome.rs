//! The welcome of a server, for tests that play the server.

use std::net::SocketAddr;

use chat_proto::{MemberId, Session, Text, VERSION, Welcome};

/// The welcome for the first and only member of a room without messages.
///
/// ```
/// let welcome = chat_testkit::welcome("127.0.0.1:5".parse()?);
/// assert_eq!((welcome.head, welcome.members, welcome.taken), (0, 1, Some(0)));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[must_use]
pub fn welcome(you: SocketAddr) -> Welcome {
    Welcome {
        version: VERSION,
        capabilities: 0,
        epoch: 1,
        session: Session { member: MemberId::new(1), since: 0, key: 2 },
        resumed: false,
        taken: Some(0),
        you: you.into(),
        address: Text::one_line(&you.to_string()).unwrap_or_default(),
        room: None,
        name: None,
        topic: None,
        head: 0,
        began_unix_ms: 0,
        members: 1,
    }
}
