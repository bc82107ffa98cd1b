//! Section 5: plain TCP.

use std::io::{BufRead, BufReader, Write};

use chat_proto::limits::PLAIN_LINE_BYTES_MAX;

use crate::support::Server;

#[test]
fn clause_5_1_each_line_is_a_message_and_an_empty_one_is_none() {
    let server = Server::start();
    let (mut reader, mut speaker) = (server.peer(), server.peer());
    speaker.send("\n\r\none\n\n\ntwo\n \n");
    let expected = ["one", "two", " "].map(|text| speaker.line(text));
    assert_eq!(reader.read_up_to(&speaker.line(" ")), expected);
}

#[test]
fn clause_5_1_a_later_line_that_is_not_text_is_not_said_and_its_author_is_told_so() {
    let server = Server::start();
    let (mut reader, mut speaker) = (server.peer(), server.peer());
    speaker.send("one\n");
    reader.read_up_to(&speaker.line("one"));
    speaker.send(b"\x01\x02\x03\x04\ntwo\n");
    assert_eq!(reader.read_up_to(&speaker.line("two")), [speaker.line("two")]);
    assert_eq!(speaker.read_up_to("not text"), ["[*] Not said: that is not text"]);
}

#[test]
fn clause_5_2_a_line_peers_lines_end_as_its_own_do() {
    let server = Server::start();
    let mut speaker = server.peer();
    let mut peers = Vec::new();
    for (first, line_break) in [("hi\n", "\n"), ("hi\r\n", "\r\n"), ("hi\r\0", "\r\n"), ("hi\r", "\r\n")] {
        let mut peer = server.peer();
        peer.send(first);
        server.process.stdout.wait_for_line(&peer.line("hi"));
        // A pause within a line changes nothing.
        peer.send("unfinished");
        speaker.send("hello\n");
        peer.read_up_to(&speaker.line("hello"));
        assert_eq!(peer.text(), speaker.line("hello") + line_break, "{first:?}");
        peers.push(peer); // if it were dropped, its unfinished line would be a message
    }
}

#[test]
fn clause_5_2_a_terminal_that_sends_each_key_says_lines_and_may_erase() {
    // With one thread, an answer after a key shows that the server has read the key.
    let server = Server::with(&["--threads", "1"]);
    let (mut reader, mut clock) = (server.peer(), server.peer());
    for (enter, line_break) in [("\n", "\n"), ("\r\n", "\r\n"), ("\r", "\r\n"), ("\r\0", "\r\n")] {
        let mut terminal = server.peer();
        terminal.socket.set_nodelay(true).unwrap();
        for text in ["hello", "gr\u{fc}\u{df}x\u{8}e", "no\u{15}yes"] {
            for key in text.chars() {
                terminal.send(key.to_string());
                clock.is_in();
            }
            terminal.send(enter);
            clock.is_in();
        }
        let expected = ["hello", "gr\u{fc}\u{df}e", "yes"].map(|text| terminal.line(text));
        assert_eq!(reader.read_up_to(&terminal.line("yes")), expected, "{enter:?}");
        let mut speaker = server.peer();
        speaker.send("hi\n");
        terminal.read_up_to(&speaker.line("hi"));
        assert!(terminal.text().ends_with(&(speaker.line("hi") + line_break)), "{:?}", terminal.text());
        reader.read_up_to(&speaker.line("hi"));
    }
}

#[test]
fn clause_5_2_the_first_guess_is_not_for_good() {
    let server = Server::with(&["--threads", "1"]);
    let (mut reader, mut clock) = (server.peer(), server.peer());
    let mut terminal = server.peer();
    // Two keys in one read look like a message of a program.
    terminal.send("ab");
    reader.read_up_to(&terminal.line("ab"));
    terminal.send("\r\n");
    clock.is_in();
    for key in "hello".chars() {
        terminal.send(key.to_string());
        clock.is_in();
    }
    terminal.send("\r\n");
    assert_eq!(reader.read_up_to(&terminal.line("hello")), [terminal.line("hello")]);
}

