//! The real room, a small server, a network that loses connections, and a conversation over them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_core::client::Conversation;
use chat_core::transport::{Membership, Start, Taken, Told};
use chat_core::{ClientEvent, Moderator, Room, RoomConfig, Verdict};
use chat_proto::{
    Direct, Entry, Event, Hello, Lagged, LeaveReason, MemberFrame, MemberId, PeerAddr, RoomFrame,
};

use crate::support::{Carrier, Time, room_with, text};

/// A connection between the conversation and the room, with the frames on their way.
struct Line {
    address: PeerAddr,
    came: Instant,
    /// `None` before its hello has arrived.
    member: Option<Membership>,
    up: VecDeque<MemberFrame>,
    down: VecDeque<RoomFrame>,
    /// The sequence number up to which the server has written.
    written: u64,
    /// Items of the direct lane that the server still has to write.
    direct: VecDeque<Arc<Direct>>,
}

/// The real room, a small server, a network that loses connections, and the conversation.
pub(crate) struct Net {
    _room: Room,
    pub(crate) carrier: Carrier,
    time: Time,
    /// Another member that speaks, too.
    pub(crate) other: Membership,
    messages: Vec<Arc<Entry>>,
    /// Messages up to this one have left the log.
    tail: u64,
    pub(crate) conversation: Conversation,
    line: Option<Line>,
    /// Connections that the client has given up and the server has not.
    old_lines: Vec<Line>,
    is_moderated: bool,
    connections: u64,
    /// The members of the room that the client has been.
    members: BTreeSet<MemberId>,
    said: u64,
    pub(crate) seen: Seen,
}

/// What the conversation has told its user.
#[derive(Default)]
pub(crate) struct Seen {
    begins_after: Option<u64>,
    pub(crate) seqs: Vec<u64>,
    pub(crate) missed: u64,
    pub(crate) unsure: BTreeSet<u64>,
    pub(crate) refused: BTreeSet<u64>,
    own: Vec<(bool, MemberId)>,
}

impl Net {
    pub(crate) fn new() -> Self {
        Self::with_moderator(None)
    }

    /// The moderator refuses one message of three and gives its number as the reason.
    pub(crate) fn moderated() -> Self {
        Self::with_moderator(Some(Moderator::new(|offer| match offer.text.as_str().parse::<u64>() {
            Ok(number) if number % 3 == 1 => Verdict::Refuse(offer.text.clone()),
            _ => Verdict::Accept,
        })))
    }

    fn with_moderator(moderator: Option<Moderator>) -> Self {
        let is_moderated = moderator.is_some();
        let (room, time) = room_with(RoomConfig::default().with_rate(None).with_moderator(moderator));
        let carrier = Carrier::new(&room, &time);
        let other = carrier.join("192.0.2.99:9");
        Self {
            _room: room,
            carrier,
            time,
            other,
            messages: Vec::new(),
            tail: 0,
            conversation: Conversation::new(0),
            line: None,
            old_lines: Vec::new(),
            is_moderated,
            connections: 0,
            members: BTreeSet::new(),
            said: 0,
            seen: Seen::default(),
        }
    }

    pub(crate) fn connect(&mut self) {
        if self.line.is_some() {
            return;
        }
        self.connections += 1;
        let address = format!("192.0.2.1:{}", self.connections).parse().unwrap();
        let up = VecDeque::from([MemberFrame::Hello(self.conversation.hello())]);
        let (down, direct) = (VecDeque::new(), VecDeque::new());
        self.time.pass(Duration::from_millis(1));
        self.line = Some(Line { address, came: self.time.now(), member: None, up, down, written: 0, direct });
    }

