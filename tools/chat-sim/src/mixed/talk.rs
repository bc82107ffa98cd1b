//! The conversation of a framed member, for every transport.

use chat_core::{ClientEvent, Conversation};
use chat_proto::{LeaveReason, MemberFrame, RoomFrame, Text};

use super::follower::Follower;
use super::truth::Truth;

#[derive(Debug)]
pub(super) struct Talk {
    /// The member's name in this run. Everything it says begins with this and a colon.
    pub(super) who: String,
    pub(super) conversation: Conversation,
    pub(super) follower: Option<Follower>,
    to_say: Vec<Text>,
    said: Vec<Text>,
    /// Messages of which the member was told that the room may or may not have accepted them.
    unsure: Vec<Text>,
    says: usize,
    /// A welcome has arrived on this connection.
    pub(super) is_welcome: bool,
    pub(super) dismissed: Option<LeaveReason>,
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
            says: 0,
            is_welcome: false,
            dismissed: None,
        }
    }

    pub(super) fn say(&mut self, messages: usize) {
        for number in self.says..self.says + messages {
            self.to_say.push(Text::one_line(&format!("{}: {number}.", self.who)).expect("short"));
        }
        self.says += messages;
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
            (ClientEvent::Connected(welcome), follower) => {
                let since = welcome.session.since;
                let has = follower.get_or_insert_with(|| Follower::new(since, None)).has();
                self.is_welcome = true;
                // A member can only have read beyond its join if it was a plain listener until now.
                if since > has {
                    return Err(format!("is to go on after message {since}, and has read up to {has}"));
                }
            }
            (ClientEvent::Entry { entry, .. }, Some(follower)) => follower.entry(&entry, truth)?,
            (ClientEvent::Missed(messages), Some(follower)) => follower.missed(messages, truth)?,
            (ClientEvent::Unsure(texts), _) => self.unsure.extend(texts),
            (ClientEvent::Dismissed(reason), _) => self.dismissed = Some(reason),
            (ClientEvent::Present(_), _) => {}
            (event, _) => return Err(format!("{event:?} before the welcome")),
        }
        Ok(())
    }

    pub(super) fn next_frame(&mut self) -> Option<MemberFrame> {
        while !self.to_say.is_empty() && !self.conversation.is_full() {
            let text = self.to_say.remove(0);
            self.said.push(text.clone());
            self.conversation.say(text).expect("it is not full");
        }
        self.conversation.next_frame()
    }

    /// Call this when the connection is gone. True if the member has left with it.
    pub(super) fn disconnected(&mut self) -> bool {
        self.is_welcome = false;
        self.conversation.disconnected()
    }

    pub(super) fn is_up_to_date(&mut self, truth: &Truth) -> bool {
        self.follower.as_mut().is_some_and(|follower| follower.is_up_to_date(truth))
    }

    /// Whether the member has said everything, all of it is confirmed, and it has read everything.
    pub(super) fn is_done(&mut self, truth: &Truth) -> bool {
        self.to_say.is_empty() && self.conversation.unconfirmed() == 0 && self.is_up_to_date(truth)
    }

    /// Checks that the log has what the member said, once and in its order. Every message that the member knows to be
    /// confirmed must be there. The others may be there.
    pub(super) fn check(&self, truth: &Truth) -> Result<(), String> {
        let confirmed = self.said.len().saturating_sub(self.conversation.unconfirmed());
        let mut taken = truth.said(&self.who).iter().peekable();
        for (number, text) in self.said.iter().enumerate() {
            let is_taken = taken.next_if_eq(&text).is_some();
            if !is_taken && number < confirmed && !self.unsure.contains(text) {
                return Err(format!("{text:?} is missing, or not in its place"));
            }
        }
        match taken.next() {
            None => Ok(()),
            Some(text) => Err(format!("{text:?} was said twice, or in another order")),
        }
    }
}
