//! A member that says numbered messages, connects again, and notes what it reads.

use std::time::{Duration, Instant};

use chat_core::ClientEvent;
use chat_core::client::Conversation;
use chat_proto::Text;

use super::link::Link;
use super::script::Over;

/// The pause before another attempt to connect.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

pub(super) struct Client {
    /// Everything it says begins with this and a colon.
    name: String,
    pub(super) over: Over,
    pub(super) conversation: Conversation,
    pub(super) link: Option<Link>,
    pub(super) retry_at: Option<Instant>,
    pub(super) links: usize,
    to_say: Vec<Text>,
    said: Vec<Text>,
    refused: Vec<Text>,
    /// Of these it was told that the room does not know.
    unsure: Vec<Text>,
    /// It has read everything up to this message, from the one of its join on.
    has: Option<(u64, u64)>,
    /// The messages that it has read, as they are shown.
    pub(super) read: Vec<String>,
}

impl Client {
    pub(super) fn new(name: String, over: Over, now: Instant) -> Self {
        Self {
            name,
            over,
            conversation: Conversation::new(0),
            link: None,
            retry_at: Some(now),
            links: 0,
            to_say: Vec::new(),
            said: Vec::new(),
            refused: Vec::new(),
            unsure: Vec::new(),
            has: None,
            read: Vec::new(),
        }
    }

    pub(super) fn say(&mut self, messages: usize) {
        let first = self.said.len() + self.to_say.len();
        let texts = (first..first + messages).map(|number| format!("{}: {number}.", self.name));
        self.to_say.extend(texts.map(|text| Text::one_line(&text).expect("it is short")));
    }

    pub(super) fn lose_link(&mut self, now: Instant) {
        self.link = None;
        self.conversation.disconnected();
        self.retry_at = Some(now + RETRY_PAUSE);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.link.as_ref().and_then(Link::deadline).into_iter().chain(self.retry_at).min()
    }

    /// Queues what it has to say.
    pub(super) fn speak(&mut self) {
        while !self.to_say.is_empty() && !self.conversation.is_full() {
            let text = self.to_say.remove(0);
            self.conversation.say(text.clone()).expect("it is not full");
            self.said.push(text);
        }
    }

    /// Takes what has arrived.
    pub(super) fn listen(&mut self, now: Instant) -> Result<(), String> {
        let Some(link) = &mut self.link else { return Ok(()) };
        let mut frames = Vec::new();
        let goes_on = link.read(&mut frames)?;
        let mut events = Vec::new();
        frames.into_iter().for_each(|frame| self.conversation.receive(frame, |event| events.push(event)));
        for event in events {
            self.event(event).map_err(|fault| format!("{}: {fault}", self.name))?;
        }
        if !goes_on {
            self.lose_link(now);
        }
        Ok(())
    }

    fn event(&mut self, event: ClientEvent) -> Result<(), String> {
        match event {
            ClientEvent::Connected { welcome, resumed } => {
                let since = welcome.session.since;
                if self.has.is_some() != resumed {
                    return Err(format!("it has {:?}, and its session was resumed: {resumed}", self.has));
                }
                self.has.get_or_insert((since, since));
            }
            ClientEvent::Entry { entry, .. } if entry.event.is_message() => {
                let Some((_, has)) = &mut self.has else {
                    return Err("an entry before the welcome".to_owned());
                };
                if entry.seq != *has + 1 {
                    return Err(format!("got message {} after {has}", entry.seq));
                }
                *has = entry.seq;
                self.read.push(entry.event.to_string());
            }
            ClientEvent::Refused { text: Some(text), .. } => self.refused.push(text),
            ClientEvent::Unsure(texts) => self.unsure.extend(texts),
            // It came after that.
            ClientEvent::Refused { text: None, .. } if !self.unsure.is_empty() => {}
            ClientEvent::Entry { .. } | ClientEvent::Direct(_) => {}
            event => return Err(format!("was told {event:?}")),
        }
        Ok(())
    }

    /// Whether it has said everything, knows what became of it, and has read up to message `head`.
    pub(super) fn is_done(&self, head: u64) -> bool {
        self.to_say.is_empty()
            && self.conversation.unconfirmed() == 0
            && self.has.is_some_and(|(_, has)| has == head)
    }

    pub(super) fn describe(&self) -> String {
        let Self { name, has, to_say, conversation, .. } = self;
        format!("{name} has {has:?}, is to say {}; {conversation:?}", to_say.len())
    }

    /// Checks what it has said and read against everything that the journal has. With `may_refuse` more may have been refused than a
    /// lane holds, and with `refusals_lost` a refusal may not have reached it.
    pub(super) fn check(&self, kept: &[String], may_refuse: bool, refusals_lost: bool) -> Result<(), String> {
        let name = &self.name;
        if !may_refuse && !self.unsure.is_empty() {
            return Err(format!("{name} was told that the room does not know of {:?}", self.unsure));
        }
        let since = self.has.map_or(0, |(since, _)| since);
        let since = usize::try_from(since).expect("it is as long as a list");
        if kept[since..] != self.read[..] {
            return Err(format!("{name} has read {:?} since {since}, and kept is {kept:?}", self.read));
        }
        let mine = format!("{name}: ");
        let shown = kept.iter().filter_map(|line| line.split_once("] ").map(|(_, text)| text));
        let shown: Vec<&str> = shown.filter(|text| text.starts_with(&mine)).collect();
        let mut rest = shown.iter().peekable();
        let mut missing = Vec::new();
        for text in &self.said {
            let is_refused = self.refused.contains(text);
            let is_kept = rest.next_if(|shown| **shown == text.as_str()).is_some();
            if is_kept && is_refused {
                return Err(format!("{name} was told that {text} was refused, and it is kept"));
            }
            if is_kept || is_refused || self.unsure.contains(text) {
                if !(missing.is_empty() || refusals_lost) {
                    return Err(format!("of {name}, {missing:?} is missing before {text}"));
                }
                missing.clear();
            } else {
                missing.push(text);
            }
        }
        match rest.next() {
            Some(text) => Err(format!("{text} is kept twice, or in another order: {shown:?}")),
            None if missing.is_empty() => Ok(()),
            None => Err(format!("of {name}, {missing:?} is missing")),
        }
    }
}
