//! Every limit of the protocol, each with its reason.
//!
//! Sizes are bytes of UTF-8 or of the wire, as the constant says. If a limit is broken, the peer is
//! to blame, and the errors of this crate say so.

use std::time::Duration;

/// Longest [`Text`](crate::Text).
///
/// With the longest prefix and a line break it stays within 1,024 bytes (checked below), the
/// receive size of many simple clients, and so also within one datagram of 1,200 bytes. A longer
/// line is split into several messages; nothing is lost.
pub const TEXT_BYTES_MAX: usize = 960;

/// Longest `[author] ` before a text.
///
/// The longest author is an IPv6 address with a scope:
/// `[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535`, which is 2 brackets, 39 for the
/// address, 11 for the scope and 6 for the port. Around it stand 2 more brackets and a space.
pub const LINE_PREFIX_BYTES_MAX: usize = (2 + 39 + 11 + 6) + 3;

/// Longest author: an address with a scope. One with a [`Tag`](crate::Tag) has no scope, and is shorter.
pub const AUTHOR_BYTES_MAX: usize = LINE_PREFIX_BYTES_MAX - "[] ".len();

/// Longest [`Tag`](crate::Tag): together with its slash it is as long as the scope that it takes the place of.
pub const TAG_BYTES_MAX: usize = "%4294967295".len() - "/".len();

/// Longest frame without the 2 bytes of its length: its kind and its fields.
///
/// It fits one message with its header (about 1,060 bytes), or a list of [`PRESENT_AUTHORS_MAX`] members with authors
/// of usual length, rounded up. It also bounds how much an unfinished frame makes the receiver hold.
pub const FRAME_BYTES_MAX: usize = 2048;

/// Most versions in one [`Hello`](crate::Hello).
///
/// No peer speaks more of them.
pub const VERSIONS_MAX: usize = 8;

/// Longest line of a plain peer before it is cleaned and split.
///
/// Enough for a generous paste. A longer line ends the connection: a peer that never sends a line break
/// does not talk to people.
pub const PLAIN_LINE_BYTES_MAX: usize = 64 * 1024;

/// Longest [`Name`](crate::Name) of a member or a room.
///
/// Shorter than an address, so that names never decide how long a prefix can be.
pub const NAME_BYTES_MAX: usize = 32;

/// Longest topic of a room. A welcome carries it, and must fit into a datagram.
pub const TOPIC_BYTES_MAX: usize = 300;

/// Longest text in [`LeaveReason::Kicked`](crate::LeaveReason::Kicked).
///
/// The reason is shown inside a notice together with an address, and the notice is one
/// [`Text`](crate::Text) itself; two lines on a terminal say enough.
pub const REASON_BYTES_MAX: usize = 200;

/// Most members listed in one [`Present`](crate::Present).
///
/// As many as a person may want to read. Fewer fit if their addresses are long.
pub const PRESENT_AUTHORS_MAX: usize = 64;

/// Most unacknowledged items in one member's direct lane.
///
/// More than a person reads at a glance. A sender to a full lane is told so.
pub const DIRECT_ITEMS_MAX: usize = 64;

/// Most bytes of texts in these items: eight messages of the longest kind.
pub const DIRECT_BYTES_MAX: usize = 8 * 1024;

/// Most messages in the answer to one [`LookBack`](crate::LookBack).
///
/// Together with the item that ends the answer they fit into an empty direct lane.
pub const LOOK_BACK_MESSAGES_MAX: u8 = 50;

/// Most bytes of texts in such an answer, unless a single message has more: half of what a direct lane holds.
pub const LOOK_BACK_BYTES_MAX: usize = DIRECT_BYTES_MAX / 2;

/// Most bytes of telnet refusals that wait to be sent.
///
/// Enough to refuse each of the 256 options in both directions, with 3 bytes each. More in one read are repetitions,
/// which are dropped.
pub const TELNET_REPLY_BYTES_MAX: usize = 2 * 256 * 3;

/// How long a plain peer must have sent nothing before the bytes it sent count as a whole message.
///
/// Longer than the gaps inside one `send` on any network where a person chats, shorter than a
/// person notices. This crate has no clock; the caller measures it and calls
/// [`PlainSplitter::quiet`](crate::PlainSplitter::quiet).
pub const QUIET: Duration = Duration::from_millis(50);

