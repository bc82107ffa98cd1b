//! The state of the terminal after the program.

use std::fs;

use super::tmux::{Tmux, Window};
use super::{CHAT, named, server, signal};

#[test]
fn every_way_out_leaves_the_terminal_as_it_was() {
    let Some(tmux) = Tmux::start() else { return };
    let (server, address) = server(&tmux);
    let ways: [fn(&Tmux, &Window<'_>); 6] = [
        |_, ann| ann.enters("/quit"),
        |_, ann| ann.presses(&["C-d"]),
        |_, ann| ann.presses(&["C-c"]),
        |tmux, _| signal(tmux, "client", "TERM"),
        |tmux, _| signal(tmux, "client", "HUP"),
        |tmux, _| signal(tmux, "client", "INT"),
    ];
    let (before, after) = (tmux.file("before"), tmux.file("after"));
    let run = || {
        let (before, after) = (before.display(), after.display());
        let client = named(&tmux, "client", &format!("{CHAT} client tcp {address} --no-timestamps"));
        let ann = tmux.window(&format!(
            "stty -g > {before}; {client}; echo ended with $?; stty -g > {after}; echo done"
        ));
        let rows = ann.shows("-- You are ");
        ann.shows("● connected");
        let you = rows.iter().find_map(|row| row.strip_prefix("-- You are ")).expect("it says so");
        let you = you.split(". ").next().expect("the address").to_owned();
        (ann, you)
    };
    let is_as_it_was = |ann: &Window<'_>, ended: &str| {
        let rows = ann.ends_with(&[ended, "done"]);
        assert!(!rows.iter().any(|row| row.contains('●') || row.starts_with("> ")), "{rows:#?}");
        let read = |path| fs::read_to_string(path).expect("stty wrote it");
        assert_eq!(read(&before), read(&after));
        assert!(ann.cursor().2, "the cursor is shown");
        // Text that is pasted now has no marks around it, and long lines wrap.
        ann.pastes(&format!("{}\n", "x".repeat(100)));
        ann.waits_for("a pasted line without marks", |rows| rows.iter().any(|row| row == &"x".repeat(20)));
    };
    for way in ways {
        let (ann, _) = run();
        way(&tmux, &ann);
        is_as_it_was(&ann, "ended with 0");
    }
    let (ann, ann_is) = run();
    server.enters(&format!("/kick {ann_is} enough now"));
    ann.shows("error: the server closed the connection: kicked: enough now");
    is_as_it_was(&ann, "ended with 1");
}
