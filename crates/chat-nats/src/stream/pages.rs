//! Reads pages of old messages from a stream.

use async_nats::{Client, StatusCode};
use chat_core::journal::{Filter, Kept, Page, Query};
use futures_util::StreamExt;
use serde::Serialize;
use tokio::time::timeout;

use crate::layout::Place;
use crate::limits::{PAGE_BYTES, PAGE_MESSAGES, PAGE_TIMEOUT, SEARCHED_MAX};
use crate::stream::follower::Stored;
use crate::stream::record;

/// The text for members if a page cannot be read.
const NO_ANSWER: &str = "the stream that the servers share does not answer";

/// A direct get of several messages (ADR-31).
#[derive(Serialize)]
struct DirectGet {
    seq: u64,
    next_by_subj: &'static str,
    batch: u64,
    max_bytes: u64,
}

/// Reads the stream of one room.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    client: Client,
    stream: String,
}

impl Pages {
    pub(crate) fn new(client: Client, place: &Place) -> Self {
        Self { client, stream: place.stream.clone() }
    }

    /// Messages from `seq` on, at most this many, and whether there are more.
    pub(crate) async fn from(&self, seq: u64, messages: u64) -> Result<(Vec<Stored>, bool), String> {
        let question = DirectGet {
            seq: seq.max(1),
            next_by_subj: ">",
            batch: messages.min(PAGE_MESSAGES),
            max_bytes: PAGE_BYTES,
        };
        let question = serde_json::to_vec(&question).map_err(|error| error.to_string())?;
        let inbox = self.client.new_inbox();
        let failed = |_| NO_ANSWER.to_owned();
        let mut answers = self.client.subscribe(inbox.clone()).await.map_err(failed)?;
        let subject = format!("$JS.API.DIRECT.GET.{}", self.stream);
        self.client
            .publish_with_reply(subject, inbox, question.into())
            .await
            .map_err(|_| NO_ANSWER.to_owned())?;
        let mut stored = Vec::new();
        let mut pending = 0;
        loop {
            let answer = timeout(PAGE_TIMEOUT, answers.next()).await.ok().flatten().ok_or(NO_ANSWER)?;
            let number = |name: &str| answer.headers.as_ref()?.get(name)?.as_str().parse::<u64>().ok();
            match (answer.status, number("Nats-Sequence")) {
                (None, Some(seq)) => {
                    pending = number("Nats-Num-Pending").unwrap_or(0);
                    let (payload, subject) = (answer.payload, answer.subject);
                    stored.push(Stored { seq, payload, subject, headers: None });
                }
                // The end of the batch; or there is no such message.
                (Some(status), _) if status.as_u16() == 204 || status == StatusCode::NOT_FOUND => break,
                _ => return Err(NO_ANSWER.to_owned()),
            }
        }
        Ok((stored, pending > 0))
    }

    /// Answers a question.
    pub(crate) async fn read(&self, query: Query) -> Result<Page, String> {
        match query {
            Query::After(seq) => {
                let (stored, more) = self.from(seq.saturating_add(1), PAGE_MESSAGES).await?;
                let mut page = Page::of(stored.iter().map(message), usize::MAX);
                page.more |= more;
                Ok(page)
            }
            Query::Before { seq, messages, filter } => self.before(seq, messages, &filter).await,
            _ => Ok(Page::default()),
        }
    }

    /// The newest messages before `seq` that match, at most this many.
    async fn before(&self, seq: u64, messages: usize, filter: &Filter) -> Result<Page, String> {
        let mut end = if seq == u64::MAX { self.last().await? + 1 } else { seq };
        let step = if *filter == Filter::default() {
            (messages as u64).clamp(1, PAGE_MESSAGES)
        } else {
            PAGE_MESSAGES
        };
        let (mut found, mut searched) = (Vec::new(), 0);
        while found.len() <= messages && end > 1 && searched < SEARCHED_MAX {
            let begin = end.saturating_sub(step).max(1);
            let mut part = self.between(begin, end).await?;
            if part.is_empty() {
                end = 1; // retention has deleted the rest
                break;
            }
            part.retain(|kept| *filter == Filter::default() || filter.matches(&kept.event));
            found.extend(part.into_iter().rev());
            searched += end - begin;
            end = begin;
        }
        let mut page = Page::of(found, messages).reversed();
        page.more |= end > 1;
        Ok(page)
    }

    /// The messages from `begin` up to the one before `end`.
    async fn between(&self, begin: u64, end: u64) -> Result<Vec<Kept>, String> {
        let (mut kept, mut next) = (Vec::new(), begin);
        while next < end {
            let (stored, more) = self.from(next, end - next).await?;
            let Some(last) = stored.last() else { break };
            next = last.seq + 1;
            kept.extend(stored.iter().map(message).filter(|kept| kept.seq < end));
            if !more {
                break;
            }
        }
        Ok(kept)
    }

    /// The number of the newest message; 0 if there is none.
    async fn last(&self) -> Result<u64, String> {
        let question = br#"{"last_by_subj":">"}"#.to_vec();
        let subject = format!("$JS.API.DIRECT.GET.{}", self.stream);
        let answer = self.client.request(subject, question.into()).await.map_err(|_| NO_ANSWER.to_owned())?;
        let seq = answer.headers.as_ref().and_then(|headers| headers.get("Nats-Sequence"));
        Ok(seq.and_then(|seq| seq.as_str().parse().ok()).unwrap_or(0))
    }
}

fn message(stored: &Stored) -> Kept {
    record::message(stored.seq, &stored.payload)
}
