//! The real room, a server of few lines, a network that loses connections, and a conversation over them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use chat_core::{Accepted, ClientEvent, Conversation, MemberId, Moderator, Room, RoomConfig, Start, Verdict};
use chat_proto::{Author, Entry, Event, Hello, LeaveReason, MemberFrame, PeerAddr, RoomFrame, Skipped};

use crate::support::{Carrier, Time, room_with, text};

/// A connection between the conversation and the room: frames on their way.
struct Line {
    member: MemberId,
    up: VecDeque<MemberFrame>,
    down: VecDeque<RoomFrame>,
    /// Sequence number up to which the server has written; `None` before its welcome.
    written: Option<u64>,
    /// Which refusal it writes next, once it has come to its place.
    refusal: usize,
}

/// The real room, a server of few lines, a network that loses connections, and the conversation.
pub(crate) struct Net {
    _room: Room,
    pub(crate) carrier: Carrier,
    time: Time,
    /// Speaks too.
    pub(crate) other: MemberId,
    messages: Vec<Arc<Entry>>,
    refusals: Vec<Arc<Entry>>,
    /// Messages up to this one have left the log.
    tail: u64,
    pub(crate) conversation: Conversation,
    line: Option<Line>,
    /// Connections that the client has given up and the server not yet.
    old_lines: Vec<Line>,
    addresses: Vec<PeerAddr>,
    said: u64,
    pub(crate) seen: Seen,
}

/// What the conversation told its user.
#[derive(Default)]
pub(crate) struct Seen {
    begins_after: Option<u64>,
    pub(crate) seqs: Vec<u64>,
    pub(crate) missed: u64,
    pub(crate) unsure: BTreeSet<u64>,
    own: Vec<bool>,
    authors: Vec<Author>,
}

impl Net {
    pub(crate) fn new() -> Self {
        Self::with_moderator(None)
    }

    /// The host refuses one message of three, and tells by its number which one it was.
    pub(crate) fn moderated() -> Self {
        Self::with_moderator(Some(Moderator::new(|offer| match offer.text.as_str().parse::<u64>() {
            Ok(number) if number % 3 == 1 => Verdict::Refuse(offer.text.clone()),
            _ => Verdict::Accept,
        })))
    }

    fn with_moderator(moderator: Option<Moderator>) -> Self {
        let mut config = RoomConfig::default().with_rate(None);
        config.moderator = moderator;
        let (room, time) = room_with(config);
        let carrier = Carrier::new(&room, &time);
        let other = carrier.join("192.0.2.99:9");
        Self {
            _room: room,
            carrier,
            time,
            other,
            messages: Vec::new(),
            refusals: Vec::new(),
            tail: 0,
            conversation: Conversation::new(0),
            line: None,
            old_lines: Vec::new(),
            addresses: Vec::new(),
            said: 0,
            seen: Seen::default(),
        }
    }

    pub(crate) fn connect(&mut self) {
        if self.line.is_some() {
            return;
        }
        let address = format!("192.0.2.1:{}", self.addresses.len() + 1);
        let member = self.carrier.join(&address);
        self.addresses.push(address.parse().unwrap());
        let up = VecDeque::from([self.conversation.hello()]);
        self.line = Some(Line { member, up, down: VecDeque::new(), written: None, refusal: 0 });
    }

    /// Of what the client has sent, the first `arriving` frames still reach the server.
    pub(crate) fn disconnect(&mut self, arriving: usize) {
        if let Some(mut line) = self.line.take() {
            line.up.truncate(arriving);
            line.down.clear();
            self.old_lines.push(line);
            self.conversation.disconnected();
        }
    }

    pub(crate) fn say(&mut self) {
        if self.conversation.say(text(&self.said.to_string())).is_ok() {
            self.said += 1;
        }
    }

    pub(crate) fn client_sends(&mut self) -> bool {
        let Some(line) = &mut self.line else { return false };
        let frame = self.conversation.next_frame();
        let any = frame.is_some();
        line.up.extend(frame);
        any
    }

    pub(crate) fn client_receives(&mut self) -> bool {
        let Some(frame) = self.line.as_mut().and_then(|line| line.down.pop_front()) else { return false };
        let seen = &mut self.seen;
        self.conversation.receive(frame, |event| match event {
            ClientEvent::Connected(welcome) => {
                seen.begins_after.get_or_insert(welcome.session.since);
            }
            ClientEvent::Entry { entry, own } => {
                let Event::Said { author, .. } = &entry.event else { return };
                seen.seqs.push(entry.seq);
                seen.own.push(own);
                seen.authors.push(author.clone());
            }
            ClientEvent::Missed(messages) => seen.missed += messages,
            ClientEvent::Unsure(texts) => {
                seen.unsure.extend(texts.iter().map(|text| text.as_str().parse::<u64>().unwrap()));
            }
            _ => {}
        });
        true
    }

    fn pull(&mut self) {
        let update = self.carrier.pull();
        for entry in update.entries {
            match entry.event {
                Event::Said { .. } => self.messages.push(entry),
                Event::Refused { .. } => self.refusals.push(entry),
                _ => {}
            }
        }
    }

