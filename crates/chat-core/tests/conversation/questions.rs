//! Questions about who is present and what was said before. Each is answered, in order with the messages before and
//! after it.

use std::sync::Arc;

use chat_core::ClientEvent;
use chat_core::client::Conversation;
use chat_proto::{
    Author, Direct, DirectItem, Entry, Event, LookBack, MemberFrame, MemberId, Origin, Present, RoomFrame,
    Session,
};

use crate::says;
use crate::support::{self, text};

fn welcome(conversation: &mut Conversation, since: u64) {
    let session = Session { member: MemberId::new(1), since, key: 2 };
    conversation.receive(RoomFrame::Welcome(Box::new(support::welcome(session))), |_| {});
}

fn confirm(conversation: &mut Conversation, number: u64) {
    let from = Origin { member: MemberId::new(1), number };
    let event = Event::Said { from, author: Author::Room, text: text("shown as somebody else") };
    conversation.receive(RoomFrame::Entry(Arc::new(Entry { seq: number, at_ms: 0, event })), |_| {});
}

fn answer(conversation: &mut Conversation) {
    let mut answers = 0;
    let present = Present { members: 1, authors: Vec::new(), more: false };
    conversation.receive(RoomFrame::Present(present), |event| {
        answers += usize::from(matches!(event, ClientEvent::Present(_)));
    });
    assert_eq!(answers, 1);
}

#[test]
fn requests_are_answered_in_order_and_a_client_waits_for_the_last_answer() {
    let mut conversation = Conversation::new(0);
    welcome(&mut conversation, 0);
    conversation.say(text("one")).unwrap();
    conversation.ask_who();
    conversation.ask_who();
    conversation.say(text("two")).unwrap();
    conversation.ask_who();
    conversation.finish();
    assert_eq!(conversation.next_frame(), says(1, "one"));
    assert_eq!(conversation.next_frame(), None, "the answer must come after the confirmation");
    confirm(&mut conversation, 1);
    for _ in 0..2 {
        assert_eq!(conversation.next_frame(), Some(MemberFrame::Who));
        assert_eq!(conversation.next_frame(), None, "one at a time");
        answer(&mut conversation);
    }
    assert_eq!(conversation.next_frame(), says(2, "two"));
    confirm(&mut conversation, 2);
    assert_eq!(conversation.next_frame(), Some(MemberFrame::Who), "it does not leave without the answer");
    answer(&mut conversation);
    assert_eq!(conversation.next_frame(), Some(MemberFrame::Bye));
}

#[test]
fn a_question_whose_answer_was_lost_is_asked_again() {
    let mut conversation = Conversation::new(0);
    welcome(&mut conversation, 0);
    conversation.ask_who();
    assert_eq!(conversation.next_frame(), Some(MemberFrame::Who));
    conversation.disconnected();
    assert_eq!(conversation.next_frame(), None);
    welcome(&mut conversation, 0);
    assert_eq!(conversation.next_frame(), Some(MemberFrame::Who));
    answer(&mut conversation);
    assert_eq!(conversation.next_frame(), None);
}

/// An answer to a question about the past: these messages. `first` is the number of its first item.
fn old(
    conversation: &mut Conversation,
    question: u64,
    first: u64,
    seqs: &[u64],
    is_whole: bool,
) -> Vec<Vec<u64>> {
    let entry = |seq| {
        let event = Event::Said { from: Origin::default(), author: Author::Room, text: text("old") };
        DirectItem::OldMessage { question, entry: Arc::new(Entry { seq, at_ms: 0, event }) }
    };
    let end = is_whole.then_some(DirectItem::OldEnd { question, more: true, why: None });
    let mut pages = Vec::new();
    for (number, item) in (first..).zip(seqs.iter().map(|&seq| entry(seq)).chain(end)) {
        conversation.receive(RoomFrame::Direct(Arc::new(Direct { number, item })), |event| {
            if let ClientEvent::OldMessages(page) = event {
                pages.push(page.messages.iter().map(|entry| entry.seq).collect());
            }
        });
    }
    pages
}

fn asks(conversation: &mut Conversation, number: u64, question: &LookBack) {
    let frame = loop {
        match conversation.next_frame() {
            Some(MemberFrame::Got { .. }) => {}
            frame => break frame,
        }
    };
    assert_eq!(frame, Some(MemberFrame::LookBack { number, question: question.clone() }));
}

#[test]
fn old_messages_come_as_one_page_and_a_broken_answer_is_asked_for_again() {
    let mut conversation = Conversation::new(0);
    welcome(&mut conversation, 0);
    let question = LookBack::newest(3).before(9);
    conversation.look_back(question.clone());
    conversation.finish();
    asks(&mut conversation, 1, &question);
    assert_eq!(old(&mut conversation, 1, 1, &[6, 7], false), [[0; 0]; 0]);
    conversation.disconnected();
    welcome(&mut conversation, 0);
    asks(&mut conversation, 2, &question);
    assert_eq!(old(&mut conversation, 1, 3, &[8], true), [[0; 0]; 0], "the rest of the broken one");
    assert_eq!(old(&mut conversation, 2, 5, &[6, 7, 8], true), [[6, 7, 8]]);
    assert_eq!(old(&mut conversation, 2, 9, &[5], true), [[0; 0]; 0], "nobody has asked");
    let rest: Vec<_> = std::iter::from_fn(|| conversation.next_frame()).collect();
    assert_eq!(rest, [MemberFrame::Got { direct: 10 }, MemberFrame::Bye], "it waited for the answer");
}

#[test]
fn the_past_of_a_room_that_was_left_is_not_asked_for_in_another_one() {
    let mut conversation = Conversation::new(0);
    welcome(&mut conversation, 0);
    conversation.look_back(LookBack::newest(3));
    asks(&mut conversation, 1, &LookBack::newest(3));
    let mut whys = Vec::new();
    for (number, item) in [(1, DirectItem::Move { room: text("dev") }), (2, DirectItem::Done { number: 1 })] {
        conversation.receive(RoomFrame::Direct(Arc::new(Direct { number, item })), |event| {
            if let ClientEvent::OldMessages(page) = event {
                whys.push(page.why);
            }
        });
    }
    assert!(matches!(&whys[..], [Some(_)]), "{whys:?}");
    conversation.disconnected();
    welcome(&mut conversation, 0);
    assert_eq!(conversation.next_frame(), None);
}
