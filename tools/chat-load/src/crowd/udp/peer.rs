//! One peer over UDP, without a socket: what it sends, and how it handles what it receives.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chat_proto::limits::PLAIN_ANSWER_BYTES_MAX;
use chat_proto::{Event, Hello, MemberFrame, RoomFrame, Text};
use chat_udp::ClientSession;

use crate::failure::{Failure, Result};
use crate::stamp::TEXT_BYTES;

/// A plain peer must send something this often, or its lease runs out.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Lets a plain peer join and renews its lease without saying anything, because an empty line is not a message.
const KNOCK: &[u8] = b"\n";

pub(super) enum Peer {
    Plain {
        /// The datagrams to send next.
        outbox: VecDeque<Vec<u8>>,
        sent_at: Instant,
    },
    /// The session of our client, so that this peer acknowledges as every client does.
    Framed {
        session: Box<ClientSession>,
        /// How many messages it has said.
        said: u64,
    },
}

impl Peer {
    /// `key` is unique in the run.
    pub(super) fn new(framed: bool, key: u64, now: Instant) -> Self {
        if framed {
            Self::Framed { session: Box::new(ClientSession::new(key, Hello::default(), now)), said: 0 }
        } else {
            Self::Plain { outbox: [KNOCK.to_vec()].into(), sent_at: now }
        }
    }

    /// Whether the server has let it in, as far as this peer can know.
    pub(super) fn is_in(&self) -> bool {
        match self {
            Self::Plain { .. } => true,
            Self::Framed { session, .. } => session.is_ready(),
        }
    }

    /// Shows the server once more that this peer is there, unless its session does that by itself.
    pub(super) fn say_hello(&mut self) {
        if let Self::Plain { outbox, .. } = self {
            outbox.push_back(KNOCK.to_vec());
        }
    }

    /// Queues a message. Plain messages share a datagram as long as stock clients can read it whole.
    pub(super) fn say(&mut self, text: &[u8; TEXT_BYTES], now: Instant) -> Result<()> {
        match self {
            Self::Plain { outbox, .. } => {
                let line = [text.as_slice(), b"\n"].concat();
                // Do not append to a datagram that holds no message.
                let room = TEXT_BYTES..PLAIN_ANSWER_BYTES_MAX - TEXT_BYTES;
                match outbox.back_mut().filter(|last| room.contains(&last.len())) {
                    Some(datagram) => datagram.extend_from_slice(&line),
                    None => outbox.push_back(line),
                }
                Ok(())
            }
            Self::Framed { session, said } if session.is_ready() => {
                *said += 1;
                let text = Text::one_line(str::from_utf8(text)?)?;
                session.send(MemberFrame::Say { number: *said, text }, now);
                Ok(())
            }
            Self::Framed { session, .. } => Err(Failure::new(match session.end() {
                Some(end) => format!("a talker's session has ended: {end}"),
                None => "a talker has more to say than the server takes".to_owned(),
            })),
        }
    }

    /// Takes a datagram. Calls `hear` with the messages that are new.
    pub(super) fn receive(
        &mut self,
        datagram: &[u8],
        now: Instant,
        hear: &mut dyn FnMut(&[u8]),
    ) -> Result<()> {
        let Self::Framed { session, .. } = self else {
            hear(datagram);
            return Ok(());
        };
        session.receive(datagram, now);
        while let Some(frame) = session.next_frame() {
            match frame {
                RoomFrame::Entry(entry) => {
                    if let Event::Said { text, .. } = &entry.event {
                        hear(text.as_str().as_bytes());
                    }
                }
                RoomFrame::Lagged(_) => return Err(Failure::new("a member lagged")),
                RoomFrame::Bye(reason) => return Err(Failure::new(format!("dismissed: {reason}"))),
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes the next datagram to send into `out`. Returns false if there is none.
    pub(super) fn transmit(&mut self, out: &mut Vec<u8>, now: Instant) -> bool {
        match self {
            Self::Framed { session, .. } => session.transmit(out, now),
            Self::Plain { outbox, sent_at } => {
                let is_silent = now.saturating_duration_since(*sent_at) >= KEEP_ALIVE;
                let Some(datagram) = outbox.pop_front().or_else(|| is_silent.then(|| KNOCK.to_vec())) else {
                    return false;
                };
                (*out, *sent_at) = (datagram, now);
                true
            }
        }
    }

    /// When the peer must send something only because time has passed.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Plain { sent_at, .. } => Some(*sent_at + KEEP_ALIVE),
            Self::Framed { session, .. } => session.deadline(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_messages_share_datagrams_that_a_stock_client_reads_whole() {
        let now = crate::clock::now();
        let mut talker = Peer::new(false, 0, now);
        let text = crate::stamp::Stamp::default().text();
        (0..20).for_each(|_| talker.say(&text, now).unwrap());
        let (mut sizes, mut out) = (Vec::new(), Vec::new());
        while talker.transmit(&mut out, now) {
            sizes.push(out.len());
        }
        assert_eq!(sizes, [1, 15 * 65, 5 * 65]);
    }
}
