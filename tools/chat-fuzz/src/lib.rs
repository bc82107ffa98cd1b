//! Promises that must hold **for any bytes**. Each function here takes bytes and panics if a promise is broken.
//!
//! `cargo xtask fuzz` searches for bytes that break a promise. The targets in `fuzz/` only call these functions. The
//! tests of this crate run the inputs in `fuzz/corpus`, which earlier searches found interesting. So every `cargo test`
//! looks again for each fault that a search has found once.
//!
//! | function | the bytes are | promises |
//! |---|---|---|
//! | [`stream`] | a framed stream in pieces | any pieces give the same frames; each encodes to itself; memory |
//! | [`plain`] | the bytes and pauses of a plain peer | the same result as a slow and simple parser; memory |
//! | [`strings`] | a string | a parsed value can be written and parsed again without a change; a text is clean |
//! | [`endpoint`] | peers, forgers and time at a UDP server | no message of a stranger, no amplification, an end |
//! | [`session`] | a hostile server and time at a UDP client | order, an end, memory |
//! | [`websocket`] | a peer of a server for browsers | any pieces give the same messages; valid answers; memory |
//! | [`room`] | calls of attachments and local members | one order, exact counts of missed messages, one wake each |
//!
//! "Memory" means that the code never holds more than a fixed number of bytes.

mod choices;
mod endpoint;
mod memory_limit;
mod plain;
mod room;
mod session;
mod stream;
mod strings;
mod websocket;

pub use endpoint::endpoint;
pub use plain::plain;
pub use room::room;
pub use session::session;
pub use stream::stream;
pub use strings::strings;
pub use websocket::websocket;

/// The name of a target of the search, and the function that it calls.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 7] = [
    ("endpoint", endpoint),
    ("plain", plain),
    ("room", room),
    ("session", session),
    ("stream", stream),
    ("strings", strings),
    ("websocket", websocket),
];
