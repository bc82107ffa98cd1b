//! People talk with each other, with netcat, and with a server that is killed meanwhile.

use std::fmt::Write as _;

use crate::chromium::Browser;
use crate::server;
use crate::support::Server;

/// The file of a server's history. It is removed when this is dropped, with what is beside it.
struct HistoryFile(String);

impl HistoryFile {
    fn new(name: &str) -> Self {
        let file = std::env::temp_dir().join(format!("chat-browser-{name}-{}.db", std::process::id()));
        Self(file.to_str().unwrap().to_owned())
    }
}

impl Drop for HistoryFile {
    fn drop(&mut self) {
        for end in ["", "-wal", "-shm", "-lock"] {
            let _perhaps_not_there = std::fs::remove_file(format!("{}{end}", self.0));
        }
    }
}

#[test]
fn two_pages_talk_with_each_other_and_with_netcat() {
    let Some(browser) = Browser::start(&[]) else { return };
    let (server, url) = server(&["--room", "lobby", "--room", "dev"]);
    let (ann, bob) = (browser.open(&url), browser.open(&url));
    ann.join("ann");
    bob.join("bob");
    let mut netcat = server.peer_that_says("hello from netcat\n");
    for page in [&ann, &bob] {
        page.shows("hello from netcat");
        page.waits_for("document.querySelectorAll('#people li').length === 3");
    }
    ann.says("one\ntwo");
    bob.shows("two");
    assert_eq!(netcat.read_up_to("[ann] two"), ["[ann] one", "[ann] two"]);
    netcat.send("hi @bob\n");
    bob.waits_for("document.querySelector('.mention .text')?.textContent === 'hi @bob'");
    ann.shows("hi @bob");
    assert_eq!(ann.value("document.querySelectorAll('.mention').length"), 0);
    ann.says("/msg bob psst");
    bob.waits_for("document.querySelector('.private .text')?.textContent === 'psst'");
    ann.waits_for("document.querySelector('.own.private .text')?.textContent === 'psst'");
    for command in ["/", " /oper secret"] {
        ann.says(command);
    }
    ann.says("//slash");
    assert_eq!(
        netcat.read_up_to("[ann] /slash"),
        ["[ann] /slash"],
        "nothing of the private message and the commands"
    );
    assert_eq!(ann.value("document.querySelector('.own .text').textContent"), "one");

    // Changes to another room with its button.
    ann.waits_for("document.querySelectorAll('#rooms li').length === 2");
    ann.value("[...document.querySelectorAll('#rooms button')].find((it) => it.textContent.includes('dev')).click()");
    ann.waits_for("document.querySelector('#title').textContent === 'dev'");
    bob.waits_for("document.querySelectorAll('#people li').length === 2");
    bob.says("/join dev");
    bob.waits_for("document.querySelector('#title').textContent === 'dev'");
    bob.says("here I am");
    ann.shows("here I am");
}

#[test]
fn the_title_counts_what_is_unread() {
    let Some(browser) = Browser::start(&[]) else { return };
    let (server, url) = server(&[]);
    let ann = browser.open(&url);
    ann.join("ann");
    let many: String = (0..100).fold(String::new(), |mut lines, number| {
        writeln!(lines, "line {number}").unwrap();
        lines
    });
    let mut netcat = server.peer_that_says(&many);
    ann.shows("line 99");
    assert_eq!(ann.value("document.title"), "chat");
    ann.value("document.querySelector('#log').scrollTop = 0");
    ann.waits_for("!document.querySelector('#down').hidden");
    netcat.send("one more\n@ann look\n");
    ann.waits_for("document.title === '(2 @) chat'");
    ann.value("document.querySelector('#down').click()");
    ann.waits_for("document.title === 'chat'");
    ann.shows("@ann look");
    // A line marks where they began, until ann has answered.
    let first = "document.querySelector('.new')?.nextElementSibling?.querySelector('.text').textContent";
    ann.waits_for(&format!("{first} === 'one more'"));
    ann.says("I see");
    ann.waits_for("!document.querySelector('.new')");
}

