//! One peer over UDP: what it sends, and how it takes what it receives, without a socket.
//!
//! A framed member speaks the real protocol and acknowledges as a client does, but does not look into what it
//! receives: decoding every entry would cost more than the server takes to send it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chat_proto::limits::PLAIN_ANSWER_BYTES_MAX;
use chat_proto::{
    Ack, Cookie, Event, Hello, MemberDatagram, MemberFrame, RoomDatagram, RoomFrame, SessionId, SlotSet,
    Text, Traffic,
};
use chat_udp::ClientSession;

use crate::failure::{Failure, Result};
use crate::stamp::TEXT_BYTES;

/// A plain peer sends something so often, or its lease runs out; a framed one does so that the server hears of it.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How often a hello is repeated.
const HELLO_INTERVAL: Duration = Duration::from_secs(1);
/// Datagrams with entries after which an acknowledgement does not wait.
const ACK_EVERY: u32 = 2;
/// Joins a plain peer and renews its lease, and says nothing: an empty line is no message.
const KNOCK: &[u8] = b"\n";

#[derive(Debug)]
pub(super) struct Peer {
    /// Messages that it has said, if it is framed.
    said: u64,
    protocol: Protocol,
    /// What is to be sent next, and what was sent last.
    outbox: VecDeque<Vec<u8>>,
    sent: Vec<u8>,
    sent_at: Instant,
}

#[derive(Debug)]
enum Protocol {
    Plain,
    Member(Box<Member>),
    /// Resends what the server does not take, too, so it is a whole client.
    Talker(Box<ClientSession>),
}

/// The state of a framed member.
#[derive(Debug)]
struct Member {
    nonce: u64,
    cookie: Option<Cookie>,
    session: Option<SessionId>,
    /// The next slot that it lacks, and those beyond that it has.
    next: u64,
    beyond: SlotSet,
    /// Datagrams that are not acknowledged.
    unacked: u32,
    ack_now: bool,
    /// To be answered: tells the server that the welcome has come, or that the member is still there.
    ping: bool,
}

impl Peer {
    pub(super) fn member(framed: bool, key: u64, now: Instant) -> Self {
        Self::new(if framed { Protocol::Member(Box::new(Member::new(key))) } else { Protocol::Plain }, now)
    }

    pub(super) fn talker(framed: bool, key: u64, now: Instant) -> Self {
        let talker = || Protocol::Talker(Box::new(ClientSession::new(key, Hello::default(), now)));
        Self::new(if framed { talker() } else { Protocol::Plain }, now)
    }

    fn new(protocol: Protocol, now: Instant) -> Self {
        let mut peer = Self { protocol, outbox: VecDeque::new(), sent: Vec::new(), sent_at: now, said: 0 };
        peer.knock();
        peer
    }

    /// Whether the server has let it in, as far as it can know.
    pub(super) fn is_in(&self) -> bool {
        match &self.protocol {
            Protocol::Plain => true,
            Protocol::Member(member) => member.session.is_some(),
            Protocol::Talker(session) => session.is_ready(),
        }
    }

    /// Shows the server once more that it is there.
    pub(super) fn knock(&mut self) {
        match &mut self.protocol {
            Protocol::Plain => self.outbox.push_back(KNOCK.to_vec()),
            Protocol::Member(member) if member.session.is_none() => self.outbox.push_back(member.hello()),
            Protocol::Member(member) => member.ping = true,
            Protocol::Talker(_) => {}
        }
    }

    /// Queues a message. Plain ones share datagrams as far as stock clients would read them whole.
    pub(super) fn say(&mut self, text: &[u8; TEXT_BYTES], now: Instant) -> Result<()> {
        match &mut self.protocol {
            Protocol::Plain => {
                let line = [text.as_slice(), b"\n"].concat();
                // Not behind what is no message.
                let room = TEXT_BYTES..PLAIN_ANSWER_BYTES_MAX - TEXT_BYTES;
                match self.outbox.back_mut().filter(|last| room.contains(&last.len())) {
                    Some(datagram) => datagram.extend_from_slice(&line),
                    None => self.outbox.push_back(line),
                }
                Ok(())
            }
            Protocol::Member(_) => Err(Failure::new("a member that only listens was to say something")),
            Protocol::Talker(session) if session.is_ready() => {
                let text = str::from_utf8(text)?;
                self.said += 1;
                session.send(MemberFrame::Say { number: self.said, text: Text::one_line(text)? }, now);
                Ok(())
            }
            Protocol::Talker(session) => Err(Failure::new(match session.end() {
                Some(end) => format!("a talker's session has ended: {end}"),
                None => "a talker has more to say than the server takes".to_owned(),
            })),
        }
    }