    /// Ends the connection. The first `arriving` frames of those that the client has sent still reach the server.
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
            ClientEvent::Connected { welcome, .. } => {
                seen.begins_after.get_or_insert(welcome.session.since);
                self.members.insert(welcome.session.member);
            }
            ClientEvent::Entry { entry, own } => {
                let Event::Said { from, .. } = &entry.event else { return };
                seen.seqs.push(entry.seq);
                seen.own.push((own, from.member));
            }
            ClientEvent::Refused { text, why } => {
                assert!(text.is_none_or(|text| text == why), "the host says what it was");
                assert!(seen.refused.insert(why.as_str().parse().unwrap()), "told once");
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
        self.messages.extend(update.entries.into_iter().filter(|entry| entry.event.is_message()));
        for Told { member, direct, .. } in update.direct {
            let lines = self.line.iter_mut().chain(&mut self.old_lines);
            if let Some(line) = lines.into_iter().find(|line| line.member == Some(member)) {
                line.direct.push_back(direct);
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
            MemberFrame::Say { number, text } => {
                let Some(member) = line.member else { return true };
                // This is an error if the session has gone on over another connection.
                let _said = self.carrier.attachment.say_numbered(member, number, text, self.time.now());
            }
            MemberFrame::Got { direct } => {
                line.member.iter().for_each(|&member| self.carrier.attachment.got(member, direct));
            }
            MemberFrame::Bye => {
                line.member.iter().for_each(|&member| self.carrier.leave(member, LeaveReason::Quit));
                line.down.push_back(RoomFrame::Bye(LeaveReason::Quit));
            }
            MemberFrame::Who | MemberFrame::LookBack { .. } | MemberFrame::Unknown { .. } => {}
        }
        true
    }

    fn welcome(&mut self, line: &mut Line, hello: &Hello) {
        let address = line.address.as_socket_addr();
        let now = self.time.now();
        let Ok(welcomed) = self.carrier.attachment.welcome(0, address, hello, line.came, now) else {
            return; // this connection was given up, and its hello arrives late
        };
        line.member = Some(welcomed.member);
        line.written = match welcomed.start {
            Start::After(seq) => seq,
            Start::History(_) => welcomed.welcome.session.since,
        };
        line.down.push_back(RoomFrame::Welcome(Box::new(welcomed.welcome)));
    }

    pub(crate) fn server_writes(&mut self) -> bool {
        self.pull();
        let Some(Line { member: Some(member), down, written, direct, .. }) = &mut self.line else {
            return false;
        };
        let head = self.messages.len() as u64;
        if let Some(direct) = direct.pop_front() {
            down.push_back(RoomFrame::Direct(direct));
        } else if *written < self.tail {
            let Taken { number: taken, head } = self.carrier.attachment.taken(*member);
            let (messages, next) = (self.tail - *written, self.tail + 1);
            down.push_back(RoomFrame::Lagged(Lagged { messages, next, head, taken }));
            *written = self.tail;
        } else if *written < head {
            down.push_back(RoomFrame::Entry(Arc::clone(&self.messages[usize::try_from(*written).unwrap()])));
            *written += 1;
        } else {
            return false;
        }
        true
    }

    /// The log moves on so fast that it holds only the newest `left` messages.
    pub(crate) fn overtake(&mut self, left: u64) {
        self.pull();
        self.tail = self.tail.max((self.messages.len() as u64).saturating_sub(left));
    }

    pub(crate) fn old_line(&mut self, ends: bool) {
        let Some(mut line) = self.old_lines.pop() else { return };
        if self.server_reads_from(&mut line) {
            self.old_lines.push(line);
        } else if ends {
            line.member.iter().for_each(|&member| self.carrier.leave(member, LeaveReason::Lost));
        }
    }

    /// From here on the network loses nothing. Runs until everything has arrived.
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

    /// The numbers of the conversation that reached the room, in the room's order.
    pub(crate) fn accepted(&self) -> Vec<u64> {
        let own = self.messages.iter().filter_map(|entry| match &entry.event {
            Event::Said { from, text, .. } if self.members.contains(&from.member) => Some(text),
            _ => None,
        });
        own.map(|text| text.as_str().parse().unwrap()).collect()
    }

    /// The checks that hold in every case.
    pub(crate) fn check(&self) {
        let accepted = self.accepted();
        let mut times = BTreeMap::<u64, usize>::new();
        accepted.iter().for_each(|number| *times.entry(*number).or_default() += 1);
        for number in 0..self.said {
            match times.get(&number) {
                None => assert!(
                    self.seen.unsure.contains(&number) || self.is_refused(number),
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
        for (own, member) in &self.seen.own {
            assert_eq!(*own, self.members.contains(member), "{member}");
        }
    }

    /// Whether the moderator refuses this number.
    fn is_refused(&self, number: u64) -> bool {
        self.is_moderated && number % 3 == 1
    }
}
