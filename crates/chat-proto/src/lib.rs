//! What travels through a chat room: bytes in, values out, and back.
//!
//! This crate knows the formats of the chat and nothing else. It opens no socket, reads no clock and
//! starts no thread; every type here can be driven from a test with literals.
//!
//! | you have | you want | use |
//! |---|---|---|
//! | bytes that a person typed | clean messages | [`Text::split`] |
//! | an author and a message | the line people read | [`Line`] |
//! | reads from a plain peer (netcat, telnet, a simple program) | its lines | [`PlainSplitter`] |
//! | a plain peer's line or datagram | whether it is text at all | [`TextKind`] |
//! | reads from a framed peer | frames | [`PrefaceDecoder`], then [`FrameDecoder`] |
//! | a datagram of a framed peer | its content | [`MemberDatagram::decode`], [`RoomDatagram::decode`] |
//! | a frame | bytes to send | [`MemberFrame::encode`], [`RoomFrame::encode`], [`encode_entry`], [`encode_direct`] |
//! | the same as JSON (feature `json`) | objects | `json::Request`, `json::Report` |
//!
//! # The framed stream
//!
//! ```text
//! member -> room   F5 'c' 'h' 'a' 't' version | length u16 LE | kind | fields | length | kind | fields ...
//! room -> member   F5 'c' 'h' 'a' 't' version | length u16 LE | kind | fields | length | kind | fields ...
//! ```
//!
//! A member opens with [`PREFACE`] and [`MemberFrame::Hello`]; the room answers with
//! [`RoomFrame::Welcome`] and, from then on, the entries of its log. Every length has a cap and
//! every cap has its reason in [`limits`].
//!
//! # Clean text
//!
//! A [`Text`] is one line and holds nothing that could move a cursor, hide or reorder what people
//! read, or begin a second line that seems to come from somebody else. There is no way to make one
//! that is not clean, so a `Text` may be printed after a prefix without looking.
//!
//! # Example
//!
//! ```
//! use chat_proto::{Author, FrameDecoder, Line, MemberFrame, PlainSplitter, Text};
//!
//! // A plain peer's read holds two lines; one of them tries to write over the prefix.
//! let mut splitter = PlainSplitter::default();
//! let mut input: &[u8] = b"hello\nnice\x1b[2Jtry\n";
//! let mut lines = Vec::new();
//! while let Some(line) = splitter.next(&mut input)? {
//!     for text in Text::split(line) {
//!         let author: Author = "127.0.0.1:57814".parse()?;
//!         lines.push(Line { author, text }.to_string());
//!     }
//! }
//! assert_eq!(lines, ["[127.0.0.1:57814] hello", "[127.0.0.1:57814] nice\u{241b}[2Jtry"]);
//!
//! // A framed peer says the same in frames, which may arrive in any pieces.
//! let said = MemberFrame::Say { number: 1, text: Text::one_line("hello")? };
//! let mut bytes = Vec::new();
//! said.encode(&mut bytes);
//! let mut decoder = FrameDecoder::new();
//! let (mut first, mut second) = bytes.split_at(3);
//! assert_eq!(decoder.next::<MemberFrame>(&mut first)?, None);
//! assert_eq!(decoder.next(&mut second)?, Some(said));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod address;
mod author;
mod buffer;
mod codec;
mod datagram;
mod decode;
mod direct;
mod entry;
mod frame;
mod hello;
mod js_number;
#[cfg(feature = "json")]
pub mod json;
pub mod limits;
mod line;
mod look_back;
mod member;
mod name;
mod network;
mod notice;
mod plain;
mod preface;
mod reason;
mod slots;
mod text;
mod time;
mod websocket;

pub use address::PeerAddr;
pub use author::spelling::Spelling;
pub use author::{Author, AuthorError, Tag};
pub use datagram::{Ack, Cookie, DatagramError, MemberDatagram, RoomDatagram, SessionId, Traffic, is_framed};
pub use decode::{FrameDecoder, FrameError};
pub use direct::{Direct, DirectItem};
pub use entry::{Entry, Event};
pub use frame::{Frame, MemberFrame, RoomFrame, encode_direct, encode_entry};
pub use hello::{COMMANDS, Hello, Lagged, Present, Resume, Session, Welcome};
pub use line::{Line, LineError};
pub use look_back::LookBack;
pub use member::{MemberId, Origin};
pub use name::{Name, NameError};
pub use network::{Network, NetworkError};
pub use notice::Notice;
pub use plain::{LineEnding, LineTooLong, PlainSplitter};
pub use preface::{NotFramed, PREFACE, PrefaceDecoder, VERSION};
pub use reason::LeaveReason;
pub use slots::SlotSet;
pub use text::kind::TextKind;
pub use text::{Text, TextError};
pub use time::rfc_3339;
pub use websocket::WebSocketFrame;
