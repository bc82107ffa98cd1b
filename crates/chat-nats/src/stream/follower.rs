//! Reads a stream from some message on, in order and without gaps, for ever.
//!
//! The consumer lives at one NATS server, and dies with it without a word. So it has to be heard: it says twice a
//! second that it is there. When it falls silent, or something was lost on the way, another one is made that goes on
//! after the last message.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::limits::{BATCH_MAX, BATCHES_MAX, CREATE_RETRY, CREATE_TIMEOUT, HEARTBEAT, LEFT_BEHIND, SILENCE};
use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, push};
use async_nats::{Client, HeaderMap, Message, StatusCode, Subject, Subscriber};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// A message of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) seq: u64,
    pub(crate) payload: Bytes,
    /// The subject that it was published to.
    pub(crate) subject: Subject,
    pub(crate) headers: Option<HeaderMap>,
}

impl Stored {
    /// Whether it says that the value under its subject is deleted.
    pub(crate) fn is_deletion(&self) -> bool {
        let has = |name: &str| self.headers.as_ref().is_some_and(|headers| headers.get(name).is_some());
        has("KV-Operation") || has("Nats-Marker-Reason")
    }
}

/// The near end of a reader.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) batches: mpsc::Receiver<Vec<Stored>>,
    is_live: Arc<AtomicBool>,
}

impl Followed {
    /// Whether the consumer is heard.
    pub(crate) fn is_live(&self) -> bool {
        self.is_live.load(Ordering::Relaxed)
    }
}

/// Follows a stream from message `next` on: all of it, or the messages to the subject `filter`. It ends when its near
/// end is dropped.
pub(crate) fn follow(client: Client, jetstream: Context, stream: &str, filter: &str, next: u64) -> Followed {
    let (batches, receiver) = mpsc::channel(BATCHES_MAX);
    let is_live = Arc::new(AtomicBool::new(true));
    let follower = Follower {
        client,
        jetstream,
        stream: stream.to_owned(),
        filter: filter.to_owned(),
        next,
        delivered: 0,
        batches,
        is_live: Arc::clone(&is_live),
    };
    tokio::spawn(follower.run());
    Followed { batches: receiver, is_live }
}

struct Follower {
    client: Client,
    jetstream: Context,
    stream: String,
    filter: String,
    /// The number of the next message.
    next: u64,
    /// How many messages the present consumer has delivered.
    delivered: u64,
    batches: mpsc::Sender<Vec<Stored>>,
    is_live: Arc<AtomicBool>,
}

/// The meaning of a message of the consumer.
enum Heard {
    Message(Stored),
    /// It is there, and nothing was lost.
    Alive,
    /// A message was lost on the way.
    Gap,
}

impl Follower {
    async fn run(mut self) {
        while !self.batches.is_closed() {
            match timeout(CREATE_TIMEOUT, self.consumer()).await {
                Ok(Ok(subscriber)) => {
                    self.delivered = 0;
                    self.read(subscriber).await;
                }
                Ok(Err(error)) => {
                    self.is_live.store(false, Ordering::Relaxed);
                    tracing::debug!(stream = self.stream, error, "no consumer can be made");
                    sleep(CREATE_RETRY).await;
                }
                Err(_) => self.is_live.store(false, Ordering::Relaxed),
            }
        }
    }

    async fn consumer(&self) -> Result<Subscriber, String> {
        let deliver_subject = self.client.new_inbox();
        let subscriber =
            self.client.subscribe(deliver_subject.clone()).await.map_err(|error| error.to_string())?;
        let config = push::Config {
            deliver_subject,
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.next },
            ack_policy: AckPolicy::None,
            filter_subject: self.filter.clone(),
            flow_control: true,
            idle_heartbeat: HEARTBEAT,
            memory_storage: true,
            num_replicas: 1,
            inactive_threshold: LEFT_BEHIND,
            max_deliver: 1,
            ..push::Config::default()
        };
        self.jetstream
            .create_consumer_on_stream(config, self.stream.as_str())
            .await
            .map_err(|error| error.to_string())?;
        Ok(subscriber)
    }

    /// Until the consumer is of no use any more.
    async fn read(&mut self, mut subscriber: Subscriber) {
        loop {
            let Ok(Some(message)) = timeout(SILENCE, subscriber.next()).await else {
                tracing::debug!(stream = self.stream, "the consumer is silent");
                return;
            };
            let mut batch = Vec::new();
            let mut next = Some(message);
            let mut is_whole = true;
            while let Some(message) = next.take() {
                match self.hear(message).await {
                    Heard::Message(stored) => batch.push(stored),
                    Heard::Alive => {}
                    Heard::Gap => {
                        is_whole = false;
                        break;
                    }
                }
                if batch.len() < BATCH_MAX {
                    next = subscriber.next().now_or_never().flatten();
                }
            }
            self.is_live.store(true, Ordering::Relaxed);
            if !batch.is_empty() && self.batches.send(batch).await.is_err() {
                return;
            }
            if !is_whole {
                tracing::debug!(stream = self.stream, after = self.next, "a message was lost on the way");
                return;
            }
        }
    }

    async fn hear(&mut self, message: Message) -> Heard {
        if message.status == Some(StatusCode::IDLE_HEARTBEAT) {
            let header = |name: &str| message.headers.as_ref()?.get(name).map(ToString::to_string);
            // It waits for our reply before it sends more.
            if let Some(subject) =
                message.reply.as_ref().map(ToString::to_string).or_else(|| header("Nats-Consumer-Stalled"))
            {
                let _lost_with_the_connection = self.client.publish(subject, Bytes::new()).await;
            }
            let delivered = header("Nats-Last-Consumer").and_then(|number| number.parse::<u64>().ok());
            return match delivered {
                Some(delivered) if delivered != self.delivered => Heard::Gap,
                _ => Heard::Alive,
            };
        }
        let Some((seq, delivered)) = message.reply.as_deref().and_then(numbers) else { return Heard::Alive };
        if delivered != self.delivered + 1 {
            return Heard::Gap;
        }
        self.delivered = delivered;
        self.next = seq + 1;
        let Message { payload, subject, headers, .. } = message;
        Heard::Message(Stored { seq, payload, subject, headers })
    }
}

/// The number in the stream, and the one at the consumer, from the subject where an acknowledgement would go:
/// `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>`, where newer servers have a
/// domain and an account after `ACK` (ADR-15).
fn numbers(reply: &str) -> Option<(u64, u64)> {
    let tokens = reply.strip_prefix("$JS.ACK.")?.split('.');
    let before = if tokens.clone().count() >= 9 { 5 } else { 3 };
    let mut numbers = tokens.skip(before).map(|token| token.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_an_acknowledgement_have_the_numbers() {
        assert_eq!(numbers("$JS.ACK.chat_room.abc.1.17.3.1700000000.0"), Some((17, 3)));
        assert_eq!(numbers("$JS.ACK._.hash.chat_room.abc.1.17.3.1700000000.0.rnd"), Some((17, 3)));
        assert_eq!(numbers("$JS.ACK.chat_room"), None);
        assert_eq!(numbers("_INBOX.x"), None);
    }
}
