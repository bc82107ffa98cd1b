//! Questions who is present: each is answered, in the order of what was said before and after it.

use std::sync::Arc;

use chat_core::{ClientEvent, Conversation};
use chat_proto::{Entry, Event, MemberFrame, Present, RoomFrame, Session, Welcome};

use crate::support::text;

fn welcome(conversation: &mut Conversation, since: u64) {
    let you = "127.0.0.1:1".parse().unwrap();
    let session = Session { member: 1, since, key: 2 };
    let welcome = Welcome { epoch: 1, session, you, head: since, began_unix_ms: 0, members: 1 };
    conversation.receive(RoomFrame::Welcome(welcome), |_| {});
}

fn confirm(conversation: &mut Conversation, seq: u64, what: &str) {
    let you: chat_proto::PeerAddr = "127.0.0.1:1".parse().unwrap();
    let event = Event::Said { author: you.into(), text: text(what) };
    conversation.receive(RoomFrame::Entry(Arc::new(Entry { seq, at_ms: 0, event })), |_| {});
}

fn answer(conversation: &mut Conversation) {
    let mut answers = 0;
    let present = Present { members: 1, peers: Vec::new(), more: false };
    conversation.receive(RoomFrame::Present(present), |event| {
        answers += usize::from(matches!(event, ClientEvent::Present(_)));
    });
    assert_eq!(answers, 1);
}

fn says(what: &str) -> Option<MemberFrame> {
    Some(MemberFrame::Say(text(what)))
}

#[test]
fn requests_are_dealt_with_in_their_order_and_the_last_answer_is_waited_for() {
    let mut conversation = Conversation::new(0);
    welcome(&mut conversation, 0);
    conversation.say(text("one")).unwrap();
    conversation.ask_who();
    conversation.ask_who();
    conversation.say(text("two")).unwrap();
    conversation.ask_who();
    conversation.finish();
    assert_eq!(conversation.next_frame(), says("one"));
    assert_eq!(conversation.next_frame(), None, "the answer must come after the confirmation");
    confirm(&mut conversation, 1, "one");
    for _ in 0..2 {
        assert_eq!(conversation.next_frame(), Some(MemberFrame::Who));
        assert_eq!(conversation.next_frame(), None, "one at a time");
        answer(&mut conversation);
    }
    assert_eq!(conversation.next_frame(), says("two"));
    confirm(&mut conversation, 2, "two");
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