#[test]
fn comings_and_goings_in_a_row_are_one_line_and_an_answer_is_one_block() {
    let Some(browser) = Browser::start(&[]) else { return };
    let (server, url) = server(&[]);
    let page = browser.open(&url);
    page.join("ann");
    // A silent peer that comes so soon after the page would be taken for a connection that the browser keeps in reserve.
    let _peers = [server.peer_that_says("/who\n"), server.peer_that_says("/who\n")];
    page.waits_for(
        "[...document.querySelectorAll('.note')].some((it) => it.textContent.split(' joined').length > 2)",
    );
    page.says("/help");
    page.waits_for("document.querySelectorAll('.told.more').length > 5");
    assert_eq!(page.value("document.querySelectorAll('.told:not(.more)').length"), 1);
}

#[test]
fn a_page_goes_on_where_it_was_when_the_server_is_killed_and_when_it_is_loaded_again() {
    let Some(browser) = Browser::start(&[]) else { return };
    let history = HistoryFile::new("history");
    let path = history.0.as_str();
    let bind = format!("{}:0", crate::support::own_loopback());
    let mut first = Server::at(&bind, &["tcp"], &["--web", "--history", path]);
    let address = first.address.to_string();
    let page = browser.open(&format!("http://{address}/"));
    page.resize(1280, 6000); // so that all messages are near the view
    page.join("ann");
    let mut said = Vec::new();
    let mut say = |count: usize| {
        for _ in 0..count {
            let text = format!("message {}", said.len());
            page.says(&text);
            said.push(text);
        }
        said.clone()
    };
    let before = say(20);
    page.shows(before.last().unwrap());
    page.says("on its way when the server dies");
    first.process.kill();
    page.waits_for("document.querySelector('#link-text').textContent !== 'Connected'");
    say(10);
    let second = Server::at(&address, &["tcp"], &["--web", "--history", path]);
    page.value("document.querySelector('#retry').click()");
    page.is_connected();
    let all = say(1);
    page.shows(all.last().unwrap());
    let shown = |why: &str| {
        let texts = page.texts();
        for text in &all {
            assert_eq!(texts.iter().filter(|shown| *shown == text).count(), 1, "{text} {why}: {texts:?}");
        }
        assert_eq!(texts.iter().filter(|text| text.contains("on its way")).count(), 1, "{why}: {texts:?}");
    };
    shown("after the restart");
    page.visit(&format!("http://{address}/"));
    page.is_connected();
    page.says("loaded again");
    page.shows("loaded again");
    shown("after loading again");
    // The room has each message once, in order.
    let mut reader = second.peer_that_says("/history 40\n");
    let heard = reader.read_up_to("[ann] loaded again");
    let heard: Vec<&str> = heard.iter().filter_map(|line| line.split("[ann] ").nth(1)).collect();
    let mut expected: Vec<&str> = all.iter().map(String::as_str).collect();
    expected.insert(20, "on its way when the server dies");
    expected.push("loaded again");
    assert_eq!(heard, expected);
}

#[test]
fn what_happened_after_the_last_message_is_shown_once_also_when_the_page_is_loaded_again() {
    let Some(browser) = Browser::start(&[]) else { return };
    let (server, url) = server(&[]);
    let page = browser.open(&url);
    page.join("ann");
    page.says("the last message");
    page.shows("the last message");
    let shown =
        |name: &str| format!("document.querySelector('#log').textContent.split('{name} joined').length - 1");
    let before = server.peer_that_says("/who\n");
    page.waits_for(&format!("{} === 1", shown(&before.name)));
    page.visit(&url);
    page.is_connected();
    let after = server.peer_that_says("/who\n");
    page.waits_for(&format!("{} === 1", shown(&after.name)));
    assert_eq!(page.value(&shown(&before.name)), 1);
}