#[test]
fn clause_5_2_a_peer_of_telnet_reads_cr_lf_before_it_has_typed() {
    let server = Server::start();
    let (mut telnet, mut speaker) = (server.peer(), server.peer());
    telnet.send(b"\xff\xfb\x1f\xff\xfd\x03");
    let mut refusals = [0; 6];
    std::io::Read::read_exact(&mut telnet.socket, &mut refusals).unwrap();
    assert_eq!(refusals, *b"\xff\xfe\x1f\xff\xfc\x03");
    speaker.send("hi\n");
    telnet.read_up_to("hi");
    assert_eq!(telnet.text(), speaker.line("hi\r\n"));
}

#[test]
fn clause_5_2_until_a_peer_has_spoken_its_lines_end_in_lf() {
    let server = Server::start();
    let (mut silent, mut speaker) = (server.peer(), server.peer());
    speaker.send("hello\r\n");
    silent.read_up_to("hello");
    assert_eq!(silent.text(), speaker.line("hello\n"));
}

#[test]
fn clause_5_3_a_chunk_is_a_message_and_each_recv_of_an_undelimited_peer_holds_whole_lines() {
    let server = Server::start();
    let mut undelimited = server.peer();
    undelimited.send("no line break");
    server.process.stdout.wait_for_line(&undelimited.line("no line break"));
    let mut speaker = server.peer();
    for number in 0..100 {
        speaker.send(format!("{number}\n"));
        let line = speaker.line(&number.to_string());
        // The client prints what each `recv` returns. If a line follows another one soon, a `recv` may also return
        // the line break between them.
        let mut printed = String::new();
        while printed.is_empty() {
            printed = String::from_utf8(undelimited.recv().to_vec()).expect("a line is in one piece");
            printed = printed.trim_start_matches('\n').to_owned();
        }
        assert_eq!(printed, line);
    }
}

#[test]
fn clause_5_4_a_member_does_not_get_its_own_lines_back() {
    let server = Server::start();
    let mut other = server.peer();
    for first in ["one\n", "one\r\n", "one"] {
        let mut peer = server.peer();
        peer.send(first);
        server.process.stdout.wait_for_line(&peer.line("one"));
        other.send("b\n");
        assert_eq!(peer.read_up_to(&other.line("b")), [other.line("b")], "{first:?}");
    }
}

#[test]
fn clause_5_5_a_line_of_64_kib_is_taken_and_a_longer_one_ends_the_connection() {
    let server = Server::start();
    let mut reader = server.peer();
    let mut longest = server.peer();
    longest.send(vec![b'x'; PLAIN_LINE_BYTES_MAX]);
    longest.send("\nthat is all\n");
    let lines = reader.read_up_to(&longest.line("that is all"));
    let prefix = longest.line("");
    let bytes: usize = lines.iter().map(|line| line.strip_prefix(&prefix).unwrap().len()).sum();
    assert_eq!(bytes, PLAIN_LINE_BYTES_MAX + "that is all".len());

    let mut longer = server.peer();
    longer.send(vec![b'x'; PLAIN_LINE_BYTES_MAX + 1]);
    assert_eq!(longer.read_to_end(), ["[*] Closed: line too long"]);
    server.has_closed(&longer.name, Some("line too long"));
}

#[test]
fn clause_5_6_half_close_is_not_leaving_and_a_last_line_without_break_is_a_message() {
    let server = Server::start();
    let (mut piped, mut other) = (server.peer(), server.peer());
    piped.send("one\nunterminated");
    piped.shut_down();
    let heard = other.read_up_to(&piped.line("unterminated"));
    assert_eq!(heard, [piped.line("one"), piped.line("unterminated")]);
    other.send("still there?\n");
    let told = "[*] You ended your side; you still hear the room".to_owned();
    assert_eq!(piped.read_up_to("still there?"), [told, other.line("still there?")]);

    // The peer's program ends. The system reports that when something is sent to it.
    let name = piped.name.clone();
    drop(piped);
    other.send("and now?\n");
    server.has_closed(&name, None);
}

