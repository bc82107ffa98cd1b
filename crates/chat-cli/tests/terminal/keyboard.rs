//! Keys that arrive in pieces, pastes without their marks, and terminals that other programs have made non-blocking.

use super::tmux::Tmux;
use super::{CHAT, client, pipe, server};

#[test]
fn a_key_that_comes_in_pieces_is_a_key() {
    let Some(tmux) = Tmux::start() else { return };
    let (_server, address) = server(&tmux);
    let (ann, _) = client(&tmux, &address, "");
    ann.types("held");
    ann.shows("> held");
    // The left arrow, twice. Each call of `sends` is a read of its own.
    for pieces in [&[&b"\x1b"[..], b"[D"][..], &[b"\x1b", b"[", b"D"]] {
        pieces.iter().for_each(|piece| ann.sends(piece));
    }
    ann.types("l wor");
    ann.shows("> hel world");
    // Half of a letter is not a letter.
    let umlaut = "ü".as_bytes();
    ann.sends(&umlaut[..1]);
    ann.sends(&umlaut[1..]);
    ann.shows("> hel worüld");
}

#[test]
fn a_paste_without_its_end_takes_no_key_for_good() {
    let Some(tmux) = Tmux::start() else { return };
    let (_server, address) = server(&tmux);
    let (ann, _) = client(&tmux, &address, "");
    ann.sends(b"\x1b[200~half a paste");
    ann.shows("> half a paste"); // after a while in which nothing arrived
    ann.types(", and typed");
    ann.shows("> half a paste, and typed");
    ann.presses(&["C-c"]);
    ann.waits_for("an empty line", |rows| rows[rows.len() - 2] == ">");
    ann.presses(&["C-c"]);
    ann.shows("ended with 0");
}

#[test]
fn lines_that_nobody_types_so_fast_are_pasted() {
    let Some(tmux) = Tmux::start() else { return };
    let (server, address) = server(&tmux);
    let (ann, _) = client(&tmux, &address, "");
    ann.pastes_unmarked("\tif x {\n\t\ty();\n\t}\n");
    let rows = ann.shows("Say these 3 lines?");
    assert!(!rows.concat().contains("127.0.0.1:0"), "a tab completes nothing: {rows:#?}");
    ann.presses(&["Enter"]);
    server.shows("3 said");
    ann.pastes_unmarked("\tone line");
    ann.shows(">  one line");
}

#[test]
fn a_terminal_that_another_program_has_made_non_blocking_is_waited_for() {
    const LINES: usize = 5_000;
    let Some(tmux) = Tmux::start() else { return };
    let python =
        "import fcntl, os; fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_NONBLOCK)";
    if std::process::Command::new("python3").arg("-V").output().is_err() {
        println!("skipped: there is no Python here");
        return;
    }
    let python = format!("python3 -c '{python}'");
    let server = tmux.window(&format!("{python}; {CHAT} server tcp --bind 127.0.0.1:0 --no-timestamps"));
    let rows = server.shows("open · 0 present");
    let address = rows[0].strip_prefix("[*] Listening on ").expect("it says where").to_owned();
    let ann = tmux.window(&format!("{python}; {CHAT} client tcp {address} --no-timestamps"));
    ann.shows("● connected");
    let burst: String = (1..=LINES).map(|number| format!("burst {number}\n")).collect();
    pipe(&address, &burst);
    for window in [&ann, &server] {
        window.shows(&format!("] burst {LINES}"));
        let numbers = window.lines().iter().filter(|line| line.contains("] burst ")).count();
        assert_eq!(numbers, LINES);
    }
    ann.enters("typed by ann");
    server.shows("] typed by ann");
    server.enters("typed by the operator");
    ann.shows("[*] typed by the operator");
    // The same without its console: the system edits the lines, and no line may be lost.
    let teed = tmux.window(&format!("{python}; {CHAT} server tcp --bind 127.0.0.1:0 | cat"));
    teed.shows("Listening on");
    teed.enters("/who");
    teed.shows("-- ");
}
