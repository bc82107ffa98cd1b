//! What two chat servers have in common besides messages: names, bans, mutes and slow mode.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::time::Duration;

use chat_core::access::Ban;
use chat_core::transport::{Attachment, Outcome, Welcomed};
use chat_core::{Author, Event, Heard, LeaveReason, LocalMember, Name, NickError, Text};
use support::{Server, nats, now, resume, until, welcome, welcome_as};

/// How long a server must be silent until the others regard it as gone.
const GONE_AFTER: Duration = Duration::from_secs(15);

fn name(name: &str) -> Name {
    name.parse().unwrap()
}

fn say(carrier: &Attachment, welcomed: &Welcomed, number: u64, text: &str) -> Outcome {
    carrier.say_numbered(welcomed.member, number, Text::one_line(text).unwrap(), now()).unwrap().outcome
}

/// The messages that are said, until all of these have come.
fn hear(local: &LocalMember, all: &[&str]) -> Vec<String> {
    let mut heard: Vec<String> = Vec::new();
    while !all.iter().all(|text| heard.iter().any(|heard| heard.ends_with(text))) {
        if let Heard::Entry(entry) = local.recv_timeout(Duration::from_secs(60)).unwrap()
            && entry.event.is_message()
        {
            heard.push(entry.event.to_string());
        }
    }
    heard
}

