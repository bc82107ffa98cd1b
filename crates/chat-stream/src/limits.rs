//! Times and sizes of an endpoint, each with its reason.

use std::time::Duration;

/// How long a new connection may be silent before it counts as a plain listener, and becomes a member. A framed client
/// sends its preface with the first packet, so this covers the spread of a slow path.
pub(crate) const OPENING_GRACE: Duration = Duration::from_millis(200);

/// How long a new connection may take to become a member: until the handshake of its stream (TLS, say) and its hello or
/// first line are complete.
pub(crate) const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a frame may stay unfinished. Stops slow-loris peers. A silent listener is not affected.
/// This is also the longest pause within a plain peer's line; after it, the bytes so far are a message.
pub(crate) const UNFINISHED_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a peer may take none of its pending output before it is closed. Less than the system's own timeout, so
/// that we close the connection ourselves, and can say why.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a connection that was told goodbye may take to close its side. Closing first would turn
/// unread input into a reset, which can destroy the last lines on their way.
pub(crate) const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the last answer to a browser may take, however slowly it reads.
#[cfg(feature = "web")]
pub(crate) const FAREWELL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a member that has given the command to leave may take to be written what it is owed.
pub(crate) const QUITTING_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a plain peer that has ended its side after it spoke waits for an answer. If nobody says anything meanwhile
/// it leaves, or a program like `nc -N`, which waits for our end, would never end.
pub(crate) const HALF_CLOSED_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of the unfinished lines of all plain peers of an I/O thread together: 64 lines of the greatest
/// length. Above that, a peer is closed if its own line takes more than [`LINE_BYTES_FREE`] and goes on.
pub(crate) const UNFINISHED_LINES_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of an unfinished line that a plain peer may always hold, whatever the others hold: more than anybody types.
pub(crate) const LINE_BYTES_FREE: usize = 1024;

/// The longest head of an HTTP request. Browsers send about 1 KiB, and cookies of other servers on the same host more.
#[cfg(feature = "web")]
pub(crate) const HTTP_HEAD_BYTES_MAX: usize = 8 * 1024;

/// How long after a request a silent connection from the same address is one that the browser has opened in reserve,
/// and not a listener. Browsers open them together with the first request.
#[cfg(feature = "web")]
pub(crate) const SPARE_WITHIN: Duration = Duration::from_secs(2);

/// Requests that are remembered for that.
#[cfg(feature = "web")]
pub(crate) const ASKED_MAX: usize = 256;

/// The longest message over WebSocket: the longest text with every character escaped, and everything around it.
#[cfg(feature = "web")]
pub(crate) const WEBSOCKET_MESSAGE_BYTES_MAX: usize = 8 * 1024;

/// Bytes read from one peer in one turn; then the others have their share.
pub(crate) const READ_BYTES_PER_TURN: usize = 64 * 1024;

/// Bytes that messages said in one turn may take in the log,
/// [`ENTRY_OVERHEAD_BYTES`](chat_core::limits::ENTRY_OVERHEAD_BYTES) for each included, before the members are served;
/// a quarter of the log if that is less. So a turn cannot outrun the log, however many short lines one read holds.
pub(crate) const HEARD_BYTES_PER_FANOUT: usize = 256 * 1024;

/// Connections that are not members (yet, or any longer), beyond as many as the room may have members.
pub(crate) const BEYOND_MEMBERS_MAX: usize = 1024;

/// Bytes for one member alone (answers to what it asks, telnet refusals) that may wait to be written
/// before nothing more is read from it.
pub(crate) const OUTBOX_BYTES_MAX: usize = 4 * 1024;

/// Entries that the list of newcomers keeps of peers that are not newcomers any longer: so few are not worth tidying
/// up.
pub(crate) const STALE_MAX: usize = 64;
