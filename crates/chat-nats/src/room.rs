//! The task of one room: publishes what is said here, and commits what comes back, whoever said it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::{Client, HeaderMap, Message, Subject, Subscriber, header};
use chat_core::journal::{Committer, Kept, Record};
use chat_core::{Event, MemberId, Origin, Text};
use futures_util::{FutureExt, StreamExt};
use serde::Deserialize;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout, timeout_at};

use crate::bucket::room_settings::RoomSettings;
use crate::exchange::Exchange;
use crate::hub::Hub;
use crate::journal::Job;
use crate::layout::Place;
use crate::limits::{
    BATCH_MAX, CHECK_TIMEOUT, GRACE, MANY_AT_ONCE, PAUSE_AFTER_MANY, PENDING_MAX, PUBLISH_ANSWER_TIMEOUT,
    PUBLISH_TIMEOUT, READS_MAX, RECONNECT_EVERY, RESERVATIONS_EVERY, ROOM_TICK, TELL_AFTER, TURN_MAX,
};
use crate::stream::follower::{Followed, Stored, follow};
use crate::stream::opening::Opened;
use crate::stream::pages::Pages;
use crate::stream::pending::Pending;
use crate::stream::record;

/// The code of a stream's answer that no later attempt would change: the message is too large, or the stream is sealed.
const NEVER: u16 = 400;

const ON_HOLD: &str = "Messages are on hold: the stream that all servers share does not answer. What you say waits, and is not lost";
const GOES_ON: &str = "Messages go on: the stream answers again";

/// The state of a room's task.
pub(crate) struct RoomTask {
    client: Client,
    jetstream: Context,
    place: Place,
    /// The subject that messages are published to.
    subject: Subject,
    committer: Committer,
    jobs: mpsc::Receiver<Job>,
    messages: Followed,
    /// The room's settings in the bucket, which all servers share.
    settings: RoomSettings,
    /// Messages to and from the room's tasks at other servers.
    exchange: Exchange,
    answers: Subscriber,
    /// The prefix of the subjects of answers.
    inbox: String,
    pending: Pending,
    /// The number of the last message that has come.
    last: u64,
    /// Messages that have come and are not committed yet.
    held: Vec<Kept>,
    /// They wait until then.
    commit_at: Instant,
    /// Since when the stream does not answer.
    silent_since: Option<Instant>,
    is_told: bool,
    reconnected: Instant,
    checks: (mpsc::Sender<Check>, mpsc::Receiver<Check>),
    is_checking: bool,
    /// The stream had this number when it was asked, and not all messages up to it have come yet.
    check: Option<(Instant, u64)>,
    reads: Arc<Semaphore>,
    reservations_looked_at: Instant,
}

/// The answer to "what is your last message?"
struct Check {
    asked: Instant,
    last: Option<u64>,
}

/// A stream's answer to a publish.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    seq: u64,
    error: Option<Refused>,
}

#[derive(Debug, Deserialize)]
struct Refused {
    code: u16,
    #[serde(default)]
    description: String,
}

/// Waits for the room, and then serves it until it is gone.
pub(crate) async fn serve(
    hub: &Hub,
    place: Place,
    opened: Opened,
    mut jobs: mpsc::Receiver<Job>,
    tells_all: Arc<AtomicBool>,
) {
    let Some(Job::Start(committer)) = jobs.recv().await else { return };
    let (client, jetstream) = (hub.client.clone(), hub.jetstream.clone());
    let inbox = client.new_inbox();
    let Ok(answers) = client.subscribe(format!("{inbox}.>")).await else { return };
    let exchange = Exchange::new(hub, &place, opened.block, committer.clone(), tells_all).await;
    let Some(exchange) = exchange else { return };
    let messages = follow(client.clone(), jetstream.clone(), &place.stream, &place.subject, opened.last + 1);
    let task = RoomTask {
        messages,
        settings: RoomSettings::new(hub, &place, committer.clone(), opened.revision),
        exchange,
        client,
        jetstream,
        subject: place.subject.as_str().into(),
        place,
        committer,
        jobs,
        answers,
        inbox,
        pending: Pending::default(),
        last: opened.last,
        held: Vec::new(),
        commit_at: Instant::now(),
        silent_since: None,
        is_told: false,
        reconnected: Instant::now(),
        checks: mpsc::channel(1),
        is_checking: false,
        check: None,
        reads: Arc::new(Semaphore::new(READS_MAX)),
        reservations_looked_at: Instant::now(),
    };
    task.run().await;
}

