//! A conversation outlives its connections. None of its messages is lost or said twice. It reads each message once
//! and in order, or the message is counted as missed.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod commands;
mod net;
mod questions;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;

use chat_core::ClientEvent;
use chat_core::client::Conversation;
use chat_core::limits::UNCONFIRMED_MAX;
use chat_proto::{
    Author, Entry, Event, Lagged, LeaveReason, MemberFrame, MemberId, RoomFrame, Session, Welcome,
};
use net::Net;
use proptest::prelude::*;
use support::{text, welcome};

fn says(number: u64, what: &str) -> Option<MemberFrame> {
    Some(MemberFrame::Say { number, text: text(what) })
}

fn repeat(times: usize, mut act: impl FnMut() -> bool) {
    (0..times).all(|_| act());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Connect,
    /// This many frames on their way to the server still arrive.
    Disconnect(usize),
    Say,
    OtherSays,
    ClientSends(usize),
    ClientReceives(usize),
    ServerReads(usize),
    ServerWrites(usize),
    OldLine(bool),
    Overtake(u64),
}

impl Net {
    fn step(&mut self, step: Step) {
        match step {
            Step::Connect => self.connect(),
            Step::Disconnect(arriving) => self.disconnect(arriving),
            Step::Say => self.say(),
            Step::OtherSays => drop(self.carrier.say(self.other, "hello")),
            Step::ClientSends(frames) => repeat(frames, || self.client_sends()),
            Step::ClientReceives(frames) => repeat(frames, || self.client_receives()),
            Step::ServerReads(frames) => repeat(frames, || self.server_reads()),
            Step::ServerWrites(frames) => repeat(frames, || self.server_writes()),
            Step::OldLine(ends) => self.old_line(ends),
            Step::Overtake(left) => self.overtake(left),
        }
    }
}

fn step(with_overtaking: bool) -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Connect),
        1 => (0..6_usize).prop_map(Step::Disconnect),
        4 => Just(Step::Say),
        1 => Just(Step::OtherSays),
        4 => (1..4_usize).prop_map(Step::ClientSends),
        4 => (1..4_usize).prop_map(Step::ClientReceives),
        4 => (1..4_usize).prop_map(Step::ServerReads),
        4 => (1..4_usize).prop_map(Step::ServerWrites),
        2 => any::<bool>().prop_map(Step::OldLine),
        u32::from(with_overtaking) => (0..4_u64).prop_map(Step::Overtake),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn over_any_number_of_lost_connections_nothing_is_lost_or_said_twice(
        moderated in any::<bool>(),
        steps in prop::collection::vec(step(false), 0..150),
    ) {
        let mut net = if moderated { Net::moderated() } else { Net::new() };
        steps.into_iter().for_each(|step| net.step(step));
        net.settle();
        net.check();
        prop_assert!(net.seen.unsure.is_empty(), "the room remembers: there is no doubt");
        prop_assert_eq!(net.seen.missed, 0);
    }

    #[test]
    fn how_far_the_log_reaches_back_makes_no_difference_to_what_it_says(
        moderated in any::<bool>(),
        steps in prop::collection::vec(step(true), 0..150),
    ) {
        let mut net = if moderated { Net::moderated() } else { Net::new() };
        steps.into_iter().for_each(|step| net.step(step));
        net.settle();
        net.check();
        prop_assert!(net.seen.unsure.is_empty(), "the room remembers: there is no doubt");
    }
}

#[test]
fn a_refused_message_is_dealt_with_and_never_said_again() {
    let mut net = Net::moderated();
    net.connect();
    net.settle();
    (0..4).for_each(|_| net.say());
    while net.client_sends() {}
    // The room handles three of four messages, and the client hears of none.
    (0..3).for_each(|_| assert!(net.server_reads()));
    net.disconnect(0);
    net.settle();
    assert_eq!(net.accepted(), [0, 2, 3]);
    assert_eq!(net.seen.refused, BTreeSet::from([1]), "it was told over the new connection");
    net.check();
}

