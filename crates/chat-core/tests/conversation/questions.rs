//! Questions who is present: each is answered, in the order of what was said before and after it.

use std::sync::Arc;

use chat_core::{ClientEvent, Conversation};
use chat_proto::{Author, Entry, Event, MemberFrame, MemberId, Origin, Present, RoomFrame, Session};

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
