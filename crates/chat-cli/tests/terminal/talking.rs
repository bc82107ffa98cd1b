//! People talk while others type.

use super::support::own_loopback;
use super::tmux::Tmux;
use super::{CHAT, client, pipe, server, server_at, signal};

#[test]
fn two_clients_and_a_server_talk_while_everyone_types() {
    let Some(tmux) = Tmux::start() else { return };
    let (server, address) = server(&tmux);
    let (ann, ann_is) = client(&tmux, &address, "");
    let (bob, bob_is) = client(&tmux, &address, "");
    ann.shows("joined, 2 present");

    server.types("I am the op");
    ann.types("half a thought");
    bob.enters("hello");
    server.ends_with(
        &[&format!("[{bob_is}] hello"), "> I am the op", " ● open · 2 present · 1 said · ADDR"]
            .map(|row| row.replace("ADDR", &address))
            .each_ref()
            .map(String::as_str),
    );
    ann.waits_for("the message above the line being typed", |rows| {
        rows[rows.len() - 3..rows.len() - 1] == [format!(" [{bob_is}] hello"), "> half a thought".to_owned()]
    });
    assert_eq!(ann.cursor().0, "> half a thought".len());

    ann.presses(&["Home"]);
    ann.types("only ");
    ann.shows("> only half a thought");
    server.presses(&["Enter"]);
    let rows = ann.shows("[*] I am the op");
    assert_eq!(rows[rows.len() - 2], "> only half a thought");
    assert_eq!(ann.cursor().0, "> only ".len(), "the cursor has stayed where it was");

    ann.presses(&["Enter"]);
    for (window, mark) in [(&ann, "›"), (&bob, " ")] {
        window.shows(&format!("{mark}[{ann_is}] only half a thought"));
    }
    server.shows(&format!("[{ann_is}] only half a thought"));
    let bobs = bob.lines();
    let said: Vec<&String> =
        bobs.iter().filter(|row| row.contains(']') && !row.contains("[*] 127")).collect();
    assert_eq!(
        said,
        [&format!("›[{bob_is}] hello"), " [*] I am the op", &format!(" [{ann_is}] only half a thought")]
            .map(str::to_owned)
            .each_ref()
    );
}

#[test]
fn text_of_every_script_is_typed_and_read() {
    let Some(tmux) = Tmux::start() else { return };
    let (_server, address) = server(&tmux);
    let (ann, ann_is) = client(&tmux, &address, "");
    let (bob, _) = client(&tmux, &address, "");
    for text in
        ["日本語で話す", "👩‍👩‍👧 and 👍🏽 and 🇯🇵", "שלום عليكم mixed", "e\u{301}a\u{308} ก็ที่", "한국어 ﷺ ﷽ x"]
    {
        ann.types("before ");
        ann.types(text);
        bob.enters(&format!("meanwhile {text}"));
        ann.shows(&format!("] meanwhile {text}"));
        let rows = ann.shows(&format!("> before {text}"));
        assert_eq!(rows.iter().filter(|row| row.contains('●')).count(), 1, "{rows:#?}");
        // The cursor is where the terminal itself would write next.
        ann.types("|");
        ann.shows(&format!("> before {text}|"));
        ann.presses(&["BSpace", "Home", "Delete", "End", "Enter"]);
        bob.shows(&format!("[{ann_is}] efore {text}"));
        ann.shows(&format!("›[{ann_is}] efore {text}"));
    }
}

#[test]
fn a_burst_does_not_disturb_the_line_being_typed() {
    const LINES: usize = 5_000;
    let Some(tmux) = Tmux::start() else { return };
    let (_server, address) = server(&tmux);
    let (ann, _) = client(&tmux, &address, "");
    let burst: String = (1..=LINES).map(|number| format!("burst {number}\n")).collect();
    let typed = "typed while it came";
    std::thread::scope(|scope| {
        scope.spawn(|| pipe(&address, &burst));
        for c in typed.chars() {
            ann.types(&c.to_string());
        }
    });
    ann.shows("left, 1 present");
    // Keys and messages take different ways, so the last keys may arrive after the last message.
    let rows = ann.shows(&format!("> {typed}"));
    assert_eq!(rows.len(), 24);
    assert_eq!(rows[22], format!("> {typed}"));
    assert!(rows[23].starts_with(" ● connected"), "{rows:#?}");
    assert_eq!(ann.cursor(), ("> ".len() + typed.len(), 22, true));
    let lines = ann.lines();
    let numbers: Vec<usize> =
        lines.iter().filter_map(|line| line.split_once("] burst ")?.1.parse().ok()).collect();
    assert!(numbers.iter().copied().eq(1..=LINES), "{} lines", numbers.len());
    assert_eq!(
        lines.iter().filter(|line| line.contains('●')).count(),
        1,
        "one status, and none in the scrollback"
    );
}

#[test]
fn a_lost_connection_is_taken_up_again_and_nothing_is_said_twice() {
    let Some(tmux) = Tmux::start() else { return };
    // Nobody else takes the port while nobody listens at it.
    let (first, address) = server_at(&tmux, &format!("{}:0", own_loopback()));
    let (ann, _) = client(&tmux, &address, "");
    ann.enters("before");
    first.shows("] before");
    signal(&tmux, "server", "KILL");
    ann.shows("-- Connection lost: ");
    ann.shows("○ lost, ");
    ann.enters("while it was gone");
    ann.shows("… while it was gone");
    ann.shows("1 unconfirmed");
    let second = tmux.window(&format!("{CHAT} server tcp --bind {address} --no-timestamps"));
    ann.shows("-- Connected again.");
    ann.shows("] while it was gone");
    ann.waits_for("all confirmed", |rows| {
        rows.last().is_some_and(|row| row.contains("● connected") && !row.contains("unconfirmed"))
    });
    ann.enters("after");
    let rows = second.shows("] after");
    assert_eq!(rows.iter().filter(|row| row.contains("while it was gone")).count(), 1, "{rows:#?}");
}

#[test]
fn a_command_that_is_none_says_so_and_sends_nothing() {
    let Some(tmux) = Tmux::start() else { return };
    let (_server, address) = server(&tmux);
    let (ann, ann_is) = client(&tmux, &address, "");
    let (bob, _) = client(&tmux, &address, "");
    ann.enters("/nonsense with words");
    ann.shows("[*] There is no /nonsense.");
    ann.enters("/me waves");
    ann.enters("//slash");
    ann.enters("/who");
    ann.shows(&format!("[*] {ann_is} (tcp, here for"));
    bob.shows("] /slash");
    let lines = bob.lines();
    let said: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split_once(&format!("[{ann_is}] ")))
        .map(|(_, text)| text)
        .collect();
    assert_eq!(said, ["* waves", "/slash"]);
}