impl RoomTask {
    async fn run(mut self) {
        let mut tick = interval(ROOM_TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut gone_since: Option<Instant> = None;
        loop {
            self.publish().await;
            if gone_since.is_some_and(|since| self.pending.len() == 0 || since.elapsed() > GRACE) {
                self.commit();
                self.exchange.end().await;
                return self.settings.give_up().await;
            }
            let takes = gone_since.is_none() && self.pending.len() < PENDING_MAX;
            tokio::select! {
                job = self.jobs.recv(), if takes => {
                    let Some(job) = job else {
                        gone_since = Some(Instant::now());
                        continue;
                    };
                    self.take(job).await;
                    for _ in 1..TURN_MAX {
                        let Ok(job) = self.jobs.try_recv() else { break };
                        self.take(job).await;
                    }
                }
                batch = self.messages.batches.recv() => {
                    let Some(batch) = batch else { return };
                    self.came(batch);
                    if Instant::now() >= self.commit_at || self.held.len() >= BATCH_MAX {
                        self.commit();
                    }
                }
                () = sleep_until(self.commit_at), if !self.held.is_empty() => self.commit(),
                update = self.settings.next() => {
                    let Some(update) = update else { return };
                    self.settings.take(update, &mut self.pending);
                }
                message = self.exchange.next() => {
                    let Some(message) = message else { return };
                    self.exchange.take(&message).await;
                }
                answer = self.answers.next() => {
                    let Some(answer) = answer else { return };
                    self.answered(&answer);
                    for _ in 1..TURN_MAX {
                        let Some(answer) = self.answers.next().now_or_never().flatten() else { break };
                        self.answered(&answer);
                    }
                }
                Some(check) = self.checks.1.recv() => {
                    self.is_checking = false;
                    self.checked(&check);
                }
                _ = tick.tick() => self.look().await,
            }
        }
    }

    async fn take(&mut self, job: Job) {
        match job {
            Job::Start(_) => {}
            Job::Keep(record) => self.keep(record),
            Job::Send(what) => self.exchange.send(what).await,
            Job::Read(request) => {
                let (pages, reads) = (Pages::new(self.client.clone(), &self.place), Arc::clone(&self.reads));
                tokio::spawn(async move {
                    let Ok(_turn) = reads.acquire().await else { return };
                    let page = pages.read(request.query.clone()).await;
                    request.answer(page.map_err(|why| Text::lossy(&why)));
                });
            }
        }
    }

    fn keep(&mut self, record: Record) {
        let Record::Event { event: event @ Event::Said { from, .. }, unix_ms } = &record else {
            return self.settings.keep(record, &mut self.pending);
        };
        if let Some(payload) = record::encode(event, *unix_ms) {
            self.pending.push(*from, payload, record);
        }
    }

    /// Publishes the messages that may be published.
    async fn publish(&mut self) {
        if self.client.connection_state() != State::Connected {
            return; // what is not sent yet need not be sent twice
        }
        let now = Instant::now();
        for _ in 0..TURN_MAX {
            let Some((from, payload)) = self.pending.next(now) else { break };
            let Origin { member, number } = from;
            let mut headers = HeaderMap::new();
            headers.insert(header::NATS_MESSAGE_ID, format!("{member}/{number}"));
            let reply = format!("{}.{member}.{number}", self.inbox);
            let publish =
                self.client.publish_with_reply_and_headers(self.subject.clone(), reply, headers, payload);
            if !matches!(timeout_at(now + PUBLISH_TIMEOUT, publish).await, Ok(Ok(()))) {
                self.pending.not_sent(from);
                break;
            }
        }
    }

    fn came(&mut self, batch: Vec<Stored>) {
        for stored in batch {
            let kept = record::message(stored.seq, &stored.payload);
            if let Event::Said { from, .. } = &kept.event {
                self.pending.came(*from);
            }
            self.last = kept.seq;
            self.held.push(kept);
        }
        self.publish_again();
    }

    /// Commits the messages that have come. After many at once the next ones wait a moment, so that members are written
    /// to less often.
    fn commit(&mut self) {
        if self.held.is_empty() {
            return;
        }
        if self.held.len() >= MANY_AT_ONCE {
            self.commit_at = Instant::now() + PAUSE_AFTER_MANY;
        }
        self.committer.commit(std::mem::take(&mut self.held));
    }

    fn answered(&mut self, answer: &Message) {
        let Some(from) = origin(&answer.subject) else { return };
        // Without an answer of JetStream, such as "no responders", it counts as not answered.
        let Ok(Answer { seq, error }) = serde_json::from_slice(&answer.payload) else { return };
        match error {
            // It has come back before this answer, or was said through another server as well.
            None if seq <= self.last => self.pending.came(from),
            None => self.pending.stored(from, seq),
            // It has no leader or no space now (5xx), or is still busy with the same message, which came before (409).
            Some(Refused { code, description }) if code != NEVER => {
                tracing::debug!(code, description, "the stream takes no message now");
            }
            Some(Refused { description, .. }) => {
                let why = format!("the stream that all servers share does not take it: {description}");
                self.commit(); // its session hears of its earlier messages first
                self.committer.failed(self.pending.refused(from).into_iter().collect(), &why);
            }
        }
    }

    /// Looks whether the stream is silent, and does something about it.
    async fn look(&mut self) {
        self.settings.look();
        if self.reservations_looked_at.elapsed() > RESERVATIONS_EVERY {
            self.reservations_looked_at = Instant::now();
            self.committer.end_old_reservations();
        }
        self.exchange.look().await;
        let now = Instant::now();
        let late = self.pending.unanswered_since().filter(|&since| now - since > PUBLISH_ANSWER_TIMEOUT);
        let is_connected = self.client.connection_state() == State::Connected;
        let is_silent = late.is_some() || !self.messages.is_live() || !is_connected;
        if !is_silent {
            self.silent_since = None;
            if std::mem::take(&mut self.is_told) {
                self.committer.tell_everyone(GOES_ON);
            }
            return;
        }
        let since = *self.silent_since.get_or_insert(late.unwrap_or(now));
        if now - since > TELL_AFTER && !std::mem::replace(&mut self.is_told, true) {
            tracing::warn!(stream = self.place.stream, "the stream does not answer");
            self.committer.tell_everyone(ON_HOLD);
        }
        if is_connected && now - since > RECONNECT_EVERY && now - self.reconnected > RECONNECT_EVERY {
            // Perhaps this NATS server is cut off from the others.
            self.reconnected = now;
            let _it_is_gone_already = self.client.force_reconnect().await;
        }
        if late.is_some() && !std::mem::replace(&mut self.is_checking, true) {
            let (jetstream, stream, checks) =
                (self.jetstream.clone(), self.place.stream.clone(), self.checks.0.clone());
            tokio::spawn(async move {
                let info = async { jetstream.get_stream(stream).await.ok()?.get_info().await.ok() };
                let info = timeout(CHECK_TIMEOUT, info).await.ok().flatten();
                let last = info.map(|info| info.state.last_sequence);
                let _room_is_gone = checks.send(Check { asked: now, last }).await;
            });
        }
    }

    fn checked(&mut self, check: &Check) {
        let Some(last) = check.last else { return };
        if last < self.last {
            tracing::error!(
                stream = self.place.stream,
                last,
                seen = self.last,
                "the stream has lost messages that it had; restart all servers of the cluster"
            );
        }
        self.check = Some((check.asked, last));
        self.publish_again();
    }

    /// Publishes the messages again that are certainly not in the stream.
    fn publish_again(&mut self) {
        if let Some((asked, last)) = self.check.take_if(|(_, last)| *last <= self.last) {
            let again = self.pending.publish_again(asked, last);
            tracing::debug!(stream = self.place.stream, again, "messages are published again");
        }
    }
}

/// Which message an answer is about.
fn origin(subject: &str) -> Option<Origin> {
    let (rest, number) = subject.rsplit_once('.')?;
    let (_, member) = rest.rsplit_once('.')?;
    Some(Origin { member: MemberId::new(member.parse().ok()?), number: number.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_which_message_it_is_about() {
        let expected = Origin { member: MemberId::new(5), number: 17 };
        assert_eq!(origin("_INBOX.abc.5.17"), Some(expected));
        assert_eq!(origin("_INBOX.abc.x"), None);
    }

    #[test]
    fn answers_of_a_stream_are_understood() {
        let answer: Answer = serde_json::from_str(r#"{"stream":"s","seq":4,"duplicate":true}"#).unwrap();
        assert!(answer.seq == 4 && answer.error.is_none());
        let refusal =
            r#"{"error":{"code":400,"err_code":10054,"description":"too big"},"stream":"s","seq":0}"#;
        let answer: Answer = serde_json::from_str(refusal).unwrap();
        assert_eq!(answer.error.map(|error| error.code), Some(400));
    }
}
