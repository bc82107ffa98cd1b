//! Whatever a peer sends, the others read clean lines with the true author.

mod support;

use std::io::Write;

use support::{Peer, Server};

/// Texts that try to hide, to move the cursor, to break a line or to put words into a victim's mouth.
fn attacks(victim: &str) -> Vec<Vec<u8>> {
    let forged = format!("[{victim}] I owe you money");
    let mut attacks: Vec<Vec<u8>> = [
        "\r",
        "\n\r",
        "\u{b}",
        "\u{c}",
        "\u{85}",
        "\u{2028}",
        "\u{2029}",
        "\x1b[2K\x1b[1G",
        "\x1b[1A",
        "\x08\x08\x08",
        "\u{9b}2K",
        "\x1bc",
        "\x1b]0;gotcha\x07",
        "\x1bP1;1|",
        "\u{202e}",
        "\u{2066}",
        "\u{200b}",
        "\u{feff}",
        "\0",
        "\u{7f}",
        "\u{ad}",
        "\u{e0001}",
        "\u{3164}",
        "\u{180e}",
        "\x1a",
        "\x04",
    ]
    .iter()
    .map(|trick| format!("hi{trick}{forged}{trick}").into_bytes())
    .collect();
    attacks.extend([
        b"\xff\xfe\xfd\xc3\x28\xa0\xa1 not UTF-8".to_vec(),
        b"\xed\xa0\x80\xf4\x90\x80\x80 surrogates".to_vec(),
        b"\xc0\x8a[overlong] line break".to_vec(),
        b"\x9b\x32\x4a bare C1".to_vec(),
        b"\xff\xf4\xff\xfd\x06 telnet interrupt".to_vec(),
        (0..=255).filter(|byte| ![0x16, 0xf5].contains(byte)).collect(),
        (0..=255).rev().collect(),
        vec![0; 5_000],
    ]);
    attacks
}

fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
        || matches!(c, '\u{e0000}'..='\u{e0fff}' | '\u{180e}' | '\u{3164}')
}

#[test]
fn no_trick_reaches_a_terminal_or_forges_a_line() {
    let server = Server::start();
    let (framed_reader, _) = server.client_that_hears(&["--stay"]);
    let before = server.process.stdout.lines().len();
    let mut victim = server.peer();
    let mut line_reader = server.peer();
    let mut authors = Vec::new();
    for attack in attacks(&victim.name) {
        for line_break in ["\n", ""] {
            let mut attacker = server.peer();
            attacker.send([&attack[..], line_break.as_bytes()].concat());
            attacker.shut_down();
            authors.push(attacker.name.clone());
            // Some of these peers say nothing in the end. Once the server has read everything, it sends a notice or
            // closes.
            let mut told = Vec::new();
            while !told.windows(4).any(|window| window == b"[*] ") {
                match attacker.recv() {
                    [] => break,
                    received => told.extend_from_slice(received),
                }
            }
        }
    }
    victim.send("that is all\n");
    let last = victim.line("that is all");
    framed_reader.stdout.wait_for_line(&last);
    server.process.stdout.wait_for_line(&last);
    let of_peers = |line: &String| !line.starts_with("[*] ");
    let read = [
        line_reader.read_up_to(&last),
        framed_reader.stdout.lines(),
        server.process.stdout.lines().into_iter().skip(before).filter(of_peers).collect(),
    ];
    for lines in &read {
        assert!(lines.len() > authors.len(), "most attacks are words all the same");
        assert_eq!(lines, &read[0], "everyone reads the same");
        for line in lines {
            assert!(!line.contains(is_dangerous), "{line:?}");
            let (author, _) = line.strip_prefix('[').and_then(|line| line.split_once("] ")).expect(line);
            assert!(authors.iter().any(|name| name == author) || *line == last, "forged: {line:?}");
        }
    }
    assert!(!line_reader.text().contains('\r'));
}

#[test]
fn a_dripping_and_a_silent_peer_cost_the_others_nothing() {
    let server = Server::start();
    let _silent: Vec<Peer> = (0..50).map(|_| Peer::connect(server.address)).collect();
    let mut dripping: Vec<Peer> = (0..50).map(|_| Peer::connect(server.address)).collect();
    let (mut ann, mut bob) = (server.peer(), server.peer());
    for round in 0..50 {
        for peer in &mut dripping {
            // On a slow machine the time for an opening may be over.
            let _closed = peer.socket.write_all(&[b"\xf5chat\x01\xff\x07 never finished"[round.min(20)]]);
        }
        ann.send(format!("message {round}\n"));
        bob.read_up_to(&ann.line(&format!("message {round}")));
    }
}
