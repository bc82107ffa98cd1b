//! The examples are programs beside this file. This library compiles and runs the snippets of the guides as
//! doc-tests.

/// `docs/transport.md`.
#[cfg(doctest)]
#[doc = include_str!("../docs/transport.md")]
#[derive(Debug)]
pub struct Transport;
