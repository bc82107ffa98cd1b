//! The server's console.

use super::tmux::Tmux;
use super::{CHAT, client, named, pipe, server, signal};

#[test]
fn the_operator_speaks_looks_kicks_and_closes() {
    let Some(tmux) = Tmux::start() else { return };
    let (server, address) = server(&tmux);
    let (ann, ann_is) = client(&tmux, &address, "");
    server.enters("good morning");
    ann.shows(" [*] good morning");
    server.shows("[*] good morning");
    server.enters("/who");
    server.shows(&format!("-- {ann_is} (tcp, here for"));
    server.enters("/stats");
    server.shows("-- messages: 1 said");
    server.enters("/kik");
    server.shows("-- There is no /kik. Did you mean /kick?");
    server.presses(&["C-d"]);
    server.shows("-- The room stays open");
    ann.enters("still here");
    server.shows(&format!("[{ann_is}] still here"));

    server.types("/kick 127");
    server.presses(&["Tab"]);
    server.shows(&format!("> /kick {ann_is}"));
    server.enters("too loud");
    ann.shows("error: the server closed the connection: kicked: too loud");
    server.shows(&format!("[*] Connection of {ann_is} closed (kicked: too loud)"));
    server.enters("/quit");
    // The input and the status are gone in the end.
    server.ends_with(&["[*] The server is stopping"]);
}

#[test]
fn in_the_background_the_server_only_prints() {
    let Some(tmux) = Tmux::start() else { return };
    // An interactive shell gives a background process a group of its own, so that process may not touch the terminal.
    let server = named(&tmux, "server", &format!("{CHAT} server tcp --bind 127.0.0.1:0"));
    let shell = tmux.window(&format!("set -m; {server} & wait"));
    let rows = shell.shows("[*] Listening on ");
    let address = rows[0].rsplit(' ').next().expect("it says where").to_owned();
    pipe(&address, "hello\n");
    shell.shows("[*] Connection closed by ");
    let rows = shell.shows("] hello");
    assert!(!rows.iter().any(|row| row.contains("> ") || row.contains('●')), "{rows:#?}");
    signal(&tmux, "server", "TERM");
}
