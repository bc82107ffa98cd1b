//! Times and sizes of the UDP transport, each with its reason.

use std::time::Duration;

use chat_proto::limits::DATAGRAM_BYTES_MAX;

/// How long a cookie proves an address: the slowest path and a few lost datagrams, not more.
pub(crate) const COOKIE_LIFE: Duration = Duration::from_secs(15);

/// How long a number that was sent to a plain peer proves its address, in two halves: the number changes
/// after each, and the one before is still good. So a person has two minutes at least to type it.
pub(crate) const NUMBER_LIFE_HALF: Duration = Duration::from_secs(120);

/// Answers that an address gets per [`LEASE`] before it has proven itself. A person who has overlooked the
/// first one sees another; two machines that answer each other fall silent.
pub(crate) const ANSWERS_PER_LEASE: u8 = 3;

/// Numbers that an address may try per [`LEASE`]. Whoever forges it hits one of two good ones among 900,000.
pub(crate) const GUESSES_PER_LEASE: u8 = 3;

/// Addresses that have not proven themselves and are remembered, in a table of 200 KiB.
pub(crate) const STRANGERS_MAX: usize = 4096;

/// How long a peer stays a member without a word from him. Three keep-alives may be lost.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// Silence of the server after which a client asks whether it is there. Short enough for the
/// mappings of home routers (Linux forgets a one-way flow after 30 s), and no shorter than RFC 8085
/// (section 3.5) allows.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How long a client waits for an answer before it takes the server for gone.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a hello is repeated: RFC 8085, section 3.1.1, for a path that is not known yet.
pub(crate) const HELLO_INTERVAL: Duration = Duration::from_secs(1);

/// How long a welcomed peer may take to show that he heard it.
pub(crate) const OPENING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a session that has ended is remembered, to tell a peer who did not hear of it, and to
/// know a late copy of his hello, which is good for [`COOKIE_LIFE`].
pub(crate) const GONE_LINGER: Duration = Duration::from_secs(30);

/// Ended sessions that are remembered; the oldest are forgotten first.
pub(crate) const GONE_MAX: usize = 1024;

/// How often a goodbye is sent to who does not answer it.
pub(crate) const BYE_TRIES: u32 = 3;

/// Retransmission timeout before the first measurement (RFC 6298, section 2.1).
pub(crate) const RTO_INITIAL: Duration = Duration::from_secs(1);

/// Where doubling the timeout ends, unless the path itself is slower. Low enough for several tries
/// within [`ANSWER_TIMEOUT`] and many within [`LEASE`], which is what ends the sending for good.
pub(crate) const RTO_BACKED_OFF_MAX: Duration = Duration::from_secs(2);

/// Least room for the variation of the round-trip time: the timers of common systems.
pub(crate) const RTO_VARIATION_MIN: Duration = Duration::from_millis(10);

/// How long an acknowledgement may wait for a second datagram (RFC 9000, section 13.2.1).
pub(crate) const ACK_DELAY: Duration = Duration::from_millis(25);

/// Datagrams with entries after which an acknowledgement does not wait.
pub(crate) const ACK_EVERY: u32 = 2;

/// The same while nothing is lost: an acknowledgement costs the server as much as a datagram with entries.
pub(crate) const ACK_EVERY_STEADY: u32 = 8;

/// Datagrams in order after which a path counts as steady: after a loss the server's window has grown past
/// [`ACK_EVERY_STEADY`] again by then.
pub(crate) const STEADY_AFTER: u32 = 64;

/// How long entries that overtook others are waited for before the gap counts as a loss.
pub(crate) const REORDER_DELAY_MIN: Duration = Duration::from_millis(5);

/// The congestion window at the start of a path: ten datagrams (RFC 6928).
pub(crate) const WINDOW_BYTES_INITIAL: usize = 10 * DATAGRAM_BYTES_MAX;

/// The least that losses shrink it to: two datagrams, so that the second one makes the first one
/// acknowledged.
pub(crate) const WINDOW_BYTES_MIN: usize = 2 * DATAGRAM_BYTES_MAX;

/// The most it grows to: what a member may have to hold when the first datagram of it is lost.
pub(crate) const WINDOW_BYTES_MAX: usize = 128 * 1024;

/// Bytes of texts that a client keeps for entries which came too early. A whole window of the
/// largest kind, with what a hostile server might add.
pub(crate) const HELD_BYTES_MAX: usize = 2 * WINDOW_BYTES_MAX;

/// Frames that wait for a client's user; then it takes no more entries.
pub(crate) const FRAMES_MAX: usize = 1024;

/// Messages that a client session keeps until the server has taken them.
pub(crate) const SAYS_MAX: usize = 1024;

/// Answers to peers without a session that wait to be sent. More of them are not answered.
pub(crate) const OUTBOX_DATAGRAMS_MAX: usize = 1024;

/// Datagrams received by one call, where the system has one for that. More would save little more.
pub(crate) const RECEIVED_AT_ONCE: usize = 32;

/// Datagrams that may wait in the socket, and more: [`SOCKET_BUFFER_BYTES`], of which Linux grants twice as
/// much and counts at least 768 bytes for each. Once so many were received, all that had been there is among them.
pub(crate) const SOCKET_DATAGRAMS_MAX: usize = 16 * 1024;

/// Peers that are taken at once from what ICMP messages say. The others wait in the system.
pub(crate) const UNREACHABLE_MAX: usize = 1024;

/// How often a datagram is tried again that was not sent because of an ICMP message about another one.
pub(crate) const SEND_TRIES_MAX: u32 = 8;

/// Datagrams received before those that wait are sent, so that a flood cannot outrun the log.
pub(crate) const RECEIVED_PER_FANOUT: usize = 128;

/// Datagrams received in one turn; then timers and the room have theirs.
pub(crate) const RECEIVED_PER_TURN: usize = 8 * RECEIVED_PER_FANOUT;

/// Datagrams sent before others are received.
pub(crate) const SENT_PER_FANOUT: usize = 16 * 1024;

/// Datagrams handed to the system at once, where it takes several: enough that the call itself no longer
/// counts, and little to hold back when it takes none.
pub(crate) const BATCH_DATAGRAMS: usize = 64;

/// Room for the longest datagram there is. A plain one is cut to what is taken of it here and not by the
/// system, which on Windows would make it an error.
pub(crate) const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;

/// Errors in a row for which a receiving socket is given up. Single ones concern a peer (an ICMP
/// message about something that was sent to him).
pub(crate) const RECEIVE_ERRORS_MAX: usize = 10_000;

/// Bytes that the system may hold for a socket each way, as far as it grants them: a burst of
/// acknowledgements of 10,000 members.
pub(crate) const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// How long leaving at once may take. What the server has not confirmed by then is not waited for.
pub(crate) const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a user who has had no room for events is tried again.
pub(crate) const EVENTS_RETRY: Duration = Duration::from_millis(20);