    /// Takes a datagram; `hear` gets the messages in it that are new. Entries that come too early are not checked for
    /// being whole, only that each is heard once.
    pub(super) fn receive(
        &mut self,
        datagram: &[u8],
        now: Instant,
        hear: &mut dyn FnMut(&[u8]),
    ) -> Result<()> {
        match &mut self.protocol {
            Protocol::Plain => hear(datagram),
            Protocol::Member(member) => {
                let answer = member.receive(datagram, hear)?;
                self.outbox.extend(answer);
            }
            Protocol::Talker(session) => {
                session.receive(datagram, now);
                while let Some(frame) = session.next_frame() {
                    match frame {
                        RoomFrame::Entry(entry) => {
                            if let Event::Said { text, .. } = &entry.event {
                                hear(text.as_str().as_bytes());
                            }
                        }
                        RoomFrame::Welcome(_)
                        | RoomFrame::Present(_)
                        | RoomFrame::Direct(_)
                        | RoomFrame::Unknown { .. } => {}
                        RoomFrame::Lagged(_) => return Err(Failure::new("a talker was overtaken")),
                        RoomFrame::Bye(reason) => return Err(Failure::new(format!("put out: {reason}"))),
                    }
                }
            }
        }
        Ok(())
    }

    /// The next datagram to be sent.
    pub(super) fn transmit(&mut self, now: Instant) -> Option<&[u8]> {
        let silence = now.saturating_duration_since(self.sent_at);
        self.sent.clear();
        match &mut self.protocol {
            Protocol::Talker(session) => {
                session.transmit(&mut self.sent, now);
            }
            Protocol::Plain if self.outbox.is_empty() && silence >= KEEP_ALIVE => {
                self.sent.extend_from_slice(KNOCK);
            }
            Protocol::Member(member) if self.outbox.is_empty() => member.transmit(silence, &mut self.sent),
            Protocol::Plain | Protocol::Member(_) => {
                self.sent = self.outbox.pop_front()?;
            }
        }
        if self.sent.is_empty() {
            return None;
        }
        self.sent_at = now;
        Some(&self.sent)
    }

    /// Whether it must acknowledge something before long.
    pub(super) fn owes_ack(&self) -> bool {
        matches!(&self.protocol, Protocol::Member(member) if member.unacked > 0)
    }

    /// It has waited long enough with that.
    pub(super) fn ack_is_due(&mut self) {
        if let Protocol::Member(member) = &mut self.protocol {
            member.ack_now |= member.unacked > 0;
        }
    }

    /// When it must be looked at, if that cannot wait for the others.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if let Protocol::Talker(session) = &self.protocol { session.deadline() } else { None }
    }
}

impl Member {
    fn new(nonce: u64) -> Self {
        Self {
            nonce,
            cookie: None,
            session: None,
            next: 0,
            beyond: SlotSet::default(),
            unacked: 0,
            ack_now: false,
            ping: false,
        }
    }

    fn hello(&self) -> Vec<u8> {
        let mut datagram = Vec::new();
        let Self { nonce, cookie, .. } = *self;
        MemberDatagram::Hello { nonce, cookie, hello: Hello::default() }.encode(&mut datagram);
        datagram
    }

