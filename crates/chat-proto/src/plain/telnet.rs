//! Telnet commands in the input of a plain peer (RFC 854, RFC 855).
//!
//! A telnet client mixes commands into what is typed. They are stripped, and every option it
//! proposes is refused, so that it stays the line-at-a-time terminal we want.

use crate::{buffer, limits::TELNET_REPLY_BYTES_MAX};

/// Begins every command. No UTF-8 has this byte, so it is never text.
pub(crate) const IAC: u8 = 0xFF;

const SE: u8 = 0xF0;
const SB: u8 = 0xFA;
const WILL: u8 = 0xFB;
const WONT: u8 = 0xFC;
const DO: u8 = 0xFD;
const DONT: u8 = 0xFE;

/// Where in a command the input stands. It survives any split of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// Outside of commands.
    #[default]
    Data,
    /// After IAC.
    Command,
    /// After IAC WILL; the option follows.
    Will,
    /// After IAC DO; the option follows.
    Do,
    /// After IAC WONT or IAC DONT; the option follows. Never answered, or two ends could
    /// refuse each other's refusals for ever.
    Refused,
    /// Within a subnegotiation, IAC SB ... IAC SE.
    Subnegotiation,
    /// After IAC within a subnegotiation.
    SubnegotiationCommand,
}

/// The meaning of the byte after IAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// An escaped FF: that byte is data.
    Escaped,
    /// The command or its beginning, to be stripped; this state follows.
    Strip(State),
    /// Not a command: the FF was data, and so is this byte.
    None,
}

pub(crate) fn command(byte: u8) -> Command {
    match byte {
        IAC => Command::Escaped,
        WILL => Command::Strip(State::Will),
        DO => Command::Strip(State::Do),
        WONT | DONT => Command::Strip(State::Refused),
        SB => Command::Strip(State::Subnegotiation),
        SE..SB => Command::Strip(State::Data),
        _ => Command::None,
    }
}

/// The state after the byte that follows IAC within a subnegotiation.
pub(crate) fn subnegotiation_command(byte: u8) -> State {
    match byte {
        SE => State::Data,
        _ => State::Subnegotiation,
    }
}

/// Refusals that wait to be sent; no allocation while there are none.
#[derive(Debug, Default)]
pub(crate) struct Replies(Option<Box<Pending>>);

#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
}

impl Replies {
    /// Refuses what the peer proposed for `option`, unless too much is pending already.
    pub(crate) fn refuse(&mut self, proposed: State, option: u8) {
        let verb = match proposed {
            State::Do => WONT,
            State::Will => DONT,
            _ => return,
        };
        let pending = self.0.get_or_insert_default();
        if pending.bytes.len() < TELNET_REPLY_BYTES_MAX {
            buffer::append(&mut pending.bytes, &[IAC, verb, option], TELNET_REPLY_BYTES_MAX);
        }
    }

    pub(crate) fn take(&mut self) -> Option<Vec<u8>> {
        Some(self.0.take()?.bytes)
    }
}