#[test]
fn ten_thousand_messages_are_a_list_of_which_only_what_is_near_is_drawn() {
    let Some(browser) = Browser::start(&[]) else { return };
    let (server, url) = server(&[]);
    let page = browser.open(&url);
    page.join("ann");
    let lines: String = (0..10_000).fold(String::new(), |mut lines, number| {
        writeln!(lines, "line {number}").unwrap();
        lines
    });
    let mut netcat = server.peer_that_says("first of all\n");
    page.shows("first of all");
    netcat.send(lines);
    page.shows("line 9999");
    let drawn = page.value("document.querySelectorAll('#rows > li').length").as_u64().unwrap();
    assert!(drawn < 150, "{drawn} rows are in the document");
    page.value("document.querySelector('#log').scrollTop = 0");
    page.shows("first of all");
    let place = "document.querySelector('#log').scrollTop";
    page.value("document.querySelector('#log').scrollTop = 100000");
    page.waits_for("document.querySelectorAll('.text').length > 0 && !document.querySelector('.text').textContent.startsWith('first')");
    let before = page.value(place).as_f64().unwrap();
    netcat.send("what comes below moves nothing\n");
    page.waits_for("document.querySelector('#down').textContent === '1 new message'");
    let after = page.value(place).as_f64().unwrap();
    assert!((before - after).abs() < 2.0, "it stood at {before}, and stands at {after}");
}

#[test]
fn older_messages_come_by_scrolling_up_each_once() {
    let Some(browser) = Browser::start(&[]) else { return };
    let (server, url) = server(&[]);
    let lines: String = (0..400).fold(String::new(), |mut lines, number| {
        writeln!(lines, "line {number}").unwrap();
        lines
    });
    let _netcat = server.peer_that_says(&lines);
    let page = browser.open(&url);
    page.join("ann");
    page.shows("line 399");
    page.resize(1280, 30_000);
    page.value("document.querySelector('#log').scrollTop = 0");
    page.shows("line 0");
    let texts = page.texts();
    let expected: Vec<String> = (0..400).map(|number| format!("line {number}")).collect();
    assert_eq!(texts, expected);
}

#[test]
fn a_reader_who_scrolls_up_stays_there_when_older_messages_come() {
    let Some(browser) = Browser::start(&[]) else { return };
    let (server, url) = server(&[]);
    let lines: String = (0..400).fold(String::new(), |mut lines, number| {
        writeln!(lines, "line {number}").unwrap();
        lines
    });
    let _netcat = server.peer_that_says(&lines);
    let page = browser.open(&url);
    page.join("ann");
    page.shows("line 399");
    // What was drawn last has scrolled to its end.
    page.value(
        "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(true))))",
    );
    page.value("document.querySelector('#log').scrollTop = 0");
    page.waits_for("document.querySelector('#log').scrollTop > 100");
    // Not in the frame in which they come: they are laid out in the next one.
    page.waits_for(
        "(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight > 500)\
            (document.querySelector('#log'))",
    );
}

#[test]
fn older_messages_come_also_when_the_server_died_before_it_could_answer() {
    let Some(browser) = Browser::start(&[]) else { return };
    let history = HistoryFile::new("older");
    let path = history.0.as_str();
    let bind = format!("{}:0", crate::support::own_loopback());
    let mut first = Server::at(&bind, &["tcp"], &["--web", "--history", path]);
    let address = first.address.to_string();
    let lines: String = (0..400).fold(String::new(), |mut lines, number| {
        writeln!(lines, "line {number}").unwrap();
        lines
    });
    let netcat = first.peer_that_says(&lines);
    let page = browser.open(&format!("http://{address}/"));
    page.join("ann");
    page.shows("line 399");
    drop(netcat);
    first.process.signal("STOP");
    // The page asks at its end, and nobody answers.
    page.value("document.querySelector('#log').scrollTop = 0");
    page.value(
        "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(true))))",
    );
    first.process.kill();
    page.waits_for("document.querySelector('#link-text').textContent !== 'Connected'");
    let _second = Server::at(&address, &["tcp"], &["--web", "--history", path]);
    page.value("document.querySelector('#retry').click()");
    page.is_connected();
    page.resize(1280, 30_000);
    page.value("document.querySelector('#log').scrollTop = 0");
    page.shows("line 0");
}
