//! What a window shows when lines are long, when it is resized and when text is pasted, and in which colours.

use super::tmux::{Tmux, Window};
use super::{CHAT, client, server};

#[test]
fn a_resized_window_shows_the_same_lines_and_one_input() {
    let Some(tmux) = Tmux::start() else { return };
    let (_server, address) = server(&tmux);
    let (ann, ann_is) = client(&tmux, &address, "");
    let long = "a line that is longer than forty columns, and even than eighty with its author";
    for number in 1..=12 {
        ann.enters(&format!("{number} {long}"));
        ann.shows(&format!("] {number} a line"));
    }
    let typed = "typed, and with the cursor beyond column forty";
    ann.types(typed);
    let status = format!(" ● connected · tcp {address}");
    let before = ann.waits_for("all of it", |rows| rows.iter().any(|row| row.ends_with(typed)));

    ann.resizes(40, 10);
    let rows = ann.waits_for("a narrow screen", |rows| {
        rows.last() == Some(&status) && rows.iter().all(|row| row.chars().count() <= 40)
    });
    assert_eq!(rows[rows.len() - 2], "> …with the cursor beyond column forty", "{rows:#?}");
    assert_eq!(rows.iter().filter(|row| row.contains('●')).count(), 1, "{rows:#?}");
    assert!(rows.iter().any(|row| row.contains("] 12 a line that ")), "{rows:#?}");

    ann.resizes(80, 24);
    let rows = ann.waits_for("the screen as it was", |rows| rows == before);
    assert_eq!(ann.cursor().0, "> ".len() + typed.len(), "{rows:#?}");
    let lines = ann.lines();
    for number in 1..=12 {
        let line = format!("›[{ann_is}] {number} {long}");
        assert_eq!(lines.iter().filter(|other| **other == line).count(), 1, "{line}: {lines:#?}");
    }
    assert_eq!(lines.iter().filter(|line| line.contains('●')).count(), 1, "{lines:#?}");
}

#[test]
fn a_window_that_is_dragged_about_loses_and_doubles_nothing() {
    let Some(tmux) = Tmux::start() else { return };
    let (_server, address) = server(&tmux);
    let (ann, ann_is) = client(&tmux, &address, "");
    let (bob, _) = client(&tmux, &address, "");
    let typed = "typed";
    ann.types(typed);
    let sizes =
        [(79, 23), (60, 20), (33, 12), (21, 5), (90, 30), (50, 8), (12, 3), (48, 24), (47, 24), (120, 40)];
    for (number, (columns, rows)) in (1..).zip(sizes) {
        bob.enters(&format!("{number} said while the window is being dragged about"));
        ann.resizes(columns, rows);
    }
    bob.shows("] 10 said");
    ann.resizes(80, 24);
    ann.waits_for("the last line and the input", |rows| {
        rows.iter().any(|row| row.contains("] 10 said")) && rows.contains(&format!("> {typed}"))
    });
    ann.presses(&["Enter"]);
    ann.shows(&format!("›[{ann_is}] {typed}"));
    ann.shows("● connected");
    let lines = ann.lines();
    let numbers: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split_once("] ")?.1.split_once(" said while"))
        .map(|(number, _)| number)
        .collect();
    assert_eq!(numbers, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"], "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.contains('●')).count(), 1, "{lines:#?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with('>')).count(), 1, "{lines:#?}");
}

#[test]
fn a_line_longer_than_the_window_moves_within_it() {
    let Some(tmux) = Tmux::start() else { return };
    let (_server, address) = server(&tmux);
    let (ann, ann_is) = client(&tmux, &address, "");
    let line: String = (0..60).map(|number| format!("{number:03} ")).collect();
    ann.types(&line);
    let rows = ann.shows("058 059");
    assert!(rows.last().is_some_and(|row| row.contains("● connected")), "{rows:#?}");
    assert!(!rows.iter().any(|row| row.contains("000 001")), "{rows:#?}");
    ann.presses(&["C-a"]);
    ann.shows("> 000 001 002");
    assert_eq!(ann.cursor().0, 2);
    ann.presses(&["Enter"]);
    ann.shows("] 000 001");
    let said = format!("›[{ann_is}] {}", line.trim_end());
    assert!(ann.lines().contains(&said), "one line, wrapped by the terminal: {:#?}", ann.lines());
}

#[test]
fn pasted_lines_are_said_only_after_a_yes() {
    let Some(tmux) = Tmux::start() else { return };
    let (_server, address) = server(&tmux);
    let (ann, _) = client(&tmux, &address, "");
    let (bob, _) = client(&tmux, &address, "");
    let pasted: String = (1..=20).map(|number| format!("/pasted {number}\n")).collect();

    ann.pastes(&pasted);
    ann.shows("Say these 20 lines?");
    ann.presses(&["Escape"]);
    ann.waits_for("no question", |rows| !rows.iter().any(|row| row.contains("Say these")));
    ann.enters("said instead");
    bob.shows("] said instead");

    ann.pastes(&pasted);
    ann.shows("Say these 20 lines?");
    ann.presses(&["Enter"]);
    bob.shows("] /pasted 20");
    let lines = bob.lines();
    let said: Vec<&str> =
        lines.iter().filter_map(|line| line.split_once("] /")).map(|(_, text)| text).collect();
    assert_eq!(said, (1..=20).map(|number| format!("pasted {number}")).collect::<Vec<_>>());

    ann.pastes("one line goes into the line");
    ann.shows("> one line goes into the line");
}

#[test]
fn colours_are_left_out_on_request() {
    let Some(tmux) = Tmux::start() else { return };
    let (_server, address) = server(&tmux);
    let has_colour = |window: &Window<'_>| {
        let styled = window.styled();
        // Skip the codes 39 and 49, which mean no colour.
        let codes = styled
            .split("\x1b[")
            .skip(1)
            .filter_map(|part| part.split_once('m'))
            .map(|(codes, _)| codes.to_owned());
        codes.into_iter().any(|codes| {
            codes.starts_with("38;")
                || codes.len() == 2 && codes.starts_with(['3', '4']) && !codes.ends_with('9')
        })
    };
    let (with, _) = client(&tmux, &address, "");
    with.enters("hello");
    with.shows("] hello");
    assert!(has_colour(&with), "{:?}", with.styled());
    let (without, _) = client(&tmux, &address, "--color never");
    without.enters("hello again");
    without.shows("] hello again");
    assert!(!has_colour(&without), "{:?}", without.styled());
    let no_color = tmux.window(&format!("NO_COLOR=1 {CHAT} client tcp {address} --no-timestamps"));
    no_color.shows("] hello again");
    assert!(!has_colour(&no_color), "{:?}", no_color.styled());
}
