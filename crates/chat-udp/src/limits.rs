//! Times and sizes of the UDP transport, each with its reason.

use std::time::Duration;

use chat_proto::limits::DATAGRAM_BYTES_MAX;

/// How long a cookie proves an address: long enough for the slowest path and a few lost datagrams.
pub(crate) const COOKIE_LIFE: Duration = Duration::from_secs(15);

/// How long a number that was sent to a plain peer proves its address, in two halves: the number changes
/// after each half, and the previous one is still valid. So a person has at least two minutes to type it.
pub(crate) const NUMBER_LIFE_HALF: Duration = Duration::from_secs(120);

/// Answers that an address gets per [`LEASE`] before it is proven. A person who has overlooked the
/// first one sees another; two machines that answer each other fall silent.
pub(crate) const ANSWERS_PER_LEASE: u8 = 3;

/// Numbers that an address may try per [`LEASE`]. A forger must guess one of two valid ones among 900,000.
pub(crate) const GUESSES_PER_LEASE: u8 = 3;

/// Unproven addresses that are remembered, in a table of 200 KiB.
pub(crate) const UNPROVEN_MAX: usize = 4096;

/// How long a peer stays a member without a datagram from it. Three keep-alives may be lost.
pub(crate) const LEASE: Duration = Duration::from_secs(60);

/// Silence of the server after which a client asks whether it is still there. Short enough for the
/// mappings of home routers (Linux forgets a one-way flow after 30 s), and no shorter than RFC 8085
/// (section 3.5) allows.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How long a client waits for an answer before it considers the server gone.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a hello is repeated: RFC 8085, section 3.1.1, for a path that is still unknown.
pub(crate) const HELLO_INTERVAL: Duration = Duration::from_secs(1);

/// How long a peer may take to show that it has received its welcome.
pub(crate) const OPENING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an ended session is remembered, to tell a peer that did not learn of the end, and to
/// recognise a late copy of its hello, which is valid for [`COOKIE_LIFE`].
pub(crate) const GONE_LINGER: Duration = Duration::from_secs(30);

/// Ended sessions that are remembered; the oldest are forgotten first.
pub(crate) const GONE_MAX: usize = 1024;

/// How often a goodbye is sent to a peer that does not answer it.
pub(crate) const BYE_TRIES: u32 = 3;

/// Retransmission timeout before the first measurement (RFC 6298, section 2.1).
pub(crate) const RTO_INITIAL: Duration = Duration::from_secs(1);

/// Up to here the timeout doubles, unless the path itself is slower. Low enough for several tries
/// within [`ANSWER_TIMEOUT`] and many within [`LEASE`], which ends the sending for good.
pub(crate) const RTO_BACKED_OFF_MAX: Duration = Duration::from_secs(2);

/// Least allowance for the variation of the round-trip time: the granularity of common systems' timers.
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

/// How long to wait for reordered entries before a gap counts as a loss.
pub(crate) const REORDER_DELAY_MIN: Duration = Duration::from_millis(5);

/// The congestion window at the start of a path: ten datagrams (RFC 6928).
pub(crate) const WINDOW_BYTES_INITIAL: usize = 10 * DATAGRAM_BYTES_MAX;

/// The smallest congestion window after losses: two datagrams, so that the second one causes the acknowledgement
/// of the first one.
pub(crate) const WINDOW_BYTES_MIN: usize = 2 * DATAGRAM_BYTES_MAX;

/// The largest congestion window: the bytes that a member may have to hold when the first datagram is lost.
pub(crate) const WINDOW_BYTES_MAX: usize = 128 * 1024;

/// Bytes of texts that a client keeps for entries that arrived too early: a whole window of the
/// largest size, and some for what a hostile server might add.
pub(crate) const HELD_BYTES_MAX: usize = 2 * WINDOW_BYTES_MAX;

/// Frames that wait for the client's user. At this limit the client takes no more entries.
pub(crate) const FRAMES_MAX: usize = 1024;

/// Messages that a client session keeps until the server has taken them.
pub(crate) const SAYS_MAX: usize = 1024;

/// Answers that wait to be sent to peers without a session. Further such peers get no answer.
pub(crate) const OUTBOX_DATAGRAMS_MAX: usize = 1024;

/// Datagrams received by one call, where the system can do that. More would save little.
pub(crate) const RECEIVED_AT_ONCE: usize = 32;

/// At least as many datagrams as may wait in the socket: Linux grants twice [`SOCKET_BUFFER_BYTES`] and counts
/// at least 768 bytes for each datagram. So once this many were received, all that had waited are among them.
pub(crate) const SOCKET_DATAGRAMS_MAX: usize = 16 * 1024;

/// Peers that are taken from ICMP messages at once. The others wait in the system.
pub(crate) const UNREACHABLE_MAX: usize = 1024;

/// How often to try again to send a datagram that failed because of an ICMP message about another one.
pub(crate) const SEND_TRIES_MAX: u32 = 8;

/// Datagrams received before waiting ones are sent, so that a flood cannot outrun the log.
pub(crate) const RECEIVED_PER_FANOUT: usize = 128;

/// Datagrams received in one turn; then timers and the room have their share.
pub(crate) const RECEIVED_PER_TURN: usize = 8 * RECEIVED_PER_FANOUT;

/// Datagrams sent before others are received.
pub(crate) const SENT_PER_FANOUT: usize = 16 * 1024;

/// Datagrams handed to the system at once, where it takes several: enough to make the cost of the call
/// negligible, and little to hold back when it takes none.
pub(crate) const BATCH_DATAGRAMS: usize = 64;

/// Room for the longest possible datagram. We cut a plain one to its limit ourselves: if the system cut it,
/// Windows would report an error.
pub(crate) const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;

/// Consecutive errors after which a receiving socket is given up. A single error concerns a peer (an ICMP
/// message about a datagram that was sent to it).
pub(crate) const RECEIVE_ERRORS_MAX: usize = 10_000;

/// Bytes that the system may hold for a socket each way, as far as it grants them: a burst of
/// acknowledgements of 10,000 members.
pub(crate) const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// How often a client tries again to send a datagram that its socket did not take.
pub(crate) const SEND_RETRY: Duration = Duration::from_millis(20);

/// Hellos that may wait for rooms that are being opened. The peer says one that is dropped again after
/// [`HELLO_INTERVAL`].
pub(crate) const HELLOS_WAITING_MAX: usize = 256;

/// Messages of a plain client that wait for its socket.
pub(crate) const TEXTS_MAX: usize = 64;

/// How long a silent plain client waits before it makes itself known: a server over UDP knows only peers that have
/// sent it a datagram. A client with a message sends it sooner.
pub(crate) const JOIN_DELAY: Duration = Duration::from_millis(500);

/// Bytes of the log that a page of old messages is sent from: more than its entries take, with their index.
pub(crate) const PAGE_LOG_BYTES_MAX: usize = 256 * 1024;
