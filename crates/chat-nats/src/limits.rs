//! Times and sizes of a cluster, each with its reason.

use std::time::Duration;

// A room, and its stream.

/// Jobs that may wait for the task of a room. With the longest texts about 36 MiB.
pub(crate) const JOBS_MAX: usize = 32_768;

/// Messages that are taken over from the queue before some have come back.
pub(crate) const PENDING_MAX: usize = 8_192;

/// Jobs, or answers of the stream, that a room's task takes before it looks for other things.
pub(crate) const TURN_MAX: usize = 512;

/// After this many messages at once, the next ones wait a moment. A talk, or a thousand messages per second, comes in
/// ones and twos.
pub(crate) const MANY_AT_ONCE: usize = 8;

/// How long they wait. A server that writes to each member less often can pass on a tenth more; nobody sees a
/// millisecond.
pub(crate) const PAUSE_AFTER_MANY: Duration = Duration::from_millis(1);

/// How often a room's task looks whether something is late.
pub(crate) const ROOM_TICK: Duration = Duration::from_millis(200);

/// A publish that was not answered for this long may be lost.
pub(crate) const PUBLISH_ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the stream may take to say what its last message is.
pub(crate) const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// Members are told that messages are on hold when the stream has not answered for this long.
pub(crate) const TELL_AFTER: Duration = Duration::from_secs(2);

/// While the stream does not answer, another NATS server is tried as often as this.
pub(crate) const RECONNECT_EVERY: Duration = Duration::from_secs(4);

/// How long the publishes of one turn may wait for the connection.
pub(crate) const PUBLISH_TIMEOUT: Duration = Duration::from_millis(100);

/// Pages of a room that are read at once.
pub(crate) const READS_MAX: usize = 16;

/// How often names of sessions that left long ago are given up.
pub(crate) const RESERVATIONS_EVERY: Duration = Duration::from_secs(10);

/// How long a room's task goes on after its room is gone, for messages that have not come back.
pub(crate) const GRACE: Duration = Duration::from_secs(30);

/// Messages that were published and not answered, at most. More would only wait at the stream instead of here.
pub(crate) const IN_FLIGHT_MAX: usize = 4_096;

/// Members of one server in one room get their ids from a block of this many. No other server, and no later start of
/// this one, has the same block.
pub(crate) const IDS_PER_BLOCK: u64 = 1 << 32;

/// Old messages that a room takes over, at most. More would only delay its start.
pub(crate) const NEWEST_MAX: u64 = 20_000;

/// The largest message of a room with its author, as JSON.
pub(crate) const MESSAGE_BYTES_MAX: i32 = 16 * 1024;

/// Messages of one answer to a question for old messages.
pub(crate) const PAGE_MESSAGES: u64 = 1_024;

/// Bytes of it.
pub(crate) const PAGE_BYTES: u64 = 512 * 1024;

/// How long it may take.
pub(crate) const PAGE_TIMEOUT: Duration = Duration::from_secs(2);

/// Messages that one question with a filter looks through.
pub(crate) const SEARCHED_MAX: u64 = 20_000;

// A reader of a stream.

/// How often a consumer without messages says that it is there.
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(500);

/// A consumer that was not heard for this long is given up.
pub(crate) const SILENCE: Duration = Duration::from_millis(1_600);

/// How long making a consumer may take.
pub(crate) const CREATE_TIMEOUT: Duration = Duration::from_secs(1);

/// The pause after a consumer could not be made.
pub(crate) const CREATE_RETRY: Duration = Duration::from_millis(200);

/// How long the consumers that were given up remain at the NATS server.
pub(crate) const LEFT_BEHIND: Duration = Duration::from_secs(10);

/// Messages that are passed on at a time, at most.
pub(crate) const BATCH_MAX: usize = 512;

/// Batches that wait to be taken.
pub(crate) const BATCHES_MAX: usize = 8;

// The connection, and opening rooms.

