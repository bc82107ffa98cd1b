//! Texts that begin with a slash: they are said as they are, or they are commands that the direct lane answers.

use std::sync::Arc;

use chat_core::ClientEvent;
use chat_core::client::Conversation;
use chat_proto::limits::TEXT_BYTES_MAX;
use chat_proto::{
    Author, COMMANDS, Direct, DirectItem, Entry, Event, LeaveReason, MemberFrame, MemberId, Origin,
    RoomFrame, Session, Welcome,
};

use crate::says;
use crate::support::{self, text};

fn welcomed(capabilities: u64) -> Conversation {
    let mut conversation = Conversation::new(0);
    let session = Session { member: MemberId::new(1), since: 0, key: 2 };
    let mut welcome = support::welcome(session);
    welcome.capabilities = capabilities;
    conversation.receive(RoomFrame::Welcome(Box::new(welcome)), |_| {});
    conversation
}

#[test]
fn a_text_that_is_said_is_not_a_command_and_a_command_is_sent_as_it_is() {
    let mut conversation = welcomed(COMMANDS);
    conversation.say(text("/quit")).unwrap();
    conversation.command(text("/nick ann")).unwrap();
    conversation.say(text("hello")).unwrap();
    conversation.say(text("  /quit")).unwrap();
    assert_eq!(conversation.next_frame(), says(1, "//quit"));
    assert_eq!(conversation.next_frame(), says(2, "/nick ann"));
    assert_eq!(conversation.next_frame(), says(3, "hello"));
    assert_eq!(conversation.next_frame(), says(4, "  //quit"));
    let mut conversation = welcomed(0);
    conversation.say(text("/quit")).unwrap();
    assert_eq!(conversation.next_frame(), says(1, "/quit"), "a room without commands");
}

#[test]
fn the_longest_text_with_a_slash_is_said_whole() {
    let mut conversation = welcomed(COMMANDS);
    let long = format!("/{}é", "x".repeat(TEXT_BYTES_MAX - 3));
    conversation.say(text(&long)).unwrap();
    assert_eq!(conversation.next_frame(), says(1, &format!("/{}", long.trim_end_matches('é'))));
    assert_eq!(conversation.next_frame(), says(2, "é"));
}

#[test]
fn the_end_of_an_answer_confirms_the_command() {
    let mut conversation = welcomed(COMMANDS);
    conversation.command(text("/nick ann")).unwrap();
    conversation.command(text("/msg bob psst")).unwrap();
    conversation.finish();
    assert!(conversation.next_frame().is_some() && conversation.next_frame().is_some());
    let sent = DirectItem::Sent { number: 2, to: "bob".parse().unwrap(), text: text("psst") };
    for (number, item, left) in [
        (1, DirectItem::Notice { text: text("You are ann") }, 2),
        (2, DirectItem::Done { number: 1 }, 1),
        (3, sent, 0),
    ] {
        let mut events = 0;
        conversation.receive(RoomFrame::Direct(Arc::new(Direct { number, item })), |event| {
            events += usize::from(matches!(event, ClientEvent::Direct(_)));
        });
        assert_eq!((events, conversation.unconfirmed()), (1, left));
    }
    assert_eq!(conversation.next_frame(), Some(MemberFrame::Got { direct: 3 }));
    assert_eq!(conversation.next_frame(), Some(MemberFrame::Bye));
}

#[test]
fn each_hello_asks_for_the_name() {
    let mut conversation = Conversation::new(0).with_name(Some("ann".parse().unwrap()));
    assert_eq!(conversation.hello().name, Some(text("ann")));
    let session = Session { member: MemberId::new(1), since: 0, key: 2 };
    conversation.receive(RoomFrame::Welcome(Box::new(support::welcome(session))), |_| {});
    conversation.disconnected();
    assert_eq!(conversation.hello().name, Some(text("ann")));
}

