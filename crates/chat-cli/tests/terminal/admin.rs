//! The console for a server that has no terminal of its own, and the console of a server whose stdout goes elsewhere.

use std::fs;

use super::tmux::Tmux;
use super::{CHAT, client, named, pipe, signal};

#[test]
fn a_console_elsewhere_is_like_the_servers_own_and_goes_without_it() {
    let Some(tmux) = Tmux::start() else { return };
    let (socket, log) = (tmux.file("control"), tmux.file("log"));
    let (socket, log) = (socket.display(), log.display());
    let command = format!("{CHAT} server tcp --bind 127.0.0.1:0 --socket {socket}");
    let server = tmux.window(&format!("> {log}; {command} < /dev/null > {log} & tail -f {log}"));
    let rows = server.shows("[*] Listening on ");
    let address = rows[0].rsplit(' ').next().expect("it says where").to_owned();
    let open = || tmux.window(&format!("{CHAT} admin --socket {socket} --no-timestamps; echo ended with $?"));

    let admin = open();
    admin.shows(&format!("● open · 0 present · 0 said · {address}"));
    let (ann, ann_is) = client(&tmux, &address, "");
    admin.shows(&format!("[*] Accepted connection from {ann_is}"));
    ann.enters("hello");
    admin.shows(&format!("[{ann_is}] hello"));
    admin.enters("good morning");
    ann.shows(" [*] good morning");
    admin.shows("[*] good morning");
    admin.enters("/kik");
    admin.shows("-- There is no /kik. Did you mean /kick?");
    admin.types("/ki");
    admin.presses(&["Tab"]);
    admin.shows("> /kick");
    admin.types(&ann_is[..5]);
    admin.presses(&["Tab"]);
    admin.shows(&format!("> /kick {ann_is}"));
    admin.enters("too loud");
    ann.shows("error: the server closed the connection: kicked: too loud");
    admin.presses(&["C-d"]);
    admin.ends_with(&["ended with 0"]);

    let admin = open();
    admin.shows("● open · 0 present");
    admin.enters("/quit");
    admin.shows("[*] The server is stopping");
    admin.ends_with(&["ended with 0"]);
}

#[test]
fn what_is_typed_is_taken_although_stdout_goes_elsewhere() {
    let Some(tmux) = Tmux::start() else { return };
    let log = tmux.file("log");
    let server = named(&tmux, "server", &format!("{CHAT} server tcp --bind 127.0.0.1:0"));
    let window = tmux.window(&format!("{server} | tee {}; echo ended", log.display()));
    let rows = window.shows("[*] Listening on ");
    let address = rows[0].rsplit(' ').next().expect("it says where").to_owned();
    let (ann, ann_is) = client(&tmux, &address, "");
    window.enters("good morning");
    ann.shows(" [*] good morning");
    window.enters("/who");
    window.shows(&format!("-- {ann_is} (tcp, here for"));
    // Ctrl-D on a terminal is not the end of the input, so it does not close the room.
    window.presses(&["C-d"]);
    window.enters("still here");
    ann.shows(" [*] still here");
    window.enters("/quit");
    window.ends_with(&["ended"]);
    let logged = fs::read_to_string(&log).expect("tee writes it");
    assert!(logged.contains("[*] good morning\n") && !logged.contains("present"), "{logged}");
}

#[test]
fn in_the_background_nothing_is_read() {
    let Some(tmux) = Tmux::start() else { return };
    let shell = tmux.window("PS1='$ ' exec sh -i");
    shell.shows("$");
    let server = named(&tmux, "server", &format!("{CHAT} server tcp --bind 127.0.0.1:0"));
    shell.enters(&format!("{server} | cat &"));
    let rows = shell.shows("[*] Listening on ");
    let address = rows.iter().find_map(|row| row.split("[*] Listening on ").nth(1)).expect("it says where");
    let address = address.to_owned();
    shell.enters("echo this is the shell\\'s: $((6 * 7))");
    shell.shows("the shell's: 42");
    pipe(&address, "nobody has stopped it\n");
    shell.shows("] nobody has stopped it");
    shell.enters("fg");
    shell.enters("good evening");
    shell.waits_for("the server's word", |rows| rows.iter().any(|row| row == "[*] good evening"));
    signal(&tmux, "server", "TERM");
    shell.shows("[*] The server is stopping");
}
