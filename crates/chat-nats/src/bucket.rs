//! Writes to the bucket that `async-nats` has no call for: with a time after which a value vanishes, and with the number that each
//! write gets.

pub(crate) mod bans;
pub(crate) mod claims;
pub(crate) mod room_settings;

use std::time::Duration;

use crate::limits::LASTS_MAX;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::{HeaderMap, HeaderValue, header};
use bytes::Bytes;

/// Writes to one bucket.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    jetstream: Context,
    bucket: String,
}

impl Writer {
    pub(crate) fn new(jetstream: Context, bucket: &str) -> Self {
        Self { jetstream, bucket: bucket.to_owned() }
    }

    /// Stores a value, which vanishes by itself when it has `lasts` so long. With `after` it is stored only if that is the last
    /// revision of its key; 0 stands for a key that was never used. Returns the new revision.
    pub(crate) async fn put(
        &self,
        key: &str,
        value: Bytes,
        lasts: Option<Duration>,
        after: Option<u64>,
    ) -> Result<u64, PublishError> {
        self.publish(key, value, HeaderMap::new(), lasts, after).await
    }

    /// Deletes a value if `after` is the last revision of its key. The bucket remembers for `remembered` that it was deleted. Returns
    /// the new revision.
    pub(crate) async fn delete(
        &self,
        key: &str,
        remembered: Duration,
        after: u64,
    ) -> Result<u64, PublishError> {
        let mut headers = HeaderMap::new();
        headers.insert("KV-Operation", "PURGE");
        headers.insert(header::NATS_ROLLUP, "sub");
        self.publish(key, Bytes::new(), headers, Some(remembered), Some(after)).await
    }

    async fn publish(
        &self,
        key: &str,
        value: Bytes,
        mut headers: HeaderMap,
        lasts: Option<Duration>,
        after: Option<u64>,
    ) -> Result<u64, PublishError> {
        if let Some(lasts) = lasts {
            // NATS counts in seconds, and takes none for less than one.
            let seconds = lasts.min(LASTS_MAX).as_secs().max(1);
            headers.insert(header::NATS_MESSAGE_TTL, HeaderValue::from(seconds));
        }
        if let Some(after) = after {
            headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, HeaderValue::from(after));
        }
        let subject = format!("$KV.{}.{key}", self.bucket);
        let stored = self.jetstream.publish_with_headers(subject, headers, value).await?.await?;
        Ok(stored.sequence)
    }
}

/// Whether somebody else has written to the key in between.
pub(crate) fn came_late(error: &PublishError) -> bool {
    error.kind() == PublishErrorKind::WrongLastSequence
}
