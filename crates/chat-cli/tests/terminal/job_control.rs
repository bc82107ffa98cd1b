//! Ctrl-Z, `bg` and `fg`: the room goes on without the terminal, and the console returns with it.

use super::tmux::{Tmux, Window};
use super::{CHAT, named, pipe, server, signal};

/// A shell with job control.
fn shell(tmux: &Tmux) -> Window<'_> {
    let shell = tmux.window("PS1='$ ' exec sh -i");
    shell.shows("$");
    shell
}

/// The address that the newest console in the window listens on.
fn address(window: &Window<'_>) -> String {
    let rows = window.shows("[*] Listening on ");
    let address = rows.iter().rev().find_map(|row| row.split("[*] Listening on ").nth(1));
    address.expect("it was just there").to_owned()
}

/// Says `text` in the room from elsewhere. The window must show it.
fn the_room_goes_on(window: &Window<'_>, address: &str, text: &str) {
    pipe(address, &format!("{text}\n"));
    window.shows(&format!("] {text}"));
}

/// Checks that the console takes keys and shows its status.
fn the_console_works(window: &Window<'_>, text: &str) {
    window.waits_for("the console", |rows| {
        let at = rows.iter().rposition(|row| row.starts_with(" ● open"));
        at.is_some_and(|at| at == rows.len() - 1 && rows[at - 1].starts_with('>'))
    });
    window.enters(text);
    window.shows(&format!("[*] {text}"));
}

#[test]
fn a_stopped_server_goes_on_in_the_background_and_its_console_in_the_foreground() {
    let Some(tmux) = Tmux::start() else { return };
    let shell = shell(&tmux);
    shell.enters(&format!("{CHAT} server tcp --bind 127.0.0.1:0 --no-timestamps"));
    shell.shows("● open · 0 present");
    let address = address(&shell);
    shell.presses(&["C-z"]);
    shell.shows("Stopped");
    shell.enters("bg");
    the_room_goes_on(&shell, &address, "in the background");
    shell.enters("echo what is typed is the shell\\'s: $((6 * 7))");
    shell.shows("the shell's: 42");
    the_room_goes_on(&shell, &address, "still in the background");
    shell.enters("fg");
    the_console_works(&shell, "back in the foreground");
    the_room_goes_on(&shell, &address, "so we are");
    // Stop it a second time, because the first time may leave something behind, and bring it straight back.
    shell.presses(&["C-z"]);
    shell.waits_for("a second stop", |rows| rows.iter().filter(|row| row.contains("Stopped")).count() == 2);
    shell.enters("fg");
    the_console_works(&shell, "again in the foreground");
    shell.enters("/quit");
    shell.ends_with(&["$"]);
}

#[test]
fn a_server_started_in_the_background_gets_its_console_in_the_foreground() {
    let Some(tmux) = Tmux::start() else { return };
    let shell = shell(&tmux);
    shell.enters(&format!("{CHAT} server tcp --bind 127.0.0.1:0 --no-timestamps &"));
    let address = address(&shell);
    the_room_goes_on(&shell, &address, "in the background");
    shell.enters("fg");
    the_console_works(&shell, "in the foreground");
    shell.enters("/quit");
    shell.ends_with(&["$"]);
}

#[test]
fn a_server_that_somebody_else_stops_has_its_console_again_when_it_goes_on() {
    let Some(tmux) = Tmux::start() else { return };
    let shell = shell(&tmux);
    for stop in ["STOP", "TSTP"] {
        shell.enters(&named(
            &tmux,
            "server",
            &format!("{CHAT} server tcp --bind 127.0.0.1:0 --no-timestamps"),
        ));
        shell.shows("● open · 0 present");
        let address = address(&shell);
        signal(&tmux, "server", stop);
        shell.shows("Stopped");
        // This shell leaves the terminal in the modes of the console, where Enter is not a line feed.
        shell.types("stty sane; bg");
        shell.presses(&["C-j"]);
        the_room_goes_on(&shell, &address, &format!("after {stop}"));
        shell.enters("fg");
        the_console_works(&shell, &format!("back after {stop}"));
        shell.enters("/quit");
        shell.ends_with(&["$"]);
        shell.enters("clear");
        shell.waits_for("a clear screen", |rows| rows.len() == 1);
    }
}

#[test]
fn a_stopped_client_goes_on_likewise() {
    let Some(tmux) = Tmux::start() else { return };
    let (server, address) = server(&tmux);
    let shell = shell(&tmux);
    shell.enters(&format!("{CHAT} client tcp {address} --no-timestamps"));
    shell.shows("● connected");
    shell.presses(&["C-z"]);
    shell.shows("Stopped");
    server.enters("said while it was stopped");
    server.shows("[*] said while it was stopped");
    shell.enters("bg");
    shell.shows("[*] said while it was stopped");
    shell.enters("echo the shell\\'s: $((6 * 7))");
    shell.shows("the shell's: 42");
    shell.enters("fg");
    shell.waits_for("the input", |rows| {
        let at = rows.iter().rposition(|row| row.starts_with(" ● connected"));
        at.is_some_and(|at| at == rows.len() - 1 && rows[at - 1] == ">")
    });
    shell.enters("back in the foreground");
    server.shows("] back in the foreground");
    shell.enters("/quit");
    shell.ends_with(&["$"]);
}
