//! The chat as JSON: what a browser, the pipes of `--json` and a member over WebSocket read and write.
//!
//! There is one schema. [`Request`] is what a member says, [`Report`] is what it hears. Each is an object with a field
//! `type`. Numbers that a JavaScript number cannot hold are strings, and so are addresses and names. PROTOCOL.md,
//! section 14, has every object with its fields, and the meaning of each over WebSocket.
//!
//! ```
//! use chat_proto::json::{Report, Request};
//! use chat_proto::{DirectItem, Text};
//!
//! let request = Request::parse(br#"{"type":"say","text":"hi"}"#)?;
//! assert_eq!(request, Request::Say { text: "hi".to_owned(), number: None });
//!
//! let mut out = Vec::new();
//! Report::item(&DirectItem::Notice { text: Text::one_line("hi")? }, Some(3), 0).write(&mut out);
//! assert_eq!(out, br#"{"type":"notice","text":"hi","direct":3}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod report;
mod request;
mod time;

pub use report::{Id, OldReport, Report, SessionReport};
pub use request::{Request, RequestError, ResumeRequest};
pub use time::Time;