    /// Returns what must be answered at once.
    fn receive(&mut self, datagram: &[u8], hear: &mut dyn FnMut(&[u8])) -> Result<Option<Vec<u8>>> {
        match RoomDatagram::decode(datagram)? {
            RoomDatagram::Retry { nonce, cookie } if nonce == self.nonce => {
                self.cookie = Some(cookie);
                return Ok(Some(self.hello()));
            }
            RoomDatagram::Welcome { nonce, session, slot, .. } if nonce == self.nonce => {
                self.ping = true;
                if self.session.replace(session).is_none() {
                    self.next = slot;
                }
            }
            RoomDatagram::Entries { session, slot, entries, .. } if self.session == Some(session) => {
                self.entries(slot, entries, hear)?;
            }
            RoomDatagram::Bye { reason, .. } | RoomDatagram::Refused { reason, .. } => {
                return Err(Failure::new(format!("put out: {reason}")));
            }
            RoomDatagram::Lagged { .. } => return Err(Failure::new("a member was overtaken")),
            _ => {}
        }
        Ok(None)
    }

    fn entries(&mut self, slot: u64, entries: &[u8], hear: &mut dyn FnMut(&[u8])) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        self.unacked += 1;
        let is_in_order = slot == self.next && self.beyond.is_empty();
        self.ack_now |= !is_in_order || self.unacked >= ACK_EVERY;
        let mut count = 0;
        let mut rest = entries;
        while let Some((length, frames)) = rest.split_first_chunk() {
            let length = usize::from(u16::from_le_bytes(*length));
            let (entry, after) =
                frames.split_at_checked(length).ok_or_else(|| Failure::new("an entry is cut off"))?;
            if !is_in_order && self.is_new(slot + count) {
                hear(entry);
            }
            count += 1;
            rest = after;
        }
        if is_in_order {
            self.next += count;
            hear(entries);
        }
        Ok(())
    }

    /// Notes that it has `slot`; whether it had not before.
    fn is_new(&mut self, slot: u64) -> bool {
        let Some(offset) = slot.checked_sub(self.next) else { return false };
        if self.beyond.contains(offset) || !self.beyond.insert(offset) {
            return false;
        }
        let has = (0..).take_while(|&offset| self.beyond.contains(offset)).count() as u64;
        self.beyond.shift(has);
        self.next += has;
        true
    }

    fn transmit(&mut self, silence: Duration, out: &mut Vec<u8>) {
        let Some(session) = self.session else {
            if silence >= HELLO_INTERVAL {
                out.extend(self.hello());
            }
            return;
        };
        if self.ack_now || self.ping || silence >= KEEP_ALIVE {
            let ack = Ack { next: self.next, beyond: self.beyond };
            let ping = self.ping || !self.ack_now;
            let traffic = Traffic { ping, ack, first: 1, ..Traffic::default() };
            MemberDatagram::Traffic { session, traffic }.encode(out);
            (self.unacked, self.ack_now, self.ping) = (0, false, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(texts: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for text in texts {
            bytes.extend_from_slice(&u16::try_from(text.len()).unwrap().to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }

    #[test]
    fn each_entry_is_heard_once_and_acknowledged_whatever_order_they_come_in() {
        let mut member = Member::new(1);
        let mut heard: Vec<u8> = Vec::new();
        for (slot, texts) in
            [(0, ["a", "b"]), (4, ["e", "f"]), (4, ["e", "f"]), (1, ["b", "c"]), (3, ["d", "e"])]
        {
            let mut hear = |bytes: &[u8]| heard.extend(bytes.iter().filter(|byte| byte.is_ascii_lowercase()));
            member.entries(slot, &entries(&texts), &mut hear).unwrap();
        }
        assert_eq!(str::from_utf8(&heard), Ok("abefcd"));
        assert_eq!((member.next, member.beyond), (6, SlotSet::default()));
    }

    #[test]
    fn plain_messages_share_datagrams_that_a_stock_client_reads_whole() {
        let now = crate::clock::now();
        let mut talker = Peer::talker(false, 0, now);
        let text = crate::stamp::Stamp::default().text();
        (0..20).for_each(|_| talker.say(&text, now).unwrap());
        let mut sizes = Vec::new();
        while let Some(datagram) = talker.transmit(now) {
            sizes.push(datagram.len());
        }
        assert_eq!(sizes, [1, 15 * 65, 5 * 65]);
    }
}