#[test]
fn an_answer_is_never_taken_for_one_that_came_over_an_older_connection() {
    let mut net = Net::moderated();
    net.connect();
    net.settle();
    net.disconnect(0);
    net.connect();
    net.disconnect(1); // its hello is under way, and very late
    net.connect();
    net.settle();
    (0..2).for_each(|_| net.say());
    net.settle();
    net.disconnect(0);
    net.old_line(true); // the room notices that this one is gone
    net.old_line(false); // and now the late hello takes the session up
    net.connect();
    net.settle();
    (0..3).for_each(|_| net.say());
    net.settle();
    assert_eq!(net.seen.refused, BTreeSet::from([1, 4]));
    net.check();
}

#[test]
fn messages_that_the_welcome_confirms_are_not_said_again_and_the_others_are() {
    let mut net = Net::new();
    net.connect();
    net.settle();
    (0..3).for_each(|_| net.say());
    while net.client_sends() {}
    // The room takes two of three messages, and the client hears of none.
    (0..2).for_each(|_| assert!(net.server_reads()));
    net.disconnect(0);
    assert_eq!(net.conversation.unconfirmed(), 3);
    net.connect();
    assert!(net.server_reads());
    assert_eq!(net.conversation.next_frame(), None, "nothing before it is known what was taken");
    assert!(net.client_receives(), "the welcome");
    assert_eq!(net.conversation.unconfirmed(), 1, "it says so, before any entry");
    net.settle();
    assert_eq!(net.accepted(), [0, 1, 2]);
    net.check();
}

#[test]
fn messages_that_were_accepted_behind_a_gap_are_confirmed_by_it() {
    let mut net = Net::new();
    net.settle();
    (0..5).for_each(|_| net.say());
    while net.client_sends() || net.server_reads() {}
    net.overtake(2);
    assert!(net.server_writes() && net.client_receives());
    assert_eq!(net.conversation.unconfirmed(), 0, "{} were missed, all five accepted", net.seen.missed);
    net.settle();
    assert_eq!((net.seen.missed, net.seen.seqs.len()), (3, 2));
    net.check();
}

#[test]
fn a_gap_in_the_replay_leaves_no_doubt_about_own_messages() {
    let mut net = Net::new();
    net.settle();
    (0..3).for_each(|_| net.say());
    while net.client_sends() {}
    assert!(net.server_reads());
    net.disconnect(0);
    net.carrier.say(net.other, "meanwhile");
    net.overtake(1);
    net.say();
    net.settle();
    assert_eq!(net.seen.unsure, BTreeSet::new());
    assert_eq!(net.accepted(), [0, 1, 2, 3]);
    net.check();
}

#[test]
fn entries_after_the_last_message_are_not_told_again_by_a_resume() {
    let mut conversation = Conversation::new(0);
    let session = Session { member: MemberId::new(7), since: 4, key: 1 };
    let welcome = |resumed| RoomFrame::Welcome(Box::new(Welcome { resumed, ..welcome(session) }));
    let entry = |at_ms, event| RoomFrame::Entry(Entry { seq: 4, at_ms, event }.into());
    let (member, author) = (MemberId::new(9), "ann".parse::<Author>().unwrap());
    let joined = |at_ms| entry(at_ms, Event::Joined { member, author: author.clone(), members: 2 });
    let left = |at_ms| {
        let reason = LeaveReason::Lost;
        entry(at_ms, Event::Left { member, author: author.clone(), reason, members: 1 })
    };
    let mut told = |frames: &[RoomFrame]| {
        let mut entries = 0;
        conversation.disconnected();
        for frame in frames {
            let count = |event| entries += usize::from(matches!(event, ClientEvent::Entry { .. }));
            conversation.receive(frame.clone(), count);
        }
        entries
    };
    assert_eq!(told(&[welcome(false), joined(10), left(20)]), 2);
    assert_eq!(told(&[welcome(true), joined(10), left(20)]), 0);
    // Something else has happened within the same millisecond as what was last read.
    assert_eq!(told(&[welcome(true), joined(10), left(20), joined(20)]), 1);
    assert_eq!(told(&[welcome(true), joined(10), left(20), joined(20), left(30)]), 1);
    assert_eq!(told(&[welcome(false), joined(10)]), 1, "another session");
}

