//! A plain client of JetStream, without a chat, over a stream of its own on the same NATS servers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, push};
use async_nats::jetstream::{self, Context, stream};
use async_nats::{HeaderMap, Subscriber};
use chat_testkit::NatsServers;
use futures_util::StreamExt;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{interval, timeout};

use crate::clock;
use crate::failure::{Failure, Result};
use crate::latency::Latencies;

/// About as many bytes as a room's message has in the stream.
const PAYLOAD: [u8; 180] = [b'.'; 180];

/// How many publishes may wait for an answer: as many as in a chat server.
const IN_FLIGHT_MAX: usize = 4_096;

/// How long one message may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Publishes `per_second` messages per second until `is_over` is set, and times each message on its way to a
/// consumer.
pub(super) fn publish_to_consume(
    nats: &NatsServers,
    per_second: u32,
    is_over: &AtomicBool,
) -> Result<Latencies> {
    runtime()?.block_on(async {
        let (jetstream, mut messages) = open(nats, "probe").await?;
        let mut latencies = Latencies::default();
        let mut tick = interval(Duration::from_secs(1) / per_second);
        for number in 0_u64.. {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            tick.tick().await;
            let began = clock::now();
            let _acknowledged_later = publish(&jetstream, "probe", number).await?;
            let message = timeout(PATIENCE, messages.next()).await?;
            message.ok_or_else(|| Failure::new("the consumer has ended"))?;
            latencies.add(began.elapsed());
        }
        Ok(latencies)
    })
}

/// Publishes `count` messages as fast as they are acknowledged. Returns the messages per second.
pub(super) fn publish_rate(nats: &NatsServers, count: u64) -> Result<f64> {
    runtime()?.block_on(async {
        let (jetstream, _messages) = open(nats, "flood").await?;
        let began = clock::now();
        let numbers = futures_util::stream::iter(0..count);
        let published = numbers.map(|number| {
            let jetstream = &jetstream;
            async move { publish(jetstream, "flood", number).await?.await.map_err(Failure::from) }
        });
        let mut acknowledged = published.buffered(IN_FLIGHT_MAX);
        while let Some(acknowledgement) = timeout(PATIENCE, acknowledged.next()).await? {
            acknowledgement?;
        }
        Ok(count as f64 / began.elapsed().as_secs_f64())
    })
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

async fn publish(
    jetstream: &Context,
    subject: &'static str,
    number: u64,
) -> Result<jetstream::context::PublishAckFuture> {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", number.to_string());
    Ok(jetstream.publish_with_headers(subject, headers, PAYLOAD.as_slice().into()).await?)
}

/// Opens a stream of this name and a consumer of it, made like those of a room.
async fn open(nats: &NatsServers, name: &'static str) -> Result<(Context, Subscriber)> {
    let client = async_nats::connect(nats.urls()).await?;
    let jetstream = jetstream::new(client.clone());
    let config = stream::Config {
        name: name.to_owned(),
        subjects: vec![name.to_owned()],
        num_replicas: nats.urls().len(),
        ..stream::Config::default()
    };
    jetstream.create_stream(config).await?;
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
    Ok((jetstream, messages))
}
