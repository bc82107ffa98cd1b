//! Opens the stream of a room, which is made if there is none, and reads what the room takes over from it.

use std::collections::HashMap;

use async_nats::Client;
use async_nats::jetstream::kv::Store;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, Context};
use bytes::Bytes;
use chat_core::journal::{Kept, Past, PastSession};
use chat_core::limits::{ENTRY_OVERHEAD_BYTES, SESSIONS_REMEMBERED_MAX};
use chat_core::{Event, MemberId, Text};

use crate::config::ClusterConfig;
use crate::layout::Place;
use crate::limits::{DELETION_REMEMBERED, DUPLICATE_WINDOW, IDS_PER_BLOCK, MESSAGE_BYTES_MAX, NEWEST_MAX};
use crate::seed::seed;
use crate::stream::pages::Pages;
use crate::stream::record;

/// What a room begins with.
pub(crate) struct Opened {
    pub(crate) past: Past,
    /// The number of the last message that it has.
    pub(crate) last: u64,
    /// The last change of the bucket that it knows.
    pub(crate) revision: u64,
    /// Which block of ids it has: a later opening has a greater one.
    pub(crate) block: u64,
}

/// The bucket with everything except messages.
pub(crate) async fn bucket(jetstream: &Context, config: &ClusterConfig) -> Result<Store, String> {
    let bucket = jetstream::kv::Config {
        bucket: config.prefix.clone(),
        description: "what the rooms of chat servers have in common besides messages".to_owned(),
        history: 1,
        storage: StorageType::File,
        num_replicas: config.replicas,
        // Deletions are remembered for a while, and then forgotten.
        limit_markers: Some(DELETION_REMEMBERED),
        ..jetstream::kv::Config::default()
    };
    match jetstream.get_key_value(&config.prefix).await {
        Ok(bucket) => Ok(bucket),
        Err(_) => jetstream.create_key_value(bucket).await.map_err(|error| error.to_string()),
    }
}

/// Opens the room at this place.
pub(crate) async fn open(
    client: &Client,
    jetstream: &Context,
    bucket: &Store,
    config: &ClusterConfig,
    place: &Place,
    log_bytes_max: usize,
) -> Result<Opened, String> {
    let info = stream(jetstream, config, place).await?;
    let failed = |error: &dyn std::fmt::Display| error.to_string();
    // The revisions of a bucket are numbered: no two are the same.
    let block = bucket.put(place.ids_key(), Bytes::new()).await.map_err(|error| failed(&error))?;
    let ids_up_to = block.checked_mul(IDS_PER_BLOCK).ok_or("the bucket has been changed too often")?;
    let topic = bucket.entry(place.topic_key()).await.map_err(|error| failed(&error))?;
    let revision = topic.as_ref().map_or(block, |topic| topic.revision.max(block));
    let topic = topic.and_then(|topic| match record::topic(&topic.value)?.event {
        Event::Topic { text, .. } => Some(text).filter(|text| *text != Text::default()),
        _ => None,
    });
    let newest = newest(&Pages::new(client.clone(), place), &info, log_bytes_max).await?;
    let last = newest.last().map_or(info.state.last_sequence, |kept| kept.seq);
    let before = newest.first().map_or(last, |kept| kept.seq - 1);
    let (sessions, has_forgotten) = sessions(&newest);
    let created_ns = info.created.unix_timestamp_nanos();
    let began_unix_ms = u64::try_from(created_ns / 1_000_000).unwrap_or(0);
    let past = Past {
        began: Some((seed(&config.secret, place, created_ns), began_unix_ms)),
        ids_up_to,
        before,
        newest,
        topic,
        sessions,
        is_shared: true,
        has_forgotten: has_forgotten || before > 0,
        ..Past::default()
    };
    Ok(Opened { past, last, revision, block })
}

