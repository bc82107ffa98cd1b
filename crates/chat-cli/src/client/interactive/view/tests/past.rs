use chat_core::OldMessages;
use chat_proto::LookBack;

use super::*;

/// A page of old messages, each a day older than the one after it.
fn page(question: LookBack, seqs: &[u64], more: bool) -> ClientEvent {
    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    let old = |&seq: &u64| Arc::new(Entry { seq, at_ms: seq * DAY_MS, event: said_by(2, "old") });
    let messages = seqs.iter().map(old).collect();
    ClientEvent::OldMessages(OldMessages { question, messages, more, why: None })
}

#[test]
fn pages_go_back_with_their_days_until_there_is_nothing_older() {
    let mut view = view();
    let at = |seq| {
        let event = said_by(2, "new");
        ClientEvent::Entry { entry: Arc::new(Entry { seq, at_ms: 0, event }), own: false }
    };
    after(&mut view, &[connected(peer(1)), at(8), at(9)]);
    let question = view.look_back(24).expect("a question");
    assert_eq!(question, LookBack::newest(18).before(8));
    assert_eq!(view.look_back(24), None, "one page at a time");
    assert_eq!(
        after(&mut view, &[page(question, &[5, 6], true)]),
        [
            "-- Earlier:",
            "-- Saturday, 28 November 2026",
            "02:50 [127.0.0.1:2] old",
            "-- Sunday, 29 November 2026",
            "02:50 [127.0.0.1:2] old",
            "-- Page Up shows what was before that."
        ]
    );
    let question = view.look_back(24).expect("a question");
    assert_eq!(question.before, 5);
    after(&mut view, &[page(question, &[1], false)]);
    assert_eq!(view.look_back(24), None);
    assert_eq!(lines(&mut view), ["-- There is nothing older."]);
    assert_eq!(after(&mut view, &[at(10)])[0], "-- Monday, 23 November 2026", "now again");
}

#[test]
fn a_page_that_cannot_be_read_may_be_asked_for_again() {
    let mut view = view();
    let question = view.look_back(24).expect("a question");
    assert_eq!(question.before, u64::MAX, "nothing is shown yet");
    let why = Some(text("the disk is broken"));
    let failed = OldMessages { question, messages: Vec::new(), more: false, why };
    assert_eq!(
        after(&mut view, &[ClientEvent::OldMessages(failed)]),
        ["-- The history cannot be read: the disk is broken"]
    );
    assert!(view.look_back(24).is_some());
}
