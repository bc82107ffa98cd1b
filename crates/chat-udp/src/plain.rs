//! A plain peer over UDP: a program that sends text in datagrams and prints what it gets.
//!
//! What he says is split into lines; his own come back to him like everyone's, since such programs
//! wait for an answer. Nothing is sent twice: what a datagram carried is behind his cursor.

use std::net::SocketAddr;
use std::time::Instant;

use chat_core::{Cursor, LagPolicy, MemberId, Outcome, Pending, Said};
use chat_proto::limits::{PLAIN_ANSWER_BYTES_MAX, PLAIN_DATAGRAM_BYTES_MAX};
use chat_proto::{Author, LeaveReason, Line, PeerAddr, Text};
use memchr::memmem;

use crate::limits::LEASE;
use crate::session::Context;

#[derive(Debug)]
pub(crate) struct Plain {
    address: SocketAddr,
    member: MemberId,
    cursor: Cursor,
    heard: Instant,
    /// He is over his rate: what he sends before this moment is not taken.
    pause_until: Option<Instant>,
    /// Something he said was refused, and he is to be told why.
    refused: Option<Text>,
}

/// Whether a datagram is what a chat server says rather than a person: a notice of a room, or
/// something that holds the answer which `peer` himself was sent. Answering it could go on for ever,
/// between two servers or with an echo service (CVE-2024-2169 is such a loop).
pub(crate) fn is_echo(bytes: &[u8], peer: PeerAddr) -> bool {
    bytes.starts_with(b"[*] ") || memmem::find(bytes, format!("[{peer}] ").as_bytes()).is_some()
}

/// The last line that a plain member is sent, if his membership ends otherwise than by himself.
pub(crate) fn farewell(reason: &LeaveReason) -> Vec<u8> {
    notice(&format!("Closed: {reason}"))
}

impl Plain {
    pub(crate) fn new(address: SocketAddr, member: MemberId, cursor: Cursor, now: Instant) -> Self {
        Self { address, member, cursor, heard: now, pause_until: None, refused: None }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn member(&self) -> MemberId {
        self.member
    }

    /// When he last said something.
    pub(crate) fn heard(&self) -> Instant {
        self.heard
    }

    /// Says the lines of a datagram.
    pub(crate) fn receive(&mut self, bytes: &[u8], cx: &Context<'_>) {
        self.heard = cx.now;
        if self.pause_until.is_some_and(|until| until > cx.now) {
            return tracing::debug!(address = %self.address, "datagram of a plain member over his rate is dropped");
        }
        let taken = &bytes[..bytes.len().min(PLAIN_DATAGRAM_BYTES_MAX)];
        // Someone who has only pressed Enter has said nothing.
        for text in Text::split(taken).filter(|text| !text.as_str().is_empty()) {
            // An error means that the room is closing, or has put him out: it tells so itself.
            let Ok(Said { outcome, pause_until, .. }) = cx.attachment.say(self.member, text, cx.now) else {
                return;
            };
            self.pause_until = pause_until;
            if let Outcome::Refused { why } = outcome {
                self.refused = Some(why);
            }
        }
    }

    /// Writes the next datagram into `out`, which is empty; false if there is none. An error is the
    /// reason for which he is to be put out.
    pub(crate) fn transmit(&mut self, cx: &Context<'_>, out: &mut Vec<u8>) -> Result<bool, LeaveReason> {
        if let Some(why) = self.refused.take() {
            out.extend(notice(why.as_str()));
            return Ok(true);
        }
        let log = cx.logs.plain();
        loop {
            match log.pending(self.cursor) {
                Pending::Nothing => return Ok(false),
                Pending::Lagged { missed, resume } => {
                    self.cursor = resume;
                    if missed > 0 && cx.lag_policy == LagPolicy::Close {
                        return Err(LeaveReason::Lagged);
                    }
                    if missed > 0 {
                        cx.attachment.count_missed(missed);
                        let messages = if missed == 1 { "message" } else { "messages" };
                        out.extend(notice(&format!("You missed {missed} {messages}")));
                        return Ok(true);
                    }
                }
                Pending::Bytes(..) => {
                    // The last break is left out, so it may be one byte too many.
                    let slot = self.cursor.slot();
                    let (end, a, b) = log.batch(slot..log.head().slot(), PLAIN_ANSWER_BYTES_MAX + 1);
                    out.extend_from_slice(a);
                    out.extend_from_slice(b);
                    out.pop();
                    self.cursor = log.at_slot(end).expect("a batch ends within the log");
                    return Ok(true);
                }
            }
        }
    }

    /// When his lease ends.
    pub(crate) fn deadline(&self) -> Instant {
        self.heard + LEASE
    }
}

fn notice(text: &str) -> Vec<u8> {
    let text = Text::one_line(text).unwrap_or_default();
    Line { author: Author::Room, text }.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_said_to_a_peer_is_known_when_it_comes_back_from_him() {
        let peer: PeerAddr = "127.0.0.1:7".parse().unwrap();
        for echo in [
            "[127.0.0.1:7] hello",
            "<x> [127.0.0.1:7] hello",
            "[*] You missed 3 messages",
            "a\n[127.0.0.1:7] b",
        ] {
            assert!(is_echo(echo.as_bytes(), peer), "{echo}");
        }
        for text in
            ["hello", "[127.0.0.1:70] hello", "[joke] hello", "127.0.0.1:7", "[127.0.0.1:7]", "a [*] b"]
        {
            assert!(!is_echo(text.as_bytes(), peer), "{text}");
        }
    }
}
