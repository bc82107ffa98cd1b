//! Times and sizes of the TCP transport, each with its reason.

use std::time::Duration;

/// How long a new connection may be silent before it counts as a plain listener. A framed client
/// sends its preface with the first packet, so this covers the spread of a slow path; what is said
/// meanwhile is kept.
pub(crate) const OPENING_GRACE: Duration = Duration::from_millis(200);

/// How long a frame, the hello included, may stay unfinished. Ends who holds a connection open a
/// byte at a time; a silent listener is no such peer.
pub(crate) const UNFINISHED_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a peer may take none of what he is owed before he is closed.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the system waits for a peer to acknowledge, or to take more. It begins to count when the peer's window
/// is full, before our own buffer is: longer than [`STALL_TIMEOUT`], so that it is we who end a connection that
/// nobody reads, and can say why.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) const USER_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a connection that was told goodbye may take to close its side. Closing first would turn
/// unread input into a reset, which can destroy the last lines on their way.
pub(crate) const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// How long accepting rests when the system has no descriptor left.
pub(crate) const ACCEPT_BACKOFF: Duration = Duration::from_millis(250);

/// Bytes read from one peer in one turn; then the others have theirs.
pub(crate) const READ_BYTES_PER_TURN: usize = 64 * 1024;

/// Bytes that what is said may take in the log, an [`ENTRY_BYTES`] for each message among them, before
/// the members are served; a quarter of the log if that is less. So a turn cannot outrun the log, however
/// many short lines one read holds.
pub(crate) const HEARD_BYTES_PER_FANOUT: usize = 256 * 1024;

/// What a message takes in the log besides its text, roughly.
pub(crate) const ENTRY_BYTES: usize = 160;

/// Connections accepted in one turn.
pub(crate) const ACCEPTS_PER_TURN: usize = 256;

/// Connections on their way from the accepting thread to another one.
pub(crate) const DEALT_MAX: usize = 1024;

/// Connections that are refused or leaving, beyond the members.
pub(crate) const LEAVING_MAX: usize = 1024;

/// Connections that the system may hold for us until we accept them. One that finds no place tries again after
/// a whole second, so a crowd that comes at once must find one; Linux itself allows no more by default.
pub(crate) const LISTEN_BACKLOG: i32 = 4096;

/// Silence after which the system probes whether the peer is still there, and the pause between
/// two probes.
pub(crate) const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(15));

/// Bytes for one member alone (answers to what he asks, telnet refusals) that may wait to be written
/// before nothing more is read from him.
pub(crate) const OUTBOX_BYTES_MAX: usize = 4 * 1024;
