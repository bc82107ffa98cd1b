//! What must hold **for any bytes**: each function here takes bytes and panics if a promise is broken.
//!
//! `cargo xtask fuzz` searches for bytes that break one (the targets in `fuzz/` call these functions and do nothing
//! else), and the tests of this crate run those that were found interesting before, from `fuzz/corpus`. So a fault
//! that the search has found once is looked for by every `cargo test`.
//!
//! | function | the bytes are | must hold |
//! |---|---|---|
//! | [`stream`] | a framed stream, and the pieces it comes in | the same frames in any pieces, each encodes to itself; memory |
//! | [`plain`] | what a plain peer sends, and when it pauses | the lines, refusals and texts of a slow and simple reading; memory |
//! | [`strings`] | a string | what is read is written and read back the same; a text is clean |
//! | [`endpoint`] | what peers, forgers and the clock do to a UDP server | no word of a stranger, no amplification, an end |
//! | [`session`] | what a hostile server and the clock do to a UDP client | order, an end, memory |
//! | [`websocket`] | what a peer sends to a server for browsers | the same is said in any pieces; whole frames and text in return; memory |
//! | [`room`] | calls of a room's attachments and local members | one order, exact counts of what was missed, a wake for all news |

mod choices;
mod endpoint;
mod held;
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

/// The name of a target of the search, and what it calls.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 7] = [
    ("endpoint", endpoint),
    ("plain", plain),
    ("room", room),
    ("session", session),
    ("stream", stream),
    ("strings", strings),
    ("websocket", websocket),
];