async fn stream(jetstream: &Context, config: &ClusterConfig, place: &Place) -> Result<Info, String> {
    let wanted = Config {
        name: place.stream.clone(),
        description: Some("messages of a chat room; its order is the room's".to_owned()),
        subjects: vec![place.subject.clone()],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        storage: StorageType::File,
        num_replicas: config.replicas,
        max_age: config.keep.unwrap_or_default(),
        max_bytes: config.keep_bytes.and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(-1),
        max_message_size: MESSAGE_BYTES_MAX,
        duplicate_window: config.keep.map_or(DUPLICATE_WINDOW, |keep| keep.min(DUPLICATE_WINDOW)),
        allow_direct: true,
        ..Config::default()
    };
    let stream = jetstream.get_or_create_stream(wanted.clone()).await.map_err(|error| error.to_string())?;
    let info = stream.get_info().await.map_err(|error| error.to_string())?;
    let there = &info.config;
    let is_ours = there.subjects == wanted.subjects
        && there.retention == wanted.retention
        && there.discard == wanted.discard
        && there.allow_direct
        && there.duplicate_window >= wanted.duplicate_window;
    if !is_ours {
        return Err(format!("the stream {} is there already, and was made for something else", place.stream));
    }
    let limits = |config: &Config| (config.num_replicas, config.max_age, config.max_bytes);
    if limits(there) != limits(&wanted) {
        tracing::warn!(
            stream = place.stream,
            replicas = there.num_replicas,
            keep = ?there.max_age,
            bytes = there.max_bytes,
            "the stream has other replicas or limits than the flags say; `nats stream edit` changes them"
        );
    }
    Ok(info)
}

/// As many of the newest messages as fit into the room's log, without a gap.
async fn newest(pages: &Pages, info: &Info, log_bytes_max: usize) -> Result<Vec<Kept>, String> {
    let (first, last) = (info.state.first_sequence.max(1), info.state.last_sequence);
    let fit = (log_bytes_max / ENTRY_OVERHEAD_BYTES) as u64;
    let mut next = first.max((last + 1).saturating_sub(fit.min(NEWEST_MAX)));
    let mut newest: Vec<Kept> = Vec::new();
    while next <= last {
        let (stored, more) = pages.from(next, last + 1 - next).await?;
        let Some(seq) = stored.last().map(|stored| stored.seq) else { break };
        newest.extend(stored.iter().map(|stored| record::message(stored.seq, &stored.payload)));
        next = seq + 1;
        if !more {
            break;
        }
    }
    let mut bytes = 0;
    let mut count = 0;
    let mut following = None;
    for kept in newest.iter().rev() {
        if let Event::Said { text, .. } = &kept.event {
            bytes += ENTRY_OVERHEAD_BYTES + text.as_str().len();
        }
        if bytes > log_bytes_max || following.is_some_and(|following| kept.seq + 1 != following) {
            break;
        }
        following = Some(kept.seq);
        count += 1;
    }
    Ok(newest.split_off(newest.len() - count))
}

/// The sessions that said these messages, and whether there were more than a room remembers.
fn sessions(newest: &[Kept]) -> (Vec<PastSession>, bool) {
    let mut taken: HashMap<MemberId, (usize, u64)> = HashMap::new();
    for (place, kept) in newest.iter().enumerate() {
        if let Event::Said { from, .. } = kept.event
            && from.member != MemberId::ROOM
        {
            let session = taken.entry(from.member).or_default();
            *session = (place, session.1.max(from.number));
        }
    }
    let mut sessions: Vec<(usize, PastSession)> = taken
        .into_iter()
        .map(|(member, (place, taken))| (place, PastSession { member, taken, name: None }))
        .collect();
    sessions.sort_unstable_by_key(|(place, _)| *place);
    let excess = sessions.len().saturating_sub(SESSIONS_REMEMBERED_MAX);
    let sessions = sessions.split_off(excess).into_iter().map(|(_, session)| session).collect();
    (sessions, excess > 0)
}

#[cfg(test)]
mod tests {
    use chat_core::{Author, Origin};

    use super::*;

    #[test]
    fn the_sessions_of_the_newest_messages_are_known() {
        let said = |seq, member, number| {
            let from = Origin { member: MemberId::new(member), number };
            Kept {
                seq,
                unix_ms: 0,
                event: Event::Said { from, author: Author::Room, text: Text::lossy("x") },
            }
        };
        let newest = [said(1, 7, 1), said(2, 8, 4), said(3, 0, 9), said(4, 7, 2)];
        let (sessions, has_forgotten) = sessions(&newest);
        let sessions: Vec<(u64, u64)> =
            sessions.iter().map(|session| (session.member.as_u64(), session.taken)).collect();
        assert_eq!((sessions, has_forgotten), (vec![(8, 4), (7, 2)], false), "the room is not a session");
    }
}
