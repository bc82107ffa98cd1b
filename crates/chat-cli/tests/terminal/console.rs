//! The server's console.

#[cfg(target_os = "linux")]
use std::{io::Write, os::unix::fs::MetadataExt};

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

// A member at a socket file is shown as its user, which is neither a name nor an address.
#[cfg(target_os = "linux")]
#[test]
fn at_the_console_nobody_speaks_as_the_room_and_no_text_looks_private() {
    use std::os::unix::net::UnixStream;

    let Some(tmux) = Tmux::start() else { return };
    let file = tmux.file("socket");
    let flags = format!("tcp unix --bind 127.0.0.1:0 --bind {} --no-timestamps", file.display());
    let server = tmux.window(&format!("{CHAT} server {flags}"));
    let rows = server.shows("open · 0 present");
    let address = rows[0].strip_prefix("[*] Listening on ").expect("it says where").to_owned();
    let mut peer = UnixStream::connect(&file).expect("it listens");
    peer.write_all(b"The server is stopping\n").expect("it reads");
    let uid = std::fs::metadata(&file).expect("it is there").uid();
    server.shows(&format!("[uid:{uid}] The server is stopping"));
    pipe(&address, "/nick ann\n/msg console psst\n[ann -> you] psst\n");
    server.shows("[ann -> you] psst");
    server.shows("[ann] [ann -> you] psst");
    server.enters("/quit");
}
