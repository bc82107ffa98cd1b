//! Every limit of the protocol, each with its reason.
//!
//! Sizes are bytes of UTF-8 or of the wire, whichever the constant speaks of. A peer that breaks
//! one is to blame, and the errors of this crate say so.

use std::time::Duration;

/// Longest [`Text`](crate::Text).
///
/// With the longest prefix and a line break it stays within 1,024 bytes (checked below), the
/// receive size of many simple clients, and so also within one datagram of 1,200 bytes. A longer
/// line is split into several messages, nothing is lost.
pub const TEXT_BYTES_MAX: usize = 960;

/// Longest `[author] ` before a text.
///
/// The longest author is an IPv6 address with a scope:
/// `[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535`, which is 2 brackets, 39 for the
/// address, 11 for the scope and 6 for the port. Around it stand 2 more brackets and a space.
pub const LINE_PREFIX_BYTES_MAX: usize = (2 + 39 + 11 + 6) + 3;

/// Longest payload of a frame, without the 2 bytes of its length.
///
/// Room for one message with its header (about 1,040 bytes) or for a page of
/// [`PRESENT_PEERS_MAX`] addresses, rounded up. It is also what an unfinished frame may make the
/// receiver hold.
pub const FRAME_BYTES_MAX: usize = 2048;

/// Longest line of a plain peer before it is cleaned and split.
///
/// A generous paste. Beyond it the connection ends, since a peer that never sends a line break is
/// not talking to people.
pub const PLAIN_LINE_BYTES_MAX: usize = 64 * 1024;

/// Longest [`Name`](crate::Name) of an in-process seat.
///
/// Shorter than an address, so that names never decide how long a prefix can be.
pub const NAME_BYTES_MAX: usize = 32;

/// Longest text in [`LeaveReason::Kicked`](crate::LeaveReason::Kicked).
///
/// The reason is shown inside a notice together with an address, and the notice is one
/// [`Text`](crate::Text) itself; two lines on a terminal say enough.
pub const REASON_BYTES_MAX: usize = 200;

/// Most addresses in one [`Present`](crate::Present) frame.
///
/// An address takes at most 25 bytes on the wire, so that 64 of them and the header stay within
/// [`FRAME_BYTES_MAX`] (checked below). A larger room is listed in several frames.
pub const PRESENT_PEERS_MAX: usize = 64;

/// Most bytes of refused telnet options that wait to be sent.
///
/// Sixteen refusals of 3 bytes: the opening salvo of the telnet clients in use is about ten
/// options. Later ones are dropped, for a client that gets no answer treats it as a refusal.
pub const TELNET_REPLY_BYTES_MAX: usize = 48;

/// How long a plain peer must have sent nothing before what he sent is taken to be all of it.
///
/// Longer than the gaps inside one `send` on any network where a person chats, shorter than a
/// person notices. This crate has no clock; the caller measures it and calls
/// [`PlainSplitter::quiet`](crate::PlainSplitter::quiet).
pub const QUIET: Duration = Duration::from_millis(50);

const _: () = assert!(LINE_PREFIX_BYTES_MAX + TEXT_BYTES_MAX + "\r\n".len() <= 1024);
const _: () = assert!(NAME_BYTES_MAX + "[] ".len() <= LINE_PREFIX_BYTES_MAX);
const _: () = assert!(REASON_BYTES_MAX <= TEXT_BYTES_MAX);
const _: () = {
    // On the wire: variant, 16 octets, port, scope.
    let peers_bytes = PRESENT_PEERS_MAX * (1 + 16 + 3 + 5);
    // Variant, members, count, more.
    let other_bytes = 1 + 5 + 1 + 1;
    assert!(peers_bytes + other_bytes <= FRAME_BYTES_MAX);
};
const _: () = assert!(FRAME_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(PLAIN_LINE_BYTES_MAX < u32::MAX as usize);
const _: () = assert!(TELNET_REPLY_BYTES_MAX == 16 * 3);

/// Members up to which each join and leave is shown by itself. In a larger room each would cost
/// as many deliveries as there are members.
pub const PRESENCE_MEMBERS_MAX: u32 = 50;
