//! Messages between the tasks of one room at several servers, beside the stream: who is present, private messages and
//! kicks. None of it is stored.

pub(crate) mod others;
pub(crate) mod seal;
pub(crate) mod server_messages;
pub(crate) mod servers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_nats::connection::State;
use async_nats::{Client, Message, Subscriber};
use bytes::Bytes;
use chat_core::journal::Committer;
use chat_core::other_servers::{Elsewhere, Outbound};
use chat_core::{Author, MemberId, Text};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use crate::exchange::others::{Change, Member, Others, Told};
use crate::exchange::seal::Seal;
use crate::exchange::server_messages::{Content, ServerMessage, ServerMessages, Waiting};
use crate::exchange::servers::{ServerId, Servers};
use crate::hub::Hub;
use crate::layout::Place;
use crate::limits::{MEMBERS_BEAT, PART_MAX, PUBLISH_TIMEOUT};

const UNREACHABLE: &str = "the other servers cannot be reached now";
const TOO_MANY: &str = "too many private messages are on their way to other servers";
const SILENT: &str = "its server does not answer, and may have it all the same";

/// The messages of one room to other servers, and from them.
pub(crate) struct Exchange {
    client: Client,
    seal: Arc<Seal>,
    servers: Arc<Servers>,
    committer: Committer,
    /// What people call this server.
    at: String,
    /// Where servers tell of their members.
    presence: String,
    /// The prefix and the suffix of the subjects of messages.
    messages_to: (String, String),
    told: Subscriber,
    received: Subscriber,
    others: Others,
    server_messages: ServerMessages,
    /// Which task of this room at this server: a later one has a greater number.
    task: u64,
    /// How many changes of the members here were told.
    number: u64,
    changes: Vec<Change>,
    /// Some changes were not told: all members are told of instead.
    tells_all: Arc<AtomicBool>,
    has_asked: bool,
    beat_at: Instant,
    /// To be published, in this order.
    outgoing: Vec<(String, Bytes)>,
}

impl Exchange {
    /// `task` is greater than that of every earlier task for this room at this server. `None` if the connection is
    /// closed.
    pub(crate) async fn new(
        hub: &Hub,
        place: &Place,
        task: u64,
        committer: Committer,
        tells_all: Arc<AtomicBool>,
    ) -> Option<Self> {
        let (client, servers) = (hub.client.clone(), Arc::clone(&hub.servers));
        let presence = hub.subject(&format!("present.{}", place.key));
        let messages_to = (hub.subject("to"), place.key.clone());
        let told = client.subscribe(presence.clone()).await.ok()?;
        let own = format!("{}.{}.{}", messages_to.0, servers.me(), messages_to.1);
        let received = client.subscribe(own).await.ok()?;
        let at = hub.server_name();
        Some(Self {
            client,
            seal: Arc::clone(&hub.seal),
            servers,
            committer,
            at,
            presence,
            messages_to,
            told,
            received,
            others: Others::default(),
            server_messages: ServerMessages::default(),
            task,
            number: 0,
            changes: Vec::new(),
            tells_all,
            has_asked: false,
            beat_at: Instant::now(),
            outgoing: Vec::new(),
        })
    }

