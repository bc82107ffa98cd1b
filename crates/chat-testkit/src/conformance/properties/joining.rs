//! Which peers may join, and where they begin.

use std::sync::Arc;
use std::thread;

use chat_core::RoomConfig;
use chat_proto::{Entry, Event};
use crossbeam_channel::bounded;

use crate::conformance::fault::{Checked, expect, fault};
use crate::conformance::guest::{Guest, is_marker};
use crate::conformance::medium::{Medium, Peer};
use crate::conformance::stage::{Admission, Stage, small_log};

/// More messages than the smallest log holds.
const PAST: usize = 1000;

pub(in crate::conformance) fn what_follows<M: Medium>(medium: &M) -> Checked {
    let mut stage = Stage::new(medium, small_log());
    // The log's tail had moved on before the transport was attached.
    for number in 0..PAST {
        stage.say(&format!("long ago {number}"))?;
        stage.listen();
    }
    let (running, address) = stage.open();
    let mut ann = stage.join(&address)?;
    let heard = stage.sync(&mut ann)?;
    expect(heard.is_empty(), "a first member hears nothing of the past, nor that it missed it", || {
        format!("{heard:?}")
    })?;
    stage.say("before bob")?;
    let mut bob = stage.join(&address)?;
    stage.say("after bob")?;
    bob.hears("[kit] after bob")?;
    let heard = stage.sync(&mut ann)?;
    let said = stage.said().split_off(PAST).into_iter().map(|(_, line)| line).collect::<Vec<_>>();
    stage.compare(&said, &heard)?;
    drop((ann, bob));
    stage.close([running])
}

pub(in crate::conformance) fn amid_talk<M: Medium>(medium: &M) -> Checked {
    const PEERS: usize = 20;
    /// A further peer connects each time this many messages were said.
    const TALK: usize = 20;
    /// The most messages that are said. The log holds all of them, so no member lags.
    const MESSAGES_MAX: usize = 10_000;
    let mut stage = Stage::new(medium, RoomConfig::default());
    let (running, address) = stage.open();
    let ((next, turns), (connected, peers)) = (bounded(1), bounded(PEERS));
    thread::scope(|scope| {
        let address = &address;
        scope.spawn(move || turns.iter().try_for_each(|()| connected.send(medium.connect(address))));
        for message in 0..MESSAGES_MAX {
            stage.say(&format!("talk {message}"))?;
            stage.listen();
            if message % TALK == 0 && message / TALK < PEERS {
                // Peers connect on the other thread, while this one goes on talking.
                expect(next.send(()).is_ok(), "peers can connect", || "the medium has panicked".into())?;
            }
            if peers.len() == PEERS {
                break;
            }
        }
        drop(next);
        Ok(())
    })?;
    let mut guests = Vec::new();
    for peer in peers {
        match stage.admit(peer)? {
            Admission::In(guest) => guests.push(guest),
            Admission::Refused(_, why) => return fault("a peer that connects becomes a member", why),
        }
    }
    stage.say("all are here")?;
    let heard = stage.sync_all(&mut guests)?;
    stage.listen();
    for (guest, heard) in guests.iter().zip(heard) {
        let joined = |entry: &&Arc<Entry>| matches!(&entry.event, Event::Joined { author, .. } if *author == guest.author);
        let join = stage.seen().iter().find(joined).map_or(0, |join| join.seq);
        let after = stage.seen().iter().filter(|entry| entry.event.is_message() && entry.seq > join);
        let said: Vec<_> =
            after.map(|entry| entry.event.to_string()).filter(|line| !is_marker(line)).collect();
        stage.compare(&said, &heard)?;
    }
    drop(guests);
    stage.close([running])
}

pub(in crate::conformance) fn full_room<M: Medium>(medium: &M) -> Checked {
    let mut stage = Stage::new(medium, RoomConfig::default().with_members_max(1));
    let (running, address) = stage.open();
    let mut ann = stage.join(&address)?;
    if stage.promises().tells_refused {
        match stage.ask_to_join(&address)? {
            Admission::In(_) => return fault("a full room refuses every peer", "the peer is a member"),
            Admission::Refused(_, why) => {
                expect(why.contains("full"), "a refused peer is told that the room is full", || why)?;
            }
        }
        let refused = stage.room.stats().refused;
        expect(refused == 1, "a peer that tries once is refused once", || format!("{refused} refusals"))?;
    }
    stage.sync(&mut ann)?;
    if stage.promises().notices_end {
        let author_of_ann = ann.author.clone();
        ann.peer.end();
        stage.wait_for_leave(&author_of_ann)?;
        let mut bob = stage.join(&address)?;
        stage.sync(&mut bob)?;
    }
    stage.close([running])
}

pub(in crate::conformance) fn full_address<M: Medium>(medium: &M) -> Checked {
    let mut stage = Stage::new(medium, RoomConfig::default().with_members_per_address_max(1));
    let (running, address) = stage.open();
    let mut ann = stage.join(&address)?;
    if ann.is_exempt() || stage.promises().tells_refused {
        match stage.ask_to_join(&address)? {
            Admission::In(bob) => {
                let ip = |guest: &Guest<M::Peer>| guest.author.address().map(|address| address.ip());
                let another = bob.is_exempt() || ip(&bob) != ip(&ann);
                expect(another, "a second member of one address is refused", || {
                    format!("{} is in", bob.author)
                })?;
            }
            Admission::Refused(_, why) => {
                let is_reason = why.contains("address") && !ann.is_exempt();
                expect(
                    is_reason,
                    "a second member of one address is refused, and told that, unless it is loopback",
                    || why,
                )?;
            }
        }
    }
    stage.sync(&mut ann)?;
    drop(ann);
    stage.close([running])
}
