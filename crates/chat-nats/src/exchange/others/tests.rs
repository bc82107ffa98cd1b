use super::*;

fn member(id: u64, author: &str) -> Member {
    Member {
        member: id,
        author: author.to_owned(),
        address: None,
        transport: "tcp".to_owned(),
        came_unix_ms: 1,
    }
}

fn changes(server: &str, number: u64, changes: Vec<Change>) -> Told {
    Told::Changes { server: server.to_owned(), task: 8, at: "box".to_owned(), number, changes }
}

fn whole(server: &str, number: u64, members: Vec<Member>) -> Told {
    part(server, number, members, (0, 1))
}

fn part(server: &str, number: u64, members: Vec<Member>, (part, parts): (usize, usize)) -> Told {
    let (server, at) = (server.to_owned(), "box".to_owned());
    Told::Whole { server, task: 8, at, number, members, part, parts }
}

fn beat(task: u64, number: u64) -> Told {
    Told::Beat { server: "a".to_owned(), task, number }
}

fn gone(id: u64) -> Change {
    Change::Gone { member: id, reason: LeaveReason::Quit }
}

fn told(elsewhere: &[Elsewhere]) -> Vec<String> {
    let line = |what: &Elsewhere| match what {
        Elsewhere::Here { member, is_news } => format!("{} {}", member.author, is_news),
        Elsewhere::Gone { member, reason } => format!("{} {reason}", member.as_u64()),
        other => format!("{other:?}"),
    };
    elsewhere.iter().map(line).collect()
}

#[test]
fn changes_are_heard_in_order_and_a_missing_one_is_asked_for() {
    let mut others = Others::default();
    assert!(others.hear(changes("a", 4, vec![Change::Here(member(1, "ann"))])).is_empty());
    assert_eq!(others.take_asks().collect::<Vec<_>>(), ["a"], "it is not known yet");
    assert_eq!(told(&others.hear(whole("a", 4, vec![member(1, "ann")]))), ["ann false"]);
    let heard = others.hear(changes("a", 5, vec![Change::Here(member(2, "bob")), Change::Unknown, gone(1)]));
    assert_eq!(told(&heard), ["bob true", &format!("1 {}", LeaveReason::Quit)]);
    assert!(others.hear(changes("a", 5, vec![gone(2)])).is_empty(), "said before");
    assert!(others.hear(changes("a", 7, vec![gone(2)])).is_empty(), "the sixth is missing");
    assert_eq!(others.take_asks().count(), 1);
    let heard = others.hear(whole("a", 7, vec![member(3, "eve")]));
    assert_eq!(told(&heard), [format!("2 {}", LeaveReason::Lost), "eve true".to_owned()]);
    assert!(others.hear(beat(8, 7)).is_empty());
    assert_eq!(others.take_asks().count(), 0);
}

#[test]
fn a_room_that_is_opened_again_at_a_server_counts_from_one_again() {
    let mut others = Others::default();
    others.hear(changes("a", 1, vec![Change::Here(member(1, "ann"))]));
    others.hear(changes("a", 2, vec![Change::Here(member(2, "bob"))]));
    let here = vec![Change::Here(member(3, "eve"))];
    let (server, at) = ("a".to_owned(), "box".to_owned());
    let again = Told::Changes { server, task: 9, at, number: 1, changes: here };
    let mut heard = told(&others.hear(again));
    heard[..2].sort();
    let lost = |id| format!("{id} {}", LeaveReason::Lost);
    assert_eq!(heard, [lost(1), lost(2), "eve true".to_owned()]);
    assert!(others.hear(changes("a", 3, vec![gone(3)])).is_empty(), "of the room before");
    assert!(others.hear(beat(8, 9)).is_empty() && others.take_asks().count() == 0, "this too");
    assert!(others.hear(beat(9, 2)).is_empty() && others.take_asks().count() == 1, "one is missing");
}

