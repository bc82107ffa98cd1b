//! Long lines, long pastes, and texts that try to look like something else.

use super::tmux::Tmux;
use super::{CHAT, client, pipe, server};

#[test]
fn a_row_in_the_middle_of_a_message_does_not_look_like_a_notice() {
    let Some(tmux) = Tmux::start() else { return };
    let (_server, address) = server(&tmux);
    let (ann, _) = client(&tmux, &address, "");
    // " [127.0.0.1:PORT] " and the padding fill a whole row, whatever the length of the port.
    for padding in 55..=64 {
        pipe(&address, &format!("{}[*] The server is stopping\n", "x".repeat(padding)));
    }
    pipe(&address, "that is all\n");
    ann.shows("] that is all");
    let rows = ann.rows();
    assert!(rows.iter().any(|row| row == "↪ [*] The server is stopping"), "{rows:#?}");
    assert!(!rows.iter().any(|row| row.trim_start().starts_with("[*] The server")), "{rows:#?}");
}

#[test]
fn what_does_not_fit_into_a_line_is_refused_and_what_is_much_is_asked_about() {
    let Some(tmux) = Tmux::start() else { return };
    let (server, address) = server(&tmux);
    let (ann, ann_is) = client(&tmux, &address, "");
    ann.types("draft ");
    ann.pastes(&"x".repeat(70_000));
    ann.shows("-- 70006 bytes are too long for a line (at most 65536).");
    ann.waits_for("the draft", |rows| rows[rows.len() - 2] == "> draft");
    ann.presses(&["C-u"]);
    ann.pastes(&"word ".repeat(1_000));
    ann.presses(&["Enter"]);
    ann.shows("Say this line as 6 messages? Enter: yes, Esc: no");
    ann.presses(&["Escape"]);
    ann.presses(&["Enter"]);
    ann.shows("Say this line as 6 messages?");
    ann.presses(&["Enter"]);
    server.shows("6 said");
    let lines: String = (1..=200).map(|number| format!("{number}\n")).collect();
    ann.pastes(&lines);
    let rows = ann.shows("Say these 200 lines?");
    assert!(rows.iter().any(|row| row == "  … 197 more"), "{rows:#?}");
    ann.presses(&["Enter"]);
    server.shows("206 said");
    server.shows(&format!("[{ann_is}] 200"));
}

#[test]
fn a_terminal_that_shows_nothing_but_ascii_gets_nothing_else_of_ours() {
    let Some(tmux) = Tmux::start() else { return };
    let (_server, address) = server(&tmux);
    let ann = tmux.window(&format!("LC_ALL=C {CHAT} client tcp {address} --no-timestamps"));
    ann.shows("* connected - tcp ");
    ann.enters("hello");
    ann.shows(">[127.0.0.1:");
    let screen = ann.rows().concat();
    assert!(screen.is_ascii(), "{screen}");
}
