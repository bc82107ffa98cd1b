//! The examples are programs, each beside this file. Here the guides' snippets are compiled and run, as doc-tests.

/// `docs/transport.md`.
#[cfg(doctest)]
#[doc = include_str!("../docs/transport.md")]
#[derive(Debug)]
pub struct Transport;
