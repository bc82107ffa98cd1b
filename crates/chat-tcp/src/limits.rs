//! Times and sizes of the TCP transport, each with its reason. `chat-stream` has those of a connection.

use std::time::Duration;

/// How long the system waits for a peer to acknowledge, or to take more. It begins to count when the peer's window
/// is full, before our own buffer is. Longer than the endpoint's own timeout of 60 s, so that we close an unread
/// connection ourselves, and can say why.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) const USER_TIMEOUT: Duration = Duration::from_secs(120);

/// How long to stop accepting when the system has no descriptor left.
pub(crate) const ACCEPT_BACKOFF: Duration = Duration::from_millis(250);

/// How often a warning says that connections cannot be accepted.
pub(crate) const ACCEPT_WARNING_PERIOD: Duration = Duration::from_secs(60);

/// Events that are taken from the system in one turn.
pub(crate) const EVENTS_PER_TURN: usize = 1024;

/// Connections accepted in one turn.
pub(crate) const ACCEPTS_PER_TURN: usize = 256;

/// Connections on their way from the accepting thread to another one.
pub(crate) const DEALT_MAX: usize = 1024;

/// Connections that the system may hold for us until we accept them. A connection without a place tries again only
/// after a second, so there must be enough for a crowd; Linux itself allows no more by default.
pub(crate) const LISTEN_BACKLOG: i32 = 4096;

/// Silence after which the system probes whether the peer is still there, and the pause between
/// two probes.
pub(crate) const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(15));

/// How long the handshake of a client's layer may take.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that the client reads at a time.
pub(crate) const READ_BYTES: usize = 64 * 1024;

/// Bytes that wait to be written before the client takes no more commands.
pub(crate) const OUTBOX_BYTES_MAX: usize = 4 * 1024;

/// How long a server may take to accept a connection.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a server may take to answer the preface, and to send its welcome.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes that are kept of the answer of a server that is not framed.
pub(crate) const SAID_BYTES_MAX: usize = 1024;

/// How long a plain client waits at its end for silence ([`LAST_WORDS`](chat_core::limits::LAST_WORDS)) while others
/// talk all the time.
pub(crate) const LAST_WORDS_MAX: Duration = Duration::from_secs(5);

/// Consecutive reads, after which the client's own messages get their turn: a server may send more than
/// the user can take.
pub(crate) const READS_PER_TURN: usize = 4;

/// The longest header: the addresses of version 2, and what proxies add to them. `HAProxy`'s own takes at most 536
/// bytes.
pub(crate) const HEADER_BYTES_MAX: usize = 2048;

/// The longest header of version 1, its line break included (section 2.1).
pub(crate) const HEADER_LINE_BYTES_MAX: usize = 107;

/// How often to try a directory that another server has locked: for a second.
#[cfg(all(unix, feature = "unix"))]
pub(crate) const LOCK_TRIES_MAX: u32 = 100;

/// The pause before it is tried again.
#[cfg(all(unix, feature = "unix"))]
pub(crate) const LOCK_PAUSE: Duration = Duration::from_millis(10);
