//! What an endpoint sends and tells the room, and how it ends.

use std::time::Duration;

use chat_core::Heard;
use chat_proto::limits::{DATAGRAM_BYTES_MAX, PLAIN_ANSWER_BYTES_MAX};
use chat_proto::{Author, Event, FrameDecoder, RoomDatagram, RoomFrame, is_framed};

use super::{DATAGRAMS_PER_STEP_MAX, DEADLINES_MAX, LOCAL_ADDRESSES, Run, wire_bytes};

impl Run {
    /// Runs the rest of an endpoint's turn.
    pub(super) fn settle(&mut self) {
        let now = self.time.now();
        self.endpoint.on_deadline(now);
        self.endpoint.pull(now);
        let mut out = Vec::new();
        let mut datagrams = 0;
        while let Some(to) = self.endpoint.transmit(&mut out, now).map(|route| route.peer) {
            datagrams += 1;
            assert!(datagrams < DATAGRAMS_PER_STEP_MAX, "there is no end to what is sent");
            let to = self.peers.iter().position(|peer| peer.address == to).expect("it has sent something");
            self.sent_to(to, &out);
        }
        assert!(self.endpoint.deadline().is_none_or(|at| at > now), "what is due is done");
        self.listen();
    }

    fn sent_to(&mut self, to: usize, bytes: &[u8]) {
        let peer = &mut self.peers[to];
        peer.received += wire_bytes(peer.address, bytes);
        assert!(
            peer.proven || to < LOCAL_ADDRESSES || peer.received <= 3 * peer.sent,
            "{} bytes to an address that has proven nothing, for {}",
            peer.received,
            peer.sent
        );
        if !is_framed(bytes) {
            assert!(bytes.len() <= PLAIN_ANSWER_BYTES_MAX);
            let text = str::from_utf8(bytes).expect("plain peers are sent text");
            assert!(text.lines().all(|line| line.starts_with('[') && !line.contains(char::is_control)));
            assert!(to < LOCAL_ADDRESSES || text.starts_with("[*] Say "), "a stranger hears {text:?}");
            return;
        }
        assert!(bytes.len() <= DATAGRAM_BYTES_MAX);
        match RoomDatagram::decode(bytes).expect("the endpoint knows how to say it") {
            RoomDatagram::Retry { nonce, cookie } if nonce == super::nonce(to) => peer.cookie = Some(cookie),
            RoomDatagram::Challenge { cookie } => peer.challenge = Some(cookie),
            RoomDatagram::Welcome { session, slot, welcome, .. } => {
                if peer.session != Some(session) {
                    (peer.session, peer.says, peer.slot) = (Some(session), 1, slot);
                }
                peer.welcome = Some(*welcome);
                let holders = self.holders.entry(session).or_default();
                if !holders.contains(&to) {
                    holders.push(to);
                }
            }
            RoomDatagram::Entries { slot, entries, .. } | RoomDatagram::Lagged { slot, entries, .. } => {
                let (mut decoder, mut rest, mut next) = (FrameDecoder::new(), entries, slot);
                while let Some(frame) = decoder.next::<RoomFrame>(&mut rest).expect("whole frames") {
                    assert!(matches!(frame, RoomFrame::Entry(_)));
                    next += 1;
                }
                assert!(!decoder.is_unfinished());
                peer.slot = peer.slot.max(next);
            }
            _ => {}
        }
    }

    /// Checks that the local member hears everything in order, and each message of a session once and in its sender's
    /// order.
    pub(super) fn listen(&mut self) {
        while let Ok(heard) = self.local.try_recv() {
            let Heard::Entry(entry) = heard else { panic!("a local member that listens misses nothing") };
            self.heard += u64::from(entry.event.is_message());
            assert_eq!(entry.seq, self.heard);
            let Event::Said { from, author, text } = &entry.event else { continue };
            assert!(from.number > 0 || *author == Author::Room);
            if author.address().is_none() {
                continue;
            }
            let Some((session, number)) = text.as_str().split_once(' ') else { continue };
            let (Ok(session), Ok(number)) = (session.parse(), number.parse::<u64>()) else { continue };
            let before = self.accepted.insert(session, number).unwrap_or(0);
            // A number may be left out if the sender says that it is settled.
            assert!(self.is_tampered || before < number, "{session}: {number} after {before}");
        }
    }

    pub(super) fn skip_to_deadline(&mut self) {
        if let Some(deadline) = self.endpoint.deadline() {
            self.time.advance_to(deadline);
        }
    }

    /// Closes the room while all peers are silent, and checks that the endpoint ends all the same.
    pub(super) fn close(&mut self) {
        self.room.close("That was all", Duration::from_secs(5));
        self.settle();
        self.endpoint.drain(self.time.now());
        for _ in 0..DEADLINES_MAX {
            self.settle();
            if self.endpoint.is_drained() {
                break;
            }
            self.skip_to_deadline();
        }
        assert!(self.endpoint.is_drained(), "{:?}", self.endpoint);
        let stats = self.room.stats();
        assert_eq!((stats.members, stats.joined), (0, stats.left), "each left, once");
    }
}