/// How long a stream remembers which messages it has: much longer than a publish can be on its way.
pub(crate) const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// How long the start may take: a NATS cluster that starts at the same time needs some seconds to choose its leaders.
pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(15);

/// How long opening a room may take.
pub(crate) const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// The pause after something has failed at the start.
pub(crate) const START_RETRY: Duration = Duration::from_millis(300);

/// How long JetStream may take to answer a request.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a connection that has nothing to carry is tried. Two lost answers end it.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(2);

/// The longest pause before another attempt to connect.
pub(crate) const RECONNECT_PAUSE_MAX: Duration = Duration::from_millis(500);

/// Rooms that wait to be opened, and other things to do.
pub(crate) const TASKS_MAX: usize = 64;

// What servers have in common.

/// Changes that wait to be stored.
pub(crate) const CHANGES_MAX: usize = 1_024;

/// How often storing something is tried, and the pause between.
pub(crate) const STORE_TRIES: (usize, Duration) = (10, Duration::from_secs(1));

/// How long the bucket remembers what was deleted, so that a server that was cut off learns it.
pub(crate) const DELETION_REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a mute lasts at most. Without an end, the bucket would keep each for ever.
pub(crate) const MUTED_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The longest time that a value can last before it vanishes by itself.
pub(crate) const LASTS_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How often the list of bans is looked at without a change: for changes that could not be stored or held.
pub(crate) const BANS_TICK: Duration = Duration::from_secs(5);

/// How long the bucket remembers that a ban was lifted, so that a server that was not there learns it.
pub(crate) const LIFTED_REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Claims of names that are on their way at once. The others wait.
pub(crate) const CLAIMS_AT_ONCE: usize = 64;

/// The pause before another attempt at a claim, after the bucket did not answer.
pub(crate) const CLAIM_RETRY: Duration = Duration::from_millis(250);

/// Attempts to take over a name before the result is looked at.
pub(crate) const CLAIM_TRIES: usize = 3;

/// How many names of servers that are long gone are deleted at a time.
pub(crate) const DELETED_MAX: usize = 100;

/// The pause between two such deletions.
pub(crate) const DELETES_PAUSE: Duration = Duration::from_secs(1);

/// Names of other servers that are known. Beyond them, only the bucket knows.
pub(crate) const HELD_MAX: usize = 200_000;

// What servers tell each other.

/// How often a server says that it is there.
pub(crate) const SERVER_BEAT: Duration = Duration::from_secs(1);

/// How long a server that stops tries to say so. Without that message, the others regard it as gone after a while.
pub(crate) const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// A server that was not heard for this many beats is gone. Only beats count during which NATS was there to pass it on.
pub(crate) const GONE_AFTER: u64 = 15;

/// The values that a server has stored are deleted when it was gone for this many beats.
pub(crate) const FORGOTTEN_AFTER: u64 = 600;

/// Servers that are known. A cluster has a few; each start of one counts as another.
pub(crate) const SERVERS_MAX: usize = 10_000;

/// The pause before another attempt to subscribe to what servers say.
pub(crate) const SUBSCRIBE_RETRY: Duration = Duration::from_millis(200);

/// How often a server says how many changes of its members there were.
pub(crate) const MEMBERS_BEAT: Duration = Duration::from_secs(2);

/// Members of other servers that are known in one room. Beyond them, more are not listed.
pub(crate) const MEMBERS_MAX: usize = 100_000;

/// A server that has not said anything about a room in this many looks (20 s) has nobody there. It beats every two
/// seconds.
pub(crate) const SILENT_LOOKS: u64 = 100;

/// Members in one part of a whole: about 30 KiB.
pub(crate) const PART_MAX: usize = 200;

/// Private messages of one room that have no answer yet. More are not sent.
pub(crate) const WAITING_MAX: usize = 1_024;

/// How long an answer to a private message may take.
pub(crate) const PRIVATE_TIMEOUT: Duration = Duration::from_secs(5);

/// Servers of which the number of the newest message is remembered.
pub(crate) const SENDERS_MAX: usize = 10_000;