#[test]
fn messages_that_a_room_does_not_remember_are_handed_back_once_and_the_numbers_go_on() {
    let mut conversation = Conversation::new(0);
    let mut unsure = Vec::new();
    let session = Session { member: MemberId::new(7), since: 0, key: 1 };
    let welcome = |resumed, taken| Welcome { resumed, taken, ..welcome(session) };
    let mut receive = |conversation: &mut Conversation, welcome| {
        conversation.receive(RoomFrame::Welcome(Box::new(welcome)), |event| {
            if let ClientEvent::Unsure(texts) = event {
                unsure.extend(texts.iter().map(ToString::to_string));
            }
        });
    };
    receive(&mut conversation, welcome(false, Some(0)));
    ["one", "two", "three"].iter().for_each(|what| conversation.say(text(what)).unwrap());
    assert_eq!(conversation.next_frame(), says(1, "one"));
    assert_eq!(conversation.next_frame(), says(2, "two"));
    conversation.disconnected();
    receive(&mut conversation, welcome(true, None));
    assert_eq!(conversation.next_frame(), says(3, "three"), "it was never sent");
    conversation.disconnected();
    receive(&mut conversation, welcome(true, Some(2)));
    assert_eq!(conversation.next_frame(), says(3, "three"));
    conversation.disconnected();
    // Another room, or a later start of the same one.
    receive(&mut conversation, welcome(false, Some(0)));
    conversation.say(text("four")).unwrap();
    assert_eq!(conversation.next_frame(), says(1, "four"));
    assert_eq!(unsure, ["one", "two", "three"]);
}

#[test]
fn messages_still_on_their_way_over_the_old_connection_are_refused_after_the_new_ones_welcome() {
    let mut net = Net::new();
    net.settle();
    net.say();
    net.say();
    while net.client_sends() {}
    net.disconnect(2);
    net.connect();
    assert!(net.server_reads(), "the new connection is welcomed first");
    net.old_line(false);
    net.old_line(false);
    net.settle();
    assert_eq!(net.accepted(), [0, 1], "once each");
    net.check();
}

#[test]
fn it_takes_no_more_than_it_can_remember() {
    let mut conversation = Conversation::new(0);
    (0..UNCONFIRMED_MAX).for_each(|_| conversation.say(text("hi")).unwrap());
    assert!(conversation.is_full());
    assert_eq!(conversation.say(text("one too many")), Err(text("one too many")));
    assert_eq!(conversation.next_frame(), None, "not before it is welcome");
}

#[test]
fn it_leaves_when_all_is_confirmed_or_at_once_if_told_so() {
    let mut net = Net::new();
    net.settle();
    net.say();
    net.conversation.finish();
    net.settle();
    assert_eq!(net.accepted(), [0]);
    assert!(net.conversation.disconnected(), "leaving was all that was left");

    let mut net = Net::new();
    net.settle();
    net.say();
    net.conversation.leave();
    net.settle();
    assert_eq!(net.accepted(), [0; 0]);
    assert!(net.conversation.disconnected());
}

#[test]
fn messages_that_a_gap_has_confirmed_are_not_confirmed_again_by_reading_them_later() {
    let mut net = Net::new();
    net.settle();
    (0..3).for_each(|_| net.say());
    net.carrier.say(net.other, "hello");
    (0..2).for_each(|_| assert!(net.client_sends() && net.server_reads()));
    net.overtake(2);
    assert!(net.server_writes() && net.client_receives());
    assert_eq!(net.conversation.unconfirmed(), 1, "both are accepted, and neither is read");
    assert!(net.client_sends());
    net.disconnect(0);
    net.settle();
    assert_eq!(net.accepted(), [0, 1, 2]);
    net.check();
}

#[test]
fn having_missed_nothing_is_not_told() {
    let mut conversation = Conversation::new(0);
    let mut told = Vec::new();
    let session = Session { member: MemberId::new(1), since: 0, key: 1 };
    let welcome = RoomFrame::Welcome(Box::new(welcome(session)));
    conversation.receive(welcome, |_| {});
    for messages in [0, 2] {
        let lagged = Lagged { messages, next: 10, head: 10, taken: 0 };
        conversation.receive(RoomFrame::Lagged(lagged), |event| told.push(format!("{event:?}")));
    }
    assert_eq!(told, ["Missed(2)"]);
}
