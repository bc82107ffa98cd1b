//! What must hold at the end of a run.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use chat_proto::{Author, Entry, Event, Text};

use super::member::{Member, Shown};

/// Bytes that an address sent and was sent.
pub(super) type Ledger = BTreeMap<SocketAddr, (usize, usize)>;

/// The room's messages by their number, as an in-process local member heard them.
pub(super) type Truth = BTreeMap<u64, Arc<Entry>>;

/// Each message once, in the room's order, from the member's beginning to the room's end; where some
/// are missing, exactly as many as he was told.
pub(super) fn order(member: &Member, truth: &Truth) -> Result<(), String> {
    let mut has = None;
    for shown in &member.shown {
        match (shown, &mut has) {
            (Shown::Began(head), None) => has = Some(*head),
            (Shown::Missed(messages), Some(has)) => *has += messages,
            (Shown::Entry(entry), Some(has)) if entry.event.is_message() => {
                if entry.seq != *has + 1 {
                    return Err(format!("message {} came after {has}", entry.seq));
                }
                if truth.get(&entry.seq) != Some(entry) {
                    return Err(format!(
                        "message {} is {:?}, not {entry:?}",
                        entry.seq,
                        truth.get(&entry.seq)
                    ));
                }
                *has = entry.seq;
            }
            (Shown::Entry(entry), Some(has)) if entry.seq == *has => {}
            (shown, has) => return Err(format!("{shown:?} after message {has:?}")),
        }
    }
    let head = truth.last_key_value().map_or(0, |(&seq, _)| seq);
    match has {
        Some(has) if has == head => Ok(()),
        has => Err(format!("has read up to {has:?} of {head}")),
    }
}

/// What a member said is in the log once and in his order, but for what he was told is unknown.
pub(super) fn says(member: &Member, said: &[Text], truth: &Truth) -> Result<(), String> {
    let prefix = format!("framed {} ", member.number);
    let taken: Vec<&Text> = truth
        .values()
        .filter_map(|entry| match &entry.event {
            Event::Said { author: Author::Peer(_), text } if text.as_str().starts_with(&prefix) => Some(text),
            _ => None,
        })
        .collect();
    let mut taken = taken.into_iter().peekable();
    for text in said {
        if taken.next_if_eq(&text).is_none() && !member.unsure.contains(text) {
            return Err(format!("{text:?} is missing, or not in its place"));
        }
    }
    match taken.next() {
        None => Ok(()),
        Some(text) => Err(format!("{text:?} was said twice, or in another order")),
    }
}

/// Nothing that was forged was taken.
pub(super) fn no_forgery(truth: &Truth) -> Result<(), String> {
    let forged = |entry: &&Arc<Entry>| matches!(&entry.event, Event::Said { text, .. } if text.as_str().contains("forged"));
    match truth.values().find(forged) {
        None => Ok(()),
        Some(entry) => Err(format!("{entry:?}")),
    }
}

/// No address that proved nothing was sent more than three times what it sent.
pub(super) fn no_amplification(ledger: &Ledger) -> Result<(), String> {
    match ledger.iter().find(|(_, (sent, was_sent))| *was_sent > 3 * sent) {
        None => Ok(()),
        Some((address, (sent, was_sent))) => {
            Err(format!("{address} sent {sent} bytes and was sent {was_sent}"))
        }
    }
}
