//! The conversation of a framed member, for every transport.

use chat_core::ClientEvent;
use chat_core::client::Conversation;
use chat_proto::{DirectItem, LeaveReason, MemberFrame, RoomFrame, Text, Welcome};

use super::follower::Follower;
use super::truth::{InRoom, Truth};

#[derive(Debug)]
pub(super) struct Talk {
    /// The member's name in this run. Everything it says begins with this and a colon.
    pub(super) who: String,
    pub(super) conversation: Conversation,
    pub(super) follower: Option<Follower>,
    /// Lines to say, commands among them.
    to_say: Vec<Text>,
    said: Vec<Text>,
    /// Messages of which the member was told that the room may or may not have accepted them.
    unsure: Vec<Text>,
    /// Messages that the room has refused.
    refused: Vec<Text>,
    says: usize,
    /// A welcome has arrived on this connection.
    pub(super) is_welcome: bool,
    pub(super) dismissed: Option<LeaveReason>,
    /// The name by which the others know the member, or its present address.
    pub(super) shown: Option<String>,
    /// The newest message of its room when it asked to go to another one. It is to get everything up to this one first, or be told
    /// what it missed.
    goes_after: Option<u64>,
    /// What the follower of rooms before counted.
    before: (u64, u64),
}

impl Talk {
    pub(super) fn new(who: String) -> Self {
        Self {
            who,
            conversation: Conversation::new(0),
            follower: None,
            to_say: Vec::new(),
            said: Vec::new(),
            unsure: Vec::new(),
            refused: Vec::new(),
            says: 0,
            is_welcome: false,
            dismissed: None,
            shown: None,
            goes_after: None,
            before: (0, 0),
        }
    }

    pub(super) fn say(&mut self, messages: usize) {
        for number in self.says..self.says + messages {
            self.command(&format!("{}: {number}.", self.who));
        }
        self.says += messages;
    }

    pub(super) fn command(&mut self, line: &str) {
        self.to_say.push(Text::one_line(line).expect("short"));
    }

    /// Which member it is.
    pub(super) fn member(&self) -> Option<InRoom> {
        Some((self.follower.as_ref()?.room, self.conversation.member()?))
    }

    pub(super) fn receive(&mut self, frame: RoomFrame, truth: &Truth) -> Result<(), String> {
        let mut events = Vec::new();
        self.conversation.receive(frame, |event| events.push(event));
        for event in events {
            self.event(event, truth)?;
        }
        Ok(())
    }

    fn event(&mut self, event: ClientEvent, truth: &Truth) -> Result<(), String> {
        match (event, &mut self.follower) {
            (ClientEvent::Connected { welcome, .. }, _) => self.connected(&welcome, truth)?,
            (ClientEvent::Entry { entry, .. }, Some(follower)) => {
                if let (chat_proto::Event::Renamed { member, to, .. }, Some(mine)) =
                    (&entry.event, self.conversation.member())
                    && *member == mine
                {
                    self.shown = Some(to.to_string());
                }
                follower.entry(&entry, truth)?;
            }
            (ClientEvent::Missed(messages), Some(follower)) => follower.missed(messages, truth)?,
            (ClientEvent::Unsure(texts), _) => self.unsure.extend(texts),
            (ClientEvent::Refused { text: Some(text), .. }, _) => self.refused.push(text),
            // It goes to another room, and the old one has told it everything.
            (ClientEvent::Dismissed(LeaveReason::Quit), Some(follower)) if self.conversation.moves() => {
                let until = self.goes_after.take().unwrap_or(0);
                if follower.next(truth).is_some_and(|next| next.seq <= until) {
                    return Err(format!("left a room before it had everything up to {until}: {follower:?}"));
                }
            }
            (ClientEvent::Dismissed(reason), _) => self.dismissed = Some(reason),
            (ClientEvent::Direct(item), _) => self.direct(item, truth)?,
            (ClientEvent::Present(_), _) => {}
            (event, _) => return Err(format!("{event:?} before the welcome")),
        }
        Ok(())
    }

