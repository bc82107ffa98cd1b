//! Times and sizes of the room and of its clients, each with its reason. What a room's owner can choose is in
//! [`RoomConfig`](crate::RoomConfig), and what the protocol limits is in [`chat_proto::limits`].

use std::time::Duration;

use chat_proto::limits::{AUTHOR_BYTES_MAX, DIRECT_ITEMS_MAX, TAG_BYTES_MAX};

// ---- The log and the journal --------------------------------------------------------------------

/// About what an entry of a log takes besides its text: the allocation, its counters and its place in the queue.
pub const ENTRY_OVERHEAD_BYTES: usize = 160;

/// Most bytes of entries in one [`Page`](crate::journal::Page).
pub const PAGE_BYTES_MAX: usize = 64 * 1024;

/// Ids of members that are set aside at a time: more than join while one record is kept.
pub const IDS_SET_ASIDE: u64 = 65_536;

/// Messages of one room that may wait for its journal before speakers are paused: they come back together, and must not
/// push each other out of the log before anyone has read them.
pub(crate) const WAITING_MAX: usize = 4_096;

/// Bytes of the log for each message that waits for the journal.
pub(crate) const LOG_BYTES_PER_WAITING: usize = 1_024;

/// How long a speaker waits when [`WAITING_MAX`] messages wait for the journal. With each further quarter it is four
/// times as long.
pub(crate) const JOURNAL_PAUSE: Duration = Duration::from_millis(1);

/// The longest that a speaker waits for the journal.
pub(crate) const JOURNAL_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Pages of old messages that one thread reads at once in a room.
pub(crate) const PAGES_ASKED_MAX: usize = 4;

/// How long a member waits after a question that may have the whole log searched, while the room is locked.
pub(crate) const SEARCH_PAUSE: Duration = Duration::from_millis(100);

// ---- Members and their sessions -----------------------------------------------------------------

/// Rooms that one server may have at once.
pub const ROOMS_MAX: usize = 1_000;

/// Sessions whose progress the room remembers. For an older session it searches the log.
///
/// As many as there may be members by default, so that all of them may come back after a broken network.
pub const SESSIONS_REMEMBERED_MAX: usize = 10_000;

/// Items of direct lanes that all remembered sessions together keep. More are forgotten.
pub(crate) const UNREAD_ITEMS_MAX: usize = 16 * 1024;

/// If the transport has this many items still to pull, their member must wait before it says more.
pub(crate) const UNPULLED_MAX: u64 = DIRECT_ITEMS_MAX as u64 / 2;

/// Most that an [`Observer`](crate::Observer) hears at once: under one hold of the room's lock.
pub const HEARD_AT_ONCE_MAX: usize = 64;

/// Members that one member can ignore at a time.
pub const IGNORED_MAX: usize = 64;

/// How long a name stays reserved for a session whose member has left.
pub(crate) const NAME_RESERVED_MS: u64 = 10 * 60 * 1000;

/// How many other names are tried for a suggestion.
pub(crate) const SUGGESTIONS_TRIED_MAX: u64 = 99;

/// How long joins and leaves are counted before a summary announces them.
pub(crate) const SUMMARY_INTERVAL: Duration = Duration::from_secs(1);

/// How long a speaker waits while some transport has still to pull more than half of the log, or many items of the
/// speaker's direct lane.
pub(crate) const CROWDED_PAUSE: Duration = Duration::from_millis(1);

/// Messages whose authors are remembered. A member that has fallen further behind has the older ones counted among
/// those that it missed.
pub(crate) const SAID_BY_MAX: usize = 65_536;

/// Changes at other servers that are taken in under one hold of the room's lock. A server that starts may learn of
/// 100,000 members.
pub(crate) const ELSEWHERE_TURN_MAX: usize = 256;

// ---- Access -------------------------------------------------------------------------------------

/// Bans at once. Each costs about 200 bytes.
pub const BANS_MAX: usize = 10_000;

/// Mutes in force at once, on one server.
pub const MUTES_MAX: usize = 1_000;

/// Attempts at the operators' password from one address in [`PASSWORD_WINDOW_MS`].
pub(crate) const PASSWORD_ATTEMPTS_MAX: u32 = 3;

/// The time in which attempts are counted together.
pub(crate) const PASSWORD_WINDOW_MS: u64 = 60_000;

/// Addresses whose attempts are counted. While the table is full, a further address gets no attempt.
pub(crate) const PASSWORD_ADDRESSES_MAX: usize = 1_000;

/// The longest proof of an identity: with a tag it is still an author.
pub const PROOF_BYTES_MAX: usize = AUTHOR_BYTES_MAX - TAG_BYTES_MAX - "/".len();

// ---- Answers to commands ------------------------------------------------------------------------

/// Most lines in the answer to one command; the last line counts the omitted ones.
pub const ANSWER_LINES_MAX: usize = 40;

/// Members that `/who` lists.
pub(crate) const WHO_NAMES_MAX: usize = 30;

/// Messages that an answer to `/history` shows, unless the member asks for fewer.
pub(crate) const HISTORY_SHOWN: usize = 20;

/// Most messages in one such answer. Together with the lines around them they fit into a direct lane.
pub(crate) const HISTORY_SHOWN_MAX: usize = 40;

/// Most bytes of texts in one such answer: half of what a direct lane holds.
pub(crate) const HISTORY_SHOWN_BYTES_MAX: usize = 4 * 1024;

// ---- The end ------------------------------------------------------------------------------------

/// The longest time that members get to read their pending output; an `Instant` has a maximum.
pub(crate) const GRACE_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long members may take to read their pending output after a transport has failed.
pub(crate) const GRACE_AFTER_FAILURE: Duration = Duration::from_secs(5);

// ---- Clients ------------------------------------------------------------------------------------

/// Events that may wait for the user of a client.
pub(crate) const EVENTS_MAX: usize = 1024;

/// Commands that may wait for the thread that carries a client.
pub(crate) const COMMANDS_MAX: usize = 64;

/// Most unconfirmed messages of a client. Enough to fill a fast path, few enough that a slow path causes back-pressure
/// on the user of the client.
pub const UNCONFIRMED_MAX: usize = 1024;

/// Entries that a client remembers. If more happen between two messages, a resumed client is told of some twice.
pub(crate) const SEEN_MAX: usize = 256;

/// The first pause after a server has said that it stops. If another one has taken over, that one's sockets listen
/// already.
pub(crate) const STOPPED_PAUSE: Duration = Duration::from_millis(100);

/// If a room sends the client on sooner than this after its last move, the client waits this long first. Two servers
/// could otherwise send it back and forth without end.
pub(crate) const MOVE_PAUSE: Duration = Duration::from_millis(500);

/// How long leaving at once may take. After that, the client does not wait for confirmations.
pub(crate) const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// How often to retry events for which the user had no room.
pub(crate) const EVENTS_RETRY: Duration = Duration::from_millis(20);

/// How long a client waits for one address before it tries the next one as well: the Connection Attempt Delay of
/// RFC 8305, section 5. The earlier attempts go on; the first that succeeds wins.
pub const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Most addresses of a host that are tried.
pub const ADDRESSES_MAX: usize = 16;

/// How long the server must have been silent after the last message of a plain client before that client ends: a plain
/// server does not confirm messages.
pub const LAST_WORDS: Duration = Duration::from_millis(500);