#[test]
fn clause_5_6_a_half_closed_peer_that_nobody_answers_leaves_and_is_told_so() {
    let server = Server::start();
    let mut piped = server.peer();
    piped.send("echo x | nc -N\n");
    piped.shut_down();
    let told = [
        "[*] You ended your side; you still hear the room",
        "[*] Closed: you ended your side, and nobody has spoken since",
    ];
    assert_eq!(piped.read_to_end(), told);
    server.has_closed(&piped.name, None);
}

#[test]
fn clause_5_5_unfinished_lines_of_all_peers_share_four_mebibytes() {
    let server = Server::with(&["--threads", "1"]);
    let line = vec![b'x'; PLAIN_LINE_BYTES_MAX - 100];
    let mut typing = server.peer();
    typing.send("typing\n");
    let mut closed = 0;
    let mut hoarders = Vec::new();
    for _ in 0..80 {
        let mut hoarder = server.peer();
        hoarder.send("hello\n");
        server.process.stdout.wait_for_line(&hoarder.line("hello"));
        // The server may close it before it has sent everything.
        let _reset = hoarder.socket.write_all(&line);
        hoarders.push(hoarder);
    }
    while closed < 80 - 65 {
        typing.is_in();
        let lines = server.process.stdout.lines();
        closed = lines.iter().filter(|line| line.ends_with("(line too long)")).count();
    }
    typing.send("still here\n");
    server.process.stdout.wait_for_line(&typing.line("still here"));
}

#[test]
fn clause_5_8_a_lagged_member_is_told_exactly_how_many_messages_of_others_it_missed() {
    const MESSAGES: usize = 12_000;
    let server = Server::with(&["--log", "1"]);
    let mut stalled = server.peer();
    let (mut speaker, mut witness) = (server.peer(), server.peer());
    let long = "long ".repeat(150) + "end";
    for batch in 0..MESSAGES / 100 {
        // Its own messages are not counted as missed.
        stalled.send("mine\n");
        server.process.stdout.wait_until("its own line", |output| {
            let own = stalled.line("mine");
            (output.lines.iter().filter(|line| **line == own).count() > batch).then_some(())
        });
        let lines = (0..100).map(|number| format!("{} {long}\n", batch * 100 + number));
        speaker.send(lines.collect::<String>());
        witness.read_up_to(&speaker.line(&format!("{} {long}", batch * 100 + 99)));
    }
    let (mut read, mut missed) = (0, 0);
    let last = speaker.line(&format!("{} {long}", MESSAGES - 1));
    for line in BufReader::new(stalled.socket).lines() {
        let line = line.expect("it comes in time");
        if let Some(rest) = line.strip_prefix("[*] You missed ") {
            missed += rest.split(' ').next().unwrap().parse::<usize>().unwrap();
        } else {
            assert_eq!(line, speaker.line(&format!("{} {long}", read + missed)), "nothing is torn");
            read += 1;
        }
        if line == last {
            break;
        }
    }
    assert_eq!(read + missed, MESSAGES);
    assert!(missed > 0, "the sockets have held it all: the test shows nothing");
}

#[test]
fn clause_5_9_joins_and_leaves_are_told_only_where_the_server_was_asked_to() {
    for announce in [false, true] {
        let server = Server::with(if announce { &["--announce"] } else { &[] });
        let mut reader = server.peer();
        reader.is_in();
        let mut guest = server.peer();
        let name = guest.name.clone();
        guest.send("hello\n");
        let mut lines = reader.read_up_to(&guest.line("hello"));
        guest.shut_down();
        drop(guest);
        let mut last = server.peer();
        server.has_closed(&name, None);
        last.send("that is all\n");
        lines.extend(reader.read_up_to(&last.line("that is all")));
        let told = lines.iter().filter(|line| **line == format!("[*] {name} joined")).count();
        assert_eq!(told, usize::from(announce), "{lines:?}");
        assert_eq!(lines.contains(&format!("[*] {name} left")), announce, "{lines:?}");
        assert!(lines.iter().all(|line| line.starts_with("[*] ") || line.starts_with("[127.0.0.1:")));
    }
}