/// Longest datagram of the framed protocol, as the payload of UDP.
///
/// Passes every path of today without fragmentation: an IPv6 path must carry 1,280 bytes
/// (RFC 8200, section 5), 48 of which are headers. QUIC chose the same (RFC 9000, section 14.1).
pub const DATAGRAM_BYTES_MAX: usize = 1200;

/// The proof of an address: the time at which it was made, and a keyed hash.
pub const COOKIE_BYTES: usize = 4 + 8;

/// Shortest datagram with a hello; the rest of it is zeros.
///
/// As long as the longest answer. So no answer to an unproven address is an amplification, and a path
/// that does not carry the longest datagram shows at once.
pub const HELLO_DATAGRAM_BYTES_MIN: usize = DATAGRAM_BYTES_MAX;

/// How far entries may run ahead of the first one that a member lacks.
///
/// Bounds how much the member must hold. A thousand short messages are about 50 KiB: a window for a path of half
/// a second at 100 KiB/s.
pub const SLOTS_AHEAD_MAX: u64 = 8 * ACK_BITMAP_BYTES_MAX as u64;

/// Longest bitmap with which a member acknowledges entries beyond the first one that it lacks.
///
/// Leaves room for the longest message in the same datagram (checked below).
pub const ACK_BITMAP_BYTES_MAX: usize = 128;

/// Most messages in one datagram of a member.
///
/// Bounds how much a server holds for a member that is over its rate limit.
pub const SAYS_PER_DATAGRAM_MAX: usize = 64;

/// Longest datagram of a plain peer that is taken whole; the rest is cut off.
///
/// Enough for a paste of sixteen full messages.
pub const PLAIN_DATAGRAM_BYTES_MAX: usize = 16 * 1024;

/// Longest datagram sent to a plain peer: the receive size of simple clients.
pub const PLAIN_ANSWER_BYTES_MAX: usize = 1024;

/// Longest frame around an [`Entry`](crate::Entry), its length included: kind, numbers, time, event, origin, author,
/// text. One around a private message is no longer.
pub const ENTRY_FRAME_BYTES_MAX: usize =
    2 + 1 + 9 + 9 + 1 + 2 * 9 + (1 + AUTHOR_BYTES_MAX) + (3 + TEXT_BYTES_MAX);

const _: () = assert!(LINE_PREFIX_BYTES_MAX + TEXT_BYTES_MAX + "\r\n".len() <= 1024);
const _: () = assert!(NAME_BYTES_MAX + "[] ".len() <= LINE_PREFIX_BYTES_MAX);
const _: () = assert!(REASON_BYTES_MAX <= TEXT_BYTES_MAX);
const _: () = assert!(ENTRY_FRAME_BYTES_MAX <= 2 + FRAME_BYTES_MAX);
const _: () = assert!(FRAME_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(PLAIN_LINE_BYTES_MAX < u32::MAX as usize);

/// Most members in a room that shows each join and leave by itself. In a larger room each one would
/// cost as many deliveries as there are members.
pub const PRESENCE_MEMBERS_MAX: u32 = 50;

const _: () = {
    // Around one entry: preface, kind, session, five numbers.
    assert!(6 + 1 + 8 + 5 * 9 + ENTRY_FRAME_BYTES_MAX <= DATAGRAM_BYTES_MAX);
    // Around one old message: preface, kind, session, item before; number, item, question.
    assert!(6 + 1 + 8 + 9 + (9 + 1 + 9) + ENTRY_FRAME_BYTES_MAX <= DATAGRAM_BYTES_MAX);
    // A question: preface, kind, session, its number, message, count, author, words.
    assert!(6 + 1 + 8 + 9 + 9 + 1 + (2 + AUTHOR_BYTES_MAX) + (4 + TEXT_BYTES_MAX) <= DATAGRAM_BYTES_MAX);
    // Around one message of a member: preface, kind, session, flag, four numbers, bitmap.
    assert!(6 + 1 + 8 + 1 + 4 * 9 + 1 + ACK_BITMAP_BYTES_MAX + 3 + TEXT_BYTES_MAX <= DATAGRAM_BYTES_MAX);
};
const _: () = assert!(LINE_PREFIX_BYTES_MAX + TEXT_BYTES_MAX <= PLAIN_ANSWER_BYTES_MAX);
