//! A peer's protocol, recognised from its first byte.

use chat_proto::{PREFACE, TextKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstByte {
    /// The framed protocol: its first byte begins neither UTF-8 text nor a telnet command.
    Framed,
    /// Text, perhaps after telnet commands.
    Plain,
    /// A byte that begins no text: TLS (RFC 8446, section 5.1) and most other protocols.
    Foreign,
}

impl FirstByte {
    pub(crate) fn of(first: u8) -> Self {
        match first {
            first if first == PREFACE[0] => Self::Framed,
            IAC => Self::Plain,
            first if TextKind::may_begin_with(first) => Self::Plain,
            _ => Self::Foreign,
        }
    }
}

/// Begins a telnet command.
const IAC: u8 = 0xFF;