#[test]
fn a_name_is_taken_at_every_server_until_it_is_given_up() {
    let Some(nats) = nats("names", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    let (first, second) = (one.carrier(), other.carrier());
    let ann = welcome_as(&first, 5, "Iris");
    let bob = welcome_as(&second, 6, "bob");
    let bob_id = bob.welcome.session.member;
    assert_eq!(ann.welcome.name, Some(Text::one_line("Iris").unwrap()));
    // A message under a name comes once the name is taken.
    let watching = one.room.join("watching").unwrap();
    say(&first, &ann, 1, "I am Iris");
    hear(&watching, &["I am Iris"]);
    let asks = |asked: &str| match other.room.rename(bob_id, Some(name(asked))) {
        Ok(_) => None,
        Err(NickError::Taken { suggestion, .. }) => Some(suggestion.map(|free| free.to_string())),
        Err(error) => panic!("{error}"),
    };
    // Until the other server has heard of it, it gives the name, and takes it away again.
    until("it is taken", || asks("iris").is_some());
    assert_eq!(asks("lris"), Some(Some("lris-2".to_owned())), "it looks like it");
    // A server that starts later knows it as well.
    let late = Server::new(&nats);
    let third = late.carrier();
    let eve = welcome_as(&third, 7, "eve").welcome.session.member;
    until("it is taken there, too", || {
        matches!(late.room.rename(eve, Some(name("iris"))), Err(NickError::Taken { .. }))
    });
    one.room.rename(ann.welcome.session.member, Some(name("ann"))).unwrap();
    until("it is free", || asks("Iris").is_none());
    until("and its new name is taken", || {
        matches!(late.room.rename(eve, Some(name("ann"))), Err(NickError::Taken { .. }))
    });
}

#[test]
fn of_two_that_take_a_name_at_once_one_has_it_and_the_other_one_never_speaks_under_it() {
    let Some(nats) = nats("race", 1) else { return };
    let servers = [Server::new(&nats), Server::new(&nats)];
    let carriers = [servers[0].carrier(), servers[1].carrier()];
    let watching = [servers[0].room.join("w1").unwrap(), servers[1].room.join("w2").unwrap()];
    nats.stop(0); // so that neither server hears of the other one before
    let members = [welcome_as(&carriers[0], 5, "ann"), welcome_as(&carriers[1], 6, "ann")];
    for (carrier, member) in carriers.iter().zip(&members) {
        say(carrier, member, 1, "I am ann");
    }
    nats.go_on(0);
    let has_it = |place: usize| servers[place].room.members()[0] == Author::Named(name("ann"));
    until("one has lost it", || has_it(0) != has_it(1));
    let (winner, loser) = if has_it(0) { (0, 1) } else { (1, 0) };
    let renamed = loop {
        if let Heard::Entry(entry) = watching[loser].recv_timeout(Duration::from_secs(60)).unwrap()
            && let Event::Renamed { from, to, .. } = &entry.event
        {
            break (from.to_string(), to.to_string());
        }
    };
    assert_eq!(renamed, ("ann".to_owned(), format!("192.0.2.1:{}", 5 + loser)));
    assert_eq!(say(&carriers[loser], &members[loser], 2, "who is ann?"), Outcome::Submitted);
    assert_eq!(say(&carriers[winner], &members[winner], 2, "still ann"), Outcome::Submitted);
    // Each has said its first message before its second.
    let mut heard = hear(&watching[winner], &["who is ann?", "still ann"]);
    heard.sort();
    let who = format!("[192.0.2.1:{}] who is ann?", 5 + loser);
    assert_eq!(heard, [&who, "[ann] I am ann", "[ann] still ann"]);
}

#[test]
fn of_two_that_change_to_a_name_at_once_the_other_one_has_its_old_name_everywhere() {
    let Some(nats) = nats("race-back", 1) else { return };
    let servers = [Server::new(&nats), Server::new(&nats)];
    let carriers = [servers[0].carrier(), servers[1].carrier()];
    let watching = [servers[0].room.join("w1").unwrap(), servers[1].room.join("w2").unwrap()];
    let before = ["bob", "eve"];
    let members = [0, 1].map(|place| welcome_as(&carriers[place], 5, before[place]));
    // A message under a name comes once the name is certain.
    (0..2).for_each(|place| drop(say(&carriers[place], &members[place], 1, before[place])));
    (0..2).for_each(|place| drop(hear(&watching[place], &before)));
    nats.stop(0); // so that neither server hears of the other one before
    for (server, member) in servers.iter().zip(&members) {
        server.room.rename(member.welcome.session.member, Some(name("ann"))).unwrap();
    }
    nats.go_on(0);
    let is_called =
        |place: usize, as_name: &str| servers[place].room.members()[0] == Author::Named(name(as_name));
    until("one has lost it", || (0..2).any(|place| is_called(place, before[place])));
    let loser = usize::from(is_called(1, before[1]));
    let winner = 1 - loser;
    say(&carriers[loser], &members[loser], 2, "what am I called?");
    let said = format!("[{}] what am I called?", before[loser]);
    assert_eq!(hear(&watching[winner], &["what am I called?"]), [said]);
    let other = members[winner].welcome.session.member;
    until("its old name is taken", || {
        matches!(servers[winner].room.rename(other, Some(name(before[loser]))), Err(NickError::Taken { .. }))
    });
}

#[test]
fn names_of_a_server_that_stops_are_free_and_a_session_takes_its_own_along() {
    let Some(nats) = nats("stops", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    let (first, second) = (one.carrier(), other.carrier());
    let ann = welcome_as(&first, 5, "ann");
    let eve = welcome_as(&first, 6, "eve");
    // A message under a name comes once the name is taken.
    let watching = other.room.join("watching").unwrap();
    for member in [&ann, &eve] {
        say(&first, member, 1, "this is my name");
    }
    hear(&watching, &["[ann] this is my name", "[eve] this is my name"]);
    let bob = welcome_as(&second, 7, "bob").welcome.session.member;
    let is_taken =
        |asked: &str| matches!(other.room.rename(bob, Some(name(asked))), Err(NickError::Taken { .. }));
    until("both are taken", || is_taken("ann") && is_taken("eve"));
    // Its client goes on at the other server, which gives it the name at once.
    let hello = chat_core::Hello {
        resume: resume(&ann, 0),
        name: Some("ann".parse().unwrap()),
        ..Default::default()
    };
    let address: std::net::SocketAddr = ([192, 0, 2, 1], 8).into();
    let moved = second.welcome(0, address, &hello, now(), now()).unwrap();
    assert_eq!(
        other.room.members().iter().filter(|&author| *author == Author::Named(name("ann"))).count(),
        1
    );
    assert!(moved.welcome.resumed);
    let stops = now();
    drop((first, one));
    until("the other one is free", || !is_taken("eve"));
    assert!(stops.elapsed() < GONE_AFTER, "it has said that it stops: {:?}", stops.elapsed());
    assert!(is_taken("ann"), "it is used here");
}

#[test]
fn mutes_slow_mode_and_bans_hold_at_every_server_and_a_later_one_learns_them() {
    let Some(nats) = nats("moderation", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    let (first, second) = (one.carrier(), other.carrier());
    let session = welcome(&first, None).unwrap();
    let (member, pause) = (session.welcome.session.member, Some(Duration::from_secs(5)));
    one.room.set_slow(pause);
    until("slow mode is on", || other.room.slow() == pause);
    other.room.set_slow(None);
    until("slow mode is off", || one.room.slow().is_none());
    let by_address = one.room.mute(&session.welcome.you).unwrap();
    let eve = welcome_as(&second, 6, "eve");
    let ban =
        |who: &str| Ban { who: who.parse().unwrap(), why: "spam".parse().unwrap(), until_unix_ms: None };
    one.room.ban(&ban("198.51.100.0/24")).unwrap();
    one.room.ban(&ban("eve")).unwrap();
    until("both bans hold", || other.room.bans().len() == 2);
    until("it was kicked", || !second.is_member(eve.member));
    let reason = second.leave(eve.member, LeaveReason::Lost, now());
    assert!(reason.to_string().contains("spam"), "{reason}");

    let late = Server::new(&nats);
    let third = late.carrier();
    until("a later server has learned the bans", || late.room.bans().len() == 2);
    // The mute goes with the session. What was stored first was learned first.
    let moved = welcome(&third, resume(&session, 0)).unwrap();
    until("it is muted there", || {
        late.room.presence(10).1.iter().any(|present| present.member == member && present.is_muted)
    });
    assert_eq!(say(&third, &moved, 1, "hello"), Outcome::Refused);
    assert_eq!(late.room.mutes(), [by_address], "with what it holds for");
    until("all servers have the mute", || other.room.mutes() == late.room.mutes());
    assert_eq!(
        say(&second, &welcome_as(&second, 9, "newcomer"), 1, "hello"),
        Outcome::Refused,
        "from its address"
    );
    assert_eq!(late.room.unmute(&moved.welcome.you.to_string()).len(), 1);
    assert!(late.room.unban(&"eve".parse().unwrap()).is_some());
    until("the ban is lifted", || one.room.bans().len() == 1 && other.room.bans().len() == 1);
    until("it may speak", || {
        one.room.presence(10).1.iter().any(|present| present.member == member && !present.is_muted)
    });
}

#[test]
fn two_servers_that_ban_one_name_in_two_spellings_agree_on_one_of_them() {
    let Some(nats) = nats("spellings", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    let ban = |who: &str| Ban { who: who.parse().unwrap(), why: Text::default(), until_unix_ms: None };
    one.room.ban(&ban("ann")).unwrap();
    other.room.ban(&ban("Ann")).unwrap();
    // When a server hears a later ban of the other one, it has heard this one, too.
    for (server, who) in
        [(&one, "192.0.2.1"), (&other, "192.0.2.2"), (&one, "192.0.2.3"), (&other, "192.0.2.4")]
    {
        server.room.ban(&ban(who)).unwrap();
        until("both have it", || {
            [&one, &other]
                .iter()
                .all(|server| server.room.bans().iter().any(|ban| ban.who.to_string() == who))
        });
    }
    until("they agree", || one.room.bans() == other.room.bans());
    assert_eq!(one.room.bans().len(), 5, "{:?}", one.room.bans());
    assert!(other.room.unban(&"ANN".parse().unwrap()).is_some());
    until("it is lifted at both", || one.room.bans().len() == 4 && other.room.bans().len() == 4);
}

#[test]
fn servers_with_another_secret_lift_no_ban() {
    let Some(nats) = nats("strangers", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    let has = |server: &Server, who: &str| server.room.bans().iter().any(|ban| ban.who.to_string() == who);
    let ban = |who: &str| Ban { who: who.parse().unwrap(), why: Text::default(), until_unix_ms: None };
    one.room.ban(&ban("eve")).unwrap();
    until("it holds at both", || has(&other, "eve"));
    let strangers = [Server::with_secret(&nats, 8), Server::with_secret(&nats, 8)];
    strangers[0].room.ban(&ban("eve")).unwrap();
    until("the strangers have stored theirs", || has(&strangers[1], "eve"));
    one.room.ban(&ban("bob")).unwrap();
    until("what comes after that is heard", || has(&other, "bob"));
    assert!(has(&one, "eve") && has(&other, "eve"));
}

#[test]
fn local_members_of_two_servers_may_have_one_name_and_nothing_that_they_say_is_refused() {
    let Some(nats) = nats("consoles", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    let watching = one.room.join("watching").unwrap();
    let consoles = [&one, &other].map(|server| server.room.join("operator").unwrap());
    consoles[0].say("from here").unwrap();
    consoles[1].say("from there").unwrap();
    hear(&watching, &["from here", "from there"]);
}

#[test]
fn names_and_mutes_that_no_server_of_the_cluster_has_stored_change_nothing() {
    let Some(nats) = nats("forged", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    let (first, second) = (one.carrier(), other.carrier());
    let ann = welcome_as(&first, 5, "ann");
    let bob = welcome_as(&second, 6, "bob").welcome.session.member;
    // A message under a name comes once the name is taken.
    let watching = one.room.join("watching").unwrap();
    say(&first, &ann, 1, "I am ann");
    hear(&watching, &["I am ann"]);
    one.room.mute(&Author::Named(name("ann"))).unwrap();
    until("the mute is known", || other.room.mutes().len() == 1);
    let forged = format!("{} {{\"v\":1}}", "0".repeat(64));
    for key in ["unnamed.name.ann".to_owned(), format!("unnamed.muted.{}", ann.welcome.session.member)] {
        nats.publish(&format!("$KV.chat.{key}"), &forged);
    }
    one.room.set_slow(Some(Duration::from_secs(5)));
    until("what was stored after that is heard", || other.room.slow().is_some());
    assert_eq!(other.room.mutes().len(), 1, "it is not lifted");
    let answer = other.room.rename(bob, Some(name("ann")));
    assert!(matches!(answer, Err(NickError::Taken { .. })), "{answer:?}");
}
