//! Plain clients of JetStream without a chat: as many as there are chat servers, with a stream of their own on the same NATS
//! servers. Each consumes the whole stream, as a chat server does.

use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, push};
use async_nats::jetstream::{self, Context, stream};
use async_nats::{HeaderMap, Subscriber};
use chat_testkit::NatsServers;
use futures_util::{StreamExt, stream as streams};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use super::{PATIENCE, SERVERS, pause_of_each, share_of_each};
use crate::clock;
use crate::failure::{Failure, Result};
use crate::latency::Latencies;

/// About as many bytes as a room's message has in the stream.
const PAYLOAD_BYTES: usize = 180;

struct Client {
    jetstream: Context,
    messages: Subscriber,
}

/// The clients together publish `per_second` messages per second for this long. Each message is timed on its way to each
/// client.
pub(super) fn publish_to_consume(
    nats: &NatsServers,
    name: &'static str,
    per_second: u32,
    time: Duration,
) -> Result<Latencies> {
    runtime()?.block_on(async {
        let (count, pause) = (share_of_each(per_second, time), pause_of_each(per_second));
        let clients = open(nats, name).await?;
        let began = clock::now();
        let mut timed = JoinSet::new();
        for (client, Client { jetstream, messages }) in clients.into_iter().enumerate() {
            let publisher = tokio::spawn(publish_paced(jetstream, name, client, count, pause, began));
            timed.spawn(async move {
                let latencies = consume(messages, count * u64::from(SERVERS), began).await?;
                publisher.await??;
                Ok::<_, Failure>(latencies)
            });
        }
        let mut all = Latencies::default();
        while let Some(latencies) = timed.join_next().await {
            all.merge(&latencies??);
        }
        Ok(all)
    })
}

async fn consume(mut messages: Subscriber, count: u64, began: Instant) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    for _ in 0..count {
        let message = timeout(PATIENCE, messages.next()).await?;
        let message = message.ok_or_else(|| Failure::new("a consumer has ended"))?;
        let at = message.payload.first_chunk().map_or(0, |at| u64::from_be_bytes(*at));
        latencies.add(began.elapsed().saturating_sub(Duration::from_nanos(at)));
    }
    Ok(latencies)
}

async fn publish_paced(
    jetstream: Context,
    name: &'static str,
    client: usize,
    count: u64,
    pause: Duration,
    began: Instant,
) -> Result<()> {
    let mut tick = interval(pause);
    let mut acknowledged = JoinSet::new();
    for number in 0..count {
        tick.tick().await;
        let id = format!("{client}/{number}");
        acknowledged.spawn(publish(&jetstream, name, id, began.elapsed()).await?.into_future());
    }
    while let Some(acknowledgement) = timeout(PATIENCE, acknowledged.join_next()).await? {
        acknowledgement??;
    }
    Ok(())
}

/// One client publishes `count` messages as fast as they are acknowledged, `in_flight_max` at a time, and all clients consume
/// them. Returns the messages per second.
pub(super) fn publish_rate(
    nats: &NatsServers,
    name: &'static str,
    count: u64,
    in_flight_max: usize,
) -> Result<f64> {
    runtime()?.block_on(async {
        let clients = open(nats, name).await?;
        let jetstream = clients[0].jetstream.clone();
        for Client { mut messages, .. } in clients {
            tokio::spawn(async move { while messages.next().await.is_some() {} });
        }
        let publisher = tokio::spawn(async move {
            let began = clock::now();
            let published = streams::iter(0..count).map(|number| {
                let (jetstream, id) = (&jetstream, number.to_string());
                async move { Ok::<_, Failure>(publish(jetstream, name, id, Duration::ZERO).await?.await?) }
            });
            let mut acknowledged = published.buffer_unordered(in_flight_max);
            while let Some(acknowledgement) = timeout(PATIENCE, acknowledged.next()).await? {
                acknowledgement?;
            }
            Ok(count as f64 / began.elapsed().as_secs_f64())
        });
        publisher.await?
    })
}

/// A thread for each client, as each chat server has one.
fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(SERVERS as usize).enable_all().build()?)
}

/// Publishes a message that begins with the time when it was published.
async fn publish(
    jetstream: &Context,
    subject: &'static str,
    id: String,
    at: Duration,
) -> Result<jetstream::context::PublishAckFuture> {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", id);
    let mut payload = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX).to_be_bytes().to_vec();
    payload.resize(PAYLOAD_BYTES, b'.');
    Ok(jetstream.publish_with_headers(subject, headers, payload.into()).await?)
}

/// Opens a stream of this name and a consumer of it for each client, made like those of a room.
async fn open(nats: &NatsServers, name: &'static str) -> Result<Vec<Client>> {
    let mut clients = Vec::new();
    for _ in 0..SERVERS {
        let client = async_nats::connect(nats.urls()).await?;
        let jetstream = jetstream::new(client.clone());
        let config = stream::Config {
            name: name.to_owned(),
            subjects: vec![name.to_owned()],
            num_replicas: nats.urls().len(),
            max_message_size: 16 * 1024,
            allow_direct: true,
            ..stream::Config::default()
        };
        jetstream.get_or_create_stream(config).await?;
        let deliver_subject = client.new_inbox();
        let messages = client.subscribe(deliver_subject.clone()).await?;
        let config = push::Config {
            deliver_subject,
            deliver_policy: DeliverPolicy::New,
            ack_policy: AckPolicy::None,
            memory_storage: true,
            num_replicas: 1,
            ..push::Config::default()
        };
        jetstream.create_consumer_on_stream(config, name).await?;
        clients.push(Client { jetstream, messages });
    }
    Ok(clients)
}