    pub(crate) fn server_reads(&mut self) -> bool {
        let Some(mut line) = self.line.take() else { return false };
        let any = self.server_reads_from(&mut line);
        self.line = Some(line);
        any
    }

    fn server_reads_from(&mut self, line: &mut Line) -> bool {
        let Some(frame) = line.up.pop_front() else { return false };
        match frame {
            MemberFrame::Hello(hello) => self.welcome(line, &hello),
            MemberFrame::Say(text) => {
                // Refused if he has been replaced by then.
                let _said = self.carrier.attachment.say(line.member, text, self.time.now());
            }
            MemberFrame::Bye => {
                self.carrier.leave(line.member, LeaveReason::Quit);
                line.down.push_back(RoomFrame::Bye(LeaveReason::Quit));
            }
            MemberFrame::Who => {}
        }
        true
    }

    fn welcome(&mut self, line: &mut Line, hello: &Hello) {
        self.pull();
        let Some((welcome, start)) = self.carrier.attachment.welcome(line.member, hello, self.time.now())
        else {
            return;
        };
        line.down.push_back(RoomFrame::Welcome(welcome));
        let written = match start {
            Start::After(seq) => seq,
            Start::History(_) => welcome.session.since,
        };
        line.written = Some(written);
        line.refusal = self.refusals.partition_point(|refusal| refusal.seq < written);
    }

    pub(crate) fn server_writes(&mut self) -> bool {
        self.pull();
        let Some(Line { member, down, written: Some(written), refusal, .. }) = &mut self.line else {
            return false;
        };
        let head = self.messages.len() as u64;
        if *written < self.tail {
            let Accepted { messages: accepted, head } = self.carrier.attachment.accepted(*member);
            let (messages, next) = (self.tail - *written, self.tail + 1);
            down.push_back(RoomFrame::Skipped(Skipped { messages, next, head, accepted }));
            *written = self.tail;
            *refusal = self.refusals.partition_point(|refusal| refusal.seq < self.tail);
        } else if let Some(entry) = self.refusals.get(*refusal).filter(|entry| entry.seq <= *written) {
            down.push_back(RoomFrame::Entry(Arc::clone(entry)));
            *refusal += 1;
        } else if *written < head {
            down.push_back(RoomFrame::Entry(Arc::clone(&self.messages[usize::try_from(*written).unwrap()])));
            *written += 1;
        } else {
            return false;
        }
        true
    }

    /// The log goes on so fast that only its newest `left` messages are still held.
    pub(crate) fn overtake(&mut self, left: u64) {
        self.pull();
        self.tail = self.tail.max((self.messages.len() as u64).saturating_sub(left));
    }

    pub(crate) fn old_line(&mut self, ends: bool) {
        let Some(mut line) = self.old_lines.pop() else { return };
        if self.server_reads_from(&mut line) {
            self.old_lines.push(line);
        } else if ends {
            self.carrier.leave(line.member, LeaveReason::Lost);
        }
    }

    /// The network is kind again; everything comes to rest.
    pub(crate) fn settle(&mut self) {
        self.connect();
        for _ in 0..100_000 {
            let progress =
                [self.client_sends(), self.server_reads(), self.server_writes(), self.client_receives()];
            if !progress.contains(&true) {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    /// The numbers it said that reached the room, in the room's order.
    pub(crate) fn accepted(&self) -> Vec<u64> {
        let own = self.messages.iter().filter_map(|entry| match &entry.event {
            Event::Said { author: Author::Peer(peer), text } if self.addresses.contains(peer) => Some(text),
            _ => None,
        });
        own.map(|text| text.as_str().parse().unwrap()).collect()
    }

    /// The numbers it said that the host has refused.
    pub(crate) fn refused(&self) -> Vec<u64> {
        let why = self.refusals.iter().map(|entry| match &entry.event {
            Event::Refused { why, .. } => why.as_str().parse().unwrap(),
            other => panic!("{other} is no refusal"),
        });
        why.collect()
    }

    /// The checks that hold whatever has happened.
    pub(crate) fn check(&self) {
        let accepted = self.accepted();
        let mut times = BTreeMap::<u64, usize>::new();
        accepted.iter().for_each(|number| *times.entry(*number).or_default() += 1);
        let refused = self.refused();
        for number in 0..self.said {
            match times.get(&number) {
                None => assert!(
                    self.seen.unsure.contains(&number) || refused.contains(&number),
                    "{number} is lost without a word"
                ),
                Some(1) => {}
                Some(times) => panic!("{number} was said {times} times"),
            }
        }
        assert!(accepted.is_sorted(), "in order: {accepted:?}");
        assert_eq!(self.conversation.unconfirmed(), 0, "it knows of everything");

        assert!(
            self.seen.seqs.windows(2).all(|pair| pair[0] < pair[1]),
            "each once, in order: {:?}",
            self.seen.seqs
        );
        let since = self.messages.len() as u64 - self.seen.begins_after.unwrap();
        assert_eq!(self.seen.seqs.len() as u64 + self.seen.missed, since, "it has or knows of every message");
        for (own, author) in self.seen.own.iter().zip(&self.seen.authors) {
            let is_own = matches!(author, Author::Peer(peer) if self.addresses.contains(peer));
            assert_eq!(*own, is_own, "{author}");
        }
    }
}
