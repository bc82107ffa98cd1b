//! Writes to the bucket that `async-nats` has no call for: with a time after which a value vanishes, with the number
//! that each write gets, and with an id by which a repetition is known.

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

    /// Stores a value, or deletes it if there is none, if `after` is the last revision of the key; 0 stands for a key
    /// that was never used. After this long the value vanishes by itself, or the bucket forgets that it was deleted.
    /// Returns the new revision.
    pub(crate) async fn write_after(
        &self,
        after: u64,
        key: &str,
        value: Option<Bytes>,
        lasts: Option<Duration>,
    ) -> Result<u64, PublishError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, HeaderValue::from(after));
        self.write(headers, key, value, lasts).await
    }

    /// As [`write_after`](Self::write_after), after whichever revision. If that is not answered, it may be tried again
    /// with the same `id` within two minutes: the value is stored once, so another attempt does not undo what somebody
    /// else has stored meanwhile.
    pub(crate) async fn write_once(
        &self,
        id: &str,
        key: &str,
        value: Option<Bytes>,
        lasts: Option<Duration>,
    ) -> Result<u64, PublishError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::NATS_MESSAGE_ID, id);
        self.write(headers, key, value, lasts).await
    }

    async fn write(
        &self,
        mut headers: HeaderMap,
        key: &str,
        value: Option<Bytes>,
        lasts: Option<Duration>,
    ) -> Result<u64, PublishError> {
        if value.is_none() {
            headers.insert("KV-Operation", "PURGE");
            headers.insert(header::NATS_ROLLUP, "sub");
        }
        if let Some(lasts) = lasts {
            // NATS counts in seconds, and takes none for less than one.
            let seconds = lasts.min(LASTS_MAX).as_secs().max(1);
            headers.insert(header::NATS_MESSAGE_TTL, HeaderValue::from(seconds));
        }
        let subject = format!("$KV.{}.{key}", self.bucket);
        let stored =
            self.jetstream.publish_with_headers(subject, headers, value.unwrap_or_default()).await?.await?;
        Ok(stored.sequence)
    }
}

/// Whether somebody else has written to the key in between.
pub(crate) fn came_late(error: &PublishError) -> bool {
    error.kind() == PublishErrorKind::WrongLastSequence
}