/// A member has asked for another room over a connection that broke, and resumes its session.
#[test]
fn a_move_that_comes_over_a_later_connection_is_ended_by_the_member_once_it_has_all() {
    let mut conversation = welcomed(COMMANDS);
    conversation.command(text("/join dev")).unwrap();
    assert_eq!(conversation.next_frame(), says(1, "/join dev"));
    assert!(!conversation.disconnected());
    let session = Session { member: MemberId::new(1), since: 0, key: 2 };
    let again = Welcome { resumed: true, taken: Some(1), head: 1, ..support::welcome(session) };
    conversation.receive(RoomFrame::Welcome(Box::new(again)), |_| {});
    for (number, item) in [(1, DirectItem::Move { room: text("dev") }), (2, DirectItem::Done { number: 1 })] {
        conversation.receive(RoomFrame::Direct(Arc::new(Direct { number, item })), |_| {});
    }
    assert_eq!(conversation.next_frame(), Some(MemberFrame::Got { direct: 2 }));
    assert_eq!(conversation.next_frame(), None, "the old room has a message for it");
    let said = Event::Said { from: Origin::default(), author: Author::Room, text: text("late") };
    let entry = Arc::new(Entry { seq: 1, at_ms: 0, event: said });
    conversation.receive(RoomFrame::Entry(entry), |_| {});
    assert_eq!(conversation.next_frame(), Some(MemberFrame::Bye));
    assert_eq!(conversation.next_frame(), None);
    assert!(!conversation.disconnected(), "it goes on in the other room");
    assert_eq!(conversation.hello().room, Some(text("dev")));
    assert_eq!(conversation.hello().resume, None);
}

fn direct(number: u64, item: DirectItem) -> RoomFrame {
    RoomFrame::Direct(Arc::new(Direct { number, item }))
}

/// It has said something and asked to go to another room; then the connection has broken, before it had `Done`.
fn cut_off_on_its_way() -> Conversation {
    let mut conversation = welcomed(COMMANDS);
    conversation.say(text("hello")).unwrap();
    conversation.command(text("/join dev")).unwrap();
    assert_eq!(conversation.next_frame(), says(1, "hello"));
    assert_eq!(conversation.next_frame(), says(2, "/join dev"));
    conversation.receive(direct(1, DirectItem::Move { room: text("dev") }), |_| {});
    assert!(!conversation.disconnected());
    conversation
}

#[test]
fn a_connection_that_breaks_before_a_move_is_confirmed_has_nothing_said_twice() {
    let mut conversation = cut_off_on_its_way();
    assert!(conversation.hello().resume.is_some(), "what became of \"hello\" is not known yet");
    let session = Session { member: MemberId::new(1), since: 0, key: 2 };
    let again = Welcome { resumed: true, taken: Some(2), ..support::welcome(session) };
    conversation.receive(RoomFrame::Welcome(Box::new(again)), |_| {});
    conversation.receive(direct(2, DirectItem::Done { number: 2 }), |_| {});
    assert_eq!(conversation.next_frame(), Some(MemberFrame::Got { direct: 2 }));
    assert_eq!(conversation.next_frame(), Some(MemberFrame::Bye));
    assert!(!conversation.disconnected());
    assert_eq!((conversation.hello().room, conversation.unconfirmed()), (Some(text("dev")), 0));
}

/// The lane of the session has lost an answer, but not all of them.
#[test]
fn an_item_after_a_resume_that_knows_nothing_still_counts() {
    let mut conversation = cut_off_on_its_way();
    let session = Session { member: MemberId::new(1), since: 0, key: 2 };
    let again = Welcome { resumed: true, taken: None, ..support::welcome(session) };
    let mut events = Vec::new();
    conversation.receive(RoomFrame::Welcome(Box::new(again)), |event| events.push(event));
    assert!(
        matches!(&events[..], [ClientEvent::Unsure(texts), ClientEvent::Connected { .. }] if texts.len() == 2)
    );
    events.clear();
    let refused = DirectItem::Refused { number: 1, why: text("no") };
    conversation.receive(direct(2, refused), |event| events.push(event));
    assert!(matches!(&events[..], [ClientEvent::Refused { text: Some(said), .. }] if *said == text("hello")));
    conversation.receive(direct(3, DirectItem::Done { number: 2 }), |_| {});
    assert!(conversation.moves());
}