    /// The next thing that another server has said.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        tokio::select! {
            told = self.told.next() => told,
            message = self.received.next() => message,
        }
    }

    /// Takes it in. A message that is not of a server of this cluster is ignored.
    pub(crate) async fn take(&mut self, message: &Message) {
        let subject = message.subject.as_str();
        if subject == self.presence {
            if let Some(told) = self.seal.open::<Told>(subject, &message.payload) {
                self.hear(told);
            }
        } else if let Some(server_message) = self.seal.open::<ServerMessage>(subject, &message.payload)
            && self.server_messages.is_new(&server_message)
        {
            self.read(server_message);
        }
        self.publish().await;
    }

    /// Sends what the room has for other servers.
    pub(crate) async fn send(&mut self, what: Outbound) {
        match what {
            Outbound::Here(member) => self.changes.push(Change::Here(Member::from(&member))),
            Outbound::Gone { member, reason } => {
                self.changes.push(Change::Gone { member: member.as_u64(), reason });
            }
            Outbound::Private { from, author, to, recipient, text } => {
                self.send_private(from, &author, to, recipient, &text);
            }
            Outbound::Undelivered { sender, to, why } => {
                let (to, why) = (to.to_string(), why.as_str().to_owned());
                let content = Content::Undelivered { sender: sender.as_u64(), to, why };
                self.write_to(sender, content);
            }
            Outbound::Kick { member, reason } => {
                self.write_to(member, Content::Kick { member: member.as_u64(), reason });
            }
            _ => {}
        }
        self.publish().await;
    }

    /// Does the work that is due.
    pub(crate) async fn look(&mut self) {
        let now = Instant::now();
        let is_connected = self.client.connection_state() == State::Connected;
        let gone = self.others.look(&self.servers, is_connected);
        self.tell(gone);
        while let Some(Waiting { sender, to, .. }) = self.server_messages.late(now) {
            self.not_delivered(sender, to, SILENT);
        }
        if !is_connected {
            // The others notice it by the number, and ask.
            self.number += u64::from(!self.changes.is_empty());
            self.changes.clear();
            return;
        }
        let me = self.servers.me().clone();
        if !std::mem::replace(&mut self.has_asked, true) {
            self.say(&Told::Ask { server: me.clone(), whom: None });
        }
        for changes in std::mem::take(&mut self.changes).chunks(PART_MAX) {
            self.number += 1;
            let (task, number, at) = (self.task, self.number, self.at.clone());
            self.say(&Told::Changes { server: me.clone(), task, at, number, changes: changes.to_vec() });
        }
        if self.tells_all.swap(false, Ordering::Relaxed) {
            let members: Vec<Member> = self.committer.members().iter().map(Member::from).collect();
            self.say_all(&members);
        }
        let asks: Vec<ServerId> = self.others.take_asks().collect();
        for whom in asks {
            self.say(&Told::Ask { server: me.clone(), whom: Some(whom) });
        }
        if now >= self.beat_at {
            self.beat_at = now + MEMBERS_BEAT;
            self.say(&Told::Beat { server: me, task: self.task, number: self.number });
        }
        self.publish().await;
    }

    /// The room is gone, and nobody is here any more.
    pub(crate) async fn end(&mut self) {
        self.look().await;
        self.say_all(&[]);
        self.publish().await;
    }

    // ---- presence ------------------------------------------------------------------------------

    fn hear(&mut self, told: Told) {
        match &told {
            Told::Ask { server, whom } if server != self.servers.me() => {
                if whom.as_ref().is_none_or(|whom| whom == self.servers.me()) {
                    self.tells_all.store(true, Ordering::Relaxed);
                }
                return;
            }
            Told::Changes { server, .. } | Told::Whole { server, .. } | Told::Beat { server, .. } => {
                self.servers.notice(server);
                // A message of a server that is gone may come late.
                if server == self.servers.me() || self.servers.is_gone(server) {
                    return;
                }
            }
            Told::Ask { .. } | Told::Unknown => return,
        }
        let elsewhere = self.others.hear(told);
        self.tell(elsewhere);
    }

    fn say(&mut self, told: &Told) {
        let sealed = self.seal.close(&self.presence, told);
        self.outgoing.push((self.presence.clone(), sealed));
    }

    fn say_all(&mut self, members: &[Member]) {
        // A number of its own, so that a server that misses a part of it notices that by the next beat.
        self.number += 1;
        let parts = members.len().div_ceil(PART_MAX).max(1);
        for part in 0..parts {
            let members = members.iter().skip(part * PART_MAX).take(PART_MAX).cloned().collect();
            let (server, at) = (self.servers.me().clone(), self.at.clone());
            let (task, number) = (self.task, self.number);
            self.say(&Told::Whole { server, task, at, number, members, part, parts });
        }
    }

    // ---- messages of one server to another -----------------------------------------------------

    fn read(&mut self, server_message: ServerMessage) {
        let ServerMessage { server, task, number, content } = server_message;
        match content {
            Content::Private { from, author, to, text } => {
                let (author, text) = (Author::from_shown(&author), Text::lossy(&text));
                let result = self.committer.deliver(MemberId::new(from), author, MemberId::new(to), text);
                let why = result.err().map(|error| error.to_string());
                self.write(&server, Content::Answer { to_task: task, to_number: number, why });
            }
            Content::Answer { to_task, to_number, why } => {
                if to_task == self.task
                    && let Some(Waiting { sender, to, .. }) =
                        self.server_messages.answered(&server, to_number)
                    && let Some(why) = why
                {
                    self.not_delivered(sender, to, &why);
                }
            }
            Content::Undelivered { sender, to, why } => {
                self.not_delivered(MemberId::new(sender), Author::from_shown(&to), &why);
            }
            Content::Kick { member, reason } => {
                self.tell(vec![Elsewhere::Kick { member: MemberId::new(member), reason }]);
            }
            Content::Unknown => {}
        }
    }

    fn send_private(
        &mut self,
        from: MemberId,
        author: &Author,
        to: MemberId,
        recipient: Author,
        text: &Text,
    ) {
        let why = match self.others.server_of(to).cloned() {
            None => "no such member is here",
            Some(_) if self.client.connection_state() != State::Connected => UNREACHABLE,
            Some(_) if !self.server_messages.has_room() => TOO_MANY,
            Some(server) => {
                let (author, text) = (author.to_string(), text.as_str().to_owned());
                let content = Content::Private { from: from.as_u64(), author, to: to.as_u64(), text };
                let number = self.write(&server, content);
                return self.server_messages.wait(server, number, from, recipient, Instant::now());
            }
        };
        self.not_delivered(from, recipient, why);
    }

    /// Writes to the server of a member.
    fn write_to(&mut self, member: MemberId, content: Content) {
        if let Some(server) = self.others.server_of(member).cloned() {
            self.write(&server, content);
        }
    }

    fn write(&mut self, server: &ServerId, content: Content) -> u64 {
        let number = self.server_messages.next_number();
        let (prefix, key) = &self.messages_to;
        let subject = format!("{prefix}.{server}.{key}");
        let server_message =
            ServerMessage { server: self.servers.me().clone(), task: self.task, number, content };
        let sealed = self.seal.close(&subject, &server_message);
        self.outgoing.push((subject, sealed));
        number
    }

    fn not_delivered(&self, sender: MemberId, to: Author, why: &str) {
        self.tell(vec![Elsewhere::Undelivered { sender, to, why: Text::lossy(why) }]);
    }

    fn tell(&self, elsewhere: Vec<Elsewhere>) {
        if !elsewhere.is_empty() {
            self.committer.elsewhere(elsewhere);
        }
    }

    async fn publish(&mut self) {
        let by = Instant::now() + PUBLISH_TIMEOUT;
        for (subject, sealed) in self.outgoing.drain(..) {
            // A loss is noticed: changes by their numbers, messages by the missing answer.
            let _lost = timeout_at(by, self.client.publish(subject, sealed)).await;
        }
    }
}