#[test]
fn a_missing_part_is_noticed_and_asked_for() {
    let mut others = Others::default();
    let (ann, bob, eve) = (member(1, "ann"), member(2, "bob"), member(3, "eve"));
    assert!(others.hear(part("a", 5, vec![ann.clone()], (0, 3))).is_empty());
    assert!(others.hear(part("a", 5, vec![eve.clone()], (2, 3))).is_empty());
    assert_eq!(others.take_asks().count(), 1);
    for (place, member) in [ann, bob].into_iter().enumerate() {
        assert!(others.hear(part("a", 6, vec![member], (place, 3))).is_empty());
    }
    assert_eq!(others.hear(part("a", 6, vec![eve], (2, 3))).len(), 3);
    assert_eq!(others.take_asks().count(), 0);
}

#[test]
fn the_members_of_a_server_leave_that_says_nothing_about_the_room_any_more() {
    let (mut others, servers) = (Others::default(), Servers::new());
    servers.notice(&"a".to_owned());
    others.hear(changes("a", 1, vec![Change::Here(member(1, "ann"))]));
    for _ in 0..SILENT_LOOKS {
        assert!(others.look(&servers, true).is_empty());
        assert!(others.look(&servers, false).is_empty(), "without NATS nobody is heard");
    }
    others.hear(beat(8, 1));
    (0..SILENT_LOOKS).for_each(|_| assert!(others.look(&servers, true).is_empty()));
    assert_eq!(told(&others.look(&servers, true)), [format!("1 {}", LeaveReason::Lost)]);
    assert!(others.hear(beat(8, 1)).is_empty() && others.take_asks().count() == 1, "it is back");
}

#[test]
fn the_first_member_of_a_server_is_news() {
    let mut others = Others::default();
    assert_eq!(told(&others.hear(changes("a", 1, vec![Change::Here(member(1, "ann"))]))), ["ann true"]);
    assert_eq!(others.take_asks().count(), 0);
}

#[test]
fn a_session_that_goes_on_at_another_server_does_not_leave_with_the_first_one() {
    let mut others = Others::default();
    others.hear(whole("a", 0, vec![member(1, "ann"), member(2, "bob")]));
    others.hear(whole("b", 0, vec![]));
    others.hear(changes("b", 1, vec![Change::Here(member(1, "ann"))]));
    assert_eq!(others.server_of(MemberId::new(1)).map(String::as_str), Some("b"));
    assert!(others.hear(changes("a", 1, vec![gone(1)])).is_empty());
    assert_eq!(others.hear(changes("a", 2, vec![gone(2)])).len(), 1);
}

#[test]
fn a_server_that_has_not_noticed_that_a_member_went_on_elsewhere_does_not_take_it_back() {
    let mut others = Others::default();
    let since = |came_unix_ms| Member { came_unix_ms, ..member(1, "ann") };
    others.hear(changes("a", 1, vec![Change::Here(since(5))]));
    others.hear(changes("b", 1, vec![Change::Here(since(9))]));
    assert!(others.hear(whole("a", 2, vec![since(5)])).is_empty());
    assert_eq!(others.server_of(MemberId::new(1)).map(String::as_str), Some("b"));
    // Unless the server where it is no longer has it.
    assert_eq!(others.hear(changes("b", 2, vec![gone(1)])).len(), 1);
    assert_eq!(others.take_asks().collect::<Vec<_>>(), ["a"]);
    assert_eq!(others.hear(whole("a", 2, vec![since(5)])).len(), 1);
    assert!(others.hear(changes("a", 3, vec![gone(1)])).len() == 1 && others.take_asks().count() == 0);
}

#[test]
fn messages_of_servers_have_one_form_and_those_of_a_later_version_are_skipped() {
    let line = serde_json::to_string(&changes("a", 5, vec![gone(1)])).unwrap();
    assert_eq!(
        line,
        r#"{"kind":"changes","server":"a","task":8,"at":"box","number":5,"changes":[{"kind":"gone","member":1,"reason":[0,"by its own choice"]}]}"#
    );
    let later = r#"{"v":2,"kind":"changes","server":"a","task":8,"at":"box","number":5,"colour":1,"changes":[{"kind":"waves","member":1}]}"#;
    assert_eq!(serde_json::from_str::<Told>(later).unwrap(), changes("a", 5, vec![Change::Unknown]));
    assert_eq!(serde_json::from_str::<Told>(r#"{"v":2,"kind":"dances","x":1}"#).unwrap(), Told::Unknown);
}