#[test]
fn the_room_ends_the_connection_over_which_it_took_the_command_to_move() {
    let mut conversation = welcomed(COMMANDS);
    conversation.command(text("/join dev")).unwrap();
    assert_eq!(conversation.next_frame(), says(1, "/join dev"));
    for (number, item) in [(1, DirectItem::Move { room: text("dev") }), (2, DirectItem::Done { number: 1 })] {
        conversation.receive(RoomFrame::Direct(Arc::new(Direct { number, item })), |_| {});
    }
    assert_eq!(conversation.next_frame(), Some(MemberFrame::Got { direct: 2 }));
    assert_eq!(conversation.next_frame(), None);
}

#[test]
fn entries_that_are_alike_are_all_told_although_the_clock_stands_still() {
    let mut conversation = welcomed(0);
    let member = MemberId::new(77);
    let author: Author = "192.0.2.7:1".parse().unwrap();
    let left = Event::Left { member, author: author.clone(), reason: LeaveReason::Lost, members: 1 };
    let joined = Event::Joined { member, author, members: 2 };
    let mut told = 0;
    for event in [left.clone(), joined, left] {
        let entry = Entry { seq: 0, at_ms: 1, event };
        conversation.receive(RoomFrame::Entry(entry.into()), |_| told += 1);
    }
    assert_eq!(told, 3);
}

#[test]
fn a_refused_text_is_known_although_a_welcome_has_confirmed_it_first() {
    let mut conversation = welcomed(COMMANDS);
    let said = ["one", "two", "three", "four"];
    said.iter().for_each(|what| conversation.say(text(what)).unwrap());
    while conversation.next_frame().is_some() {}
    conversation.disconnected();
    let session = Session { member: MemberId::new(1), since: 0, key: 2 };
    let again = Welcome { resumed: true, taken: Some(3), ..support::welcome(session) };
    conversation.receive(RoomFrame::Welcome(Box::new(again)), |_| {});
    assert_eq!(conversation.next_frame(), says(4, "four"));
    let mut refused = Vec::new();
    for (item, number) in [(1, 2), (2, 4), (3, 3)] {
        let item = Direct { number: item, item: DirectItem::Refused { number, why: text("no") } };
        conversation.receive(RoomFrame::Direct(Arc::new(item)), |event| match event {
            ClientEvent::Refused { text, .. } => refused.push(text.map(|text| text.to_string())),
            event => panic!("{event:?}"),
        });
    }
    assert_eq!(refused, ["two", "four", "three"].map(|what| Some(what.to_owned())));
}

#[test]
fn a_refused_text_is_known_although_the_entry_of_a_later_message_comes_first() {
    let mut conversation = welcomed(COMMANDS);
    ["one", "two"].iter().for_each(|what| conversation.say(text(what)).unwrap());
    while conversation.next_frame().is_some() {}
    let (member, author) = (conversation.member().unwrap(), "192.0.2.7:1".parse().unwrap());
    let event = Event::Said { from: Origin { member, number: 2 }, author, text: text("two") };
    conversation.receive(RoomFrame::Entry(Entry { seq: 1, at_ms: 1, event }.into()), |_| {});
    assert_eq!(conversation.unconfirmed(), 0);
    let mut refused = Vec::new();
    let item = Direct { number: 1, item: DirectItem::Refused { number: 1, why: text("no") } };
    conversation.receive(RoomFrame::Direct(Arc::new(item)), |event| match event {
        ClientEvent::Refused { text, .. } => refused.push(text.map(|text| text.to_string())),
        event => panic!("{event:?}"),
    });
    assert_eq!(refused, [Some("one".to_owned())]);
}