    fn connected(&mut self, welcome: &Welcome, truth: &Truth) -> Result<(), String> {
        let since = welcome.session.since;
        let room = welcome.room.as_ref().map(Text::as_str);
        let room = truth.place_of(room).ok_or_else(|| format!("was welcomed in {room:?}"))?;
        self.is_welcome = true;
        self.shown = Some(welcome.you.to_string());
        if let Some(left) = self.follower.take_if(|follower| follower.room != room) {
            self.before = (self.before.0 + left.delivered, self.before.1 + left.missed);
        }
        let follower = self.follower.get_or_insert_with(|| Follower::new(room, since, None));
        if welcome.resumed {
            follower.resumed();
        } else {
            self.goes_after = None;
            truth.whispers().begins_anew(&self.who);
        }
        // A member can only have read beyond its join if it was a plain listener until now.
        if since > follower.has() {
            return Err(format!("is to go on after message {since}, and has read up to {}", follower.has()));
        }
        Ok(())
    }

    fn direct(&mut self, item: DirectItem, truth: &Truth) -> Result<(), String> {
        let mut whispers = truth.whispers();
        match item {
            DirectItem::Private { text, .. } => whispers.arrived(&self.who, text.as_str()),
            DirectItem::Sent { text, .. } => whispers.taken(text.as_str()),
            DirectItem::Undelivered { .. } => {
                whispers.undelivered(&self.who);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn next_frame(&mut self, truth: &Truth) -> Option<MemberFrame> {
        while !self.to_say.is_empty() && !self.conversation.is_full() {
            let text = self.to_say.remove(0);
            self.said.push(text.clone());
            self.conversation.command(text).expect("it is not full");
        }
        let frame = self.conversation.next_frame();
        if let (Some(MemberFrame::Say { text, .. }), Some(follower)) = (&frame, &self.follower)
            && text.as_str().starts_with("/join")
        {
            self.goes_after.get_or_insert(truth.room(follower.room).head());
        }
        frame
    }

    /// Whether it has asked to go to another room, and may be on its way.
    pub(super) fn goes_to_another_room(&self) -> bool {
        self.goes_after.is_some()
    }

    /// Call this when the connection is gone. True if the member has left with it.
    pub(super) fn disconnected(&mut self) -> bool {
        self.is_welcome = false;
        self.conversation.disconnected()
    }

    pub(super) fn is_up_to_date(&mut self, truth: &Truth) -> bool {
        self.follower.as_mut().is_some_and(|follower| follower.is_up_to_date(truth))
    }

    /// Whether the member has said everything, all of it is confirmed, it has read everything, and no private message is
    /// on its way from it.
    pub(super) fn is_done(&mut self, truth: &Truth) -> bool {
        self.to_say.is_empty()
            && self.conversation.unconfirmed() == 0
            && !self.conversation.moves()
            && self.is_up_to_date(truth)
            && truth.whispers().lost(&self.who).is_none()
    }

    /// Checks that the log has what the member said, once and in its order. Every message that the member knows to be
    /// confirmed must be there, and none that was refused. The others may be there.
    pub(super) fn check(&self, truth: &Truth) -> Result<(), String> {
        let confirmed = self.said.len().saturating_sub(self.conversation.unconfirmed());
        let mut taken: Vec<_> =
            truth.said(&self.who).into_iter().map(|texts| texts.iter().peekable()).collect();
        for (number, text) in self.said.iter().enumerate() {
            if text.as_str().starts_with('/') {
                continue;
            }
            let is_taken = taken.iter_mut().any(|taken| taken.next_if_eq(&text).is_some());
            let is_refused = self.refused.contains(text);
            if is_taken && is_refused {
                return Err(format!("{text:?} was refused, and said"));
            }
            if !is_taken && !is_refused && number < confirmed && !self.unsure.contains(text) {
                return Err(format!("{text:?} is missing, or not in its place"));
            }
        }
        match taken.iter_mut().find_map(Iterator::next) {
            None => Ok(()),
            Some(text) => Err(format!("{text:?} was said twice, or in another order")),
        }
    }

    /// How many messages the member got, and how many it was told it missed.
    pub(super) fn tally(&self) -> (u64, u64) {
        let now = self.follower.as_ref().map_or((0, 0), |follower| (follower.delivered, follower.missed));
        (self.before.0 + now.0, self.before.1 + now.1)
    }
}
