//! Sections 2 and 3: one message is one clean line, however its bytes arrive.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use chat_proto::TextKind;
use chat_proto::limits::TEXT_BYTES_MAX;

use crate::corpus::corpus;
use crate::datagrams::Plain;
use chat_proto::MemberFrame;

use crate::frames::{Framed, encoded};
use crate::support::{Peer, Process, Server, client_command};

/// Says the whole corpus as a line peer. `deliver` decides how the bytes of a case are split into writes. Returns the
/// texts that another member has read.
fn said(deliver: impl Fn(&mut Peer, &[Vec<u8>])) -> Vec<String> {
    let server = Server::start();
    let mut reader = server.peer();
    let mut speaker = server.peer();
    speaker.socket.set_nodelay(true).unwrap();
    // The speaker stays a line peer (5.2), so a pause between two bytes means nothing.
    speaker.send("begin\n");
    reader.read_up_to(&speaker.line("begin"));
    let cases: Vec<Vec<u8>> = cases().into_iter().map(|(bytes, _)| bytes).collect();
    deliver(&mut speaker, &cases);
    speaker.send("that is all\n");
    let lines = reader.read_up_to(&speaker.line("that is all"));
    let prefix = speaker.line("");
    let text = |line: &String| line.strip_prefix(&prefix).expect("only it speaks").to_owned();
    lines[..lines.len() - 1].iter().map(text).collect()
}

/// The corpus without DEL. If a read returns a DEL alone, it is a key that erases (5.2), and it is not certain which
/// bytes arrive alone.
fn cases() -> Vec<(Vec<u8>, Vec<String>)> {
    corpus().into_iter().filter(|(bytes, _)| !bytes.contains(&0x7f)).collect()
}

fn expected() -> Vec<String> {
    cases().into_iter().flat_map(|(_, texts)| texts).collect()
}

#[test]
fn clause_2_2_what_is_sent_whole_is_cleaned_before_anyone_reads_it() {
    let read = said(|speaker, cases| cases.iter().for_each(|case| speaker.send(case)));
    assert_eq!(read, expected());
}

#[test]
fn clause_2_2_what_is_sent_byte_by_byte_reads_the_same() {
    let read = said(|speaker, cases| cases.concat().chunks(1).for_each(|byte| speaker.send(byte)));
    assert_eq!(read, expected());
}

#[test]
fn clause_2_2_what_is_sent_all_at_once_reads_the_same() {
    let read = said(|speaker, cases| speaker.send(cases.concat()));
    assert_eq!(read, expected());
}

#[test]
fn clause_2_2_over_udp_it_reads_the_same_in_datagrams_of_one_case_and_of_several() {
    // Telnet exists only over TCP, and a datagram that looks like a line of its own sender is an echo (10.6).
    let cases: Vec<_> = corpus().into_iter().filter(|(bytes, _)| !bytes.contains(&0xff)).collect();
    let cases: Vec<_> = cases.into_iter().filter(|(bytes, _)| !bytes.starts_with(b"[*] ")).collect();
    // A NUL between two characters belongs to another protocol (9.3).
    let cases: Vec<_> =
        cases.into_iter().filter(|(bytes, _)| TextKind::of_first(bytes) != TextKind::NotText).collect();
    assert!(cases.len() > 20, "{}", cases.len());
    let expected: Vec<String> = cases.iter().flat_map(|(_, texts)| texts.clone()).collect();
    for together in [1, 5] {
        let server = Server::over(&["tcp", "udp"], &[]);
        let mut reader = server.peer();
        let speaker = Plain::new(&server);
        for several in cases.chunks(together) {
            let bytes: Vec<u8> = several.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
            let last = several.last().unwrap().1.last().unwrap();
            speaker.send(&bytes);
            // Send one after the other, so that nothing is lost: loopback loses datagrams only when a buffer is full.
            speaker.lines_until(&format!("[{}] {last}", speaker.name));
        }
        speaker.send(b"that is all");
        let lines = reader.read_up_to(&format!("[{}] that is all", speaker.name));
        let prefix = format!("[{}] ", speaker.name);
        let texts: Vec<_> = lines.iter().map(|line| line.strip_prefix(&prefix).unwrap()).collect();
        assert_eq!(texts[..texts.len() - 1], expected, "{together} in a datagram");
    }
}

#[test]
fn clause_2_2_a_client_cleans_again_whatever_the_server_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        for (bytes, _) in corpus() {
            socket.write_all(&bytes).unwrap();
        }
        socket.write_all(b"that is all\n").unwrap();
        let _until_it_leaves = socket.read(&mut [0]);
    });
    let client = Process::start(&mut client_command(address, &["--plain", "--stay"]));
    client.stdout.wait_for_line("that is all");
    let printed = client.stdout.lines();
    let dangerous = |line: &String| line.contains(char::is_control);
    assert_eq!(printed.iter().filter(|line| dangerous(line)).collect::<Vec<_>>(), [""; 0]);
    assert!(printed.contains(&"\u{241b}[31mred\u{2407}".to_owned()), "{printed:#?}");
    drop(client);
    server.join().unwrap();
}

#[test]
fn clause_2_1_a_framed_message_may_be_empty_and_has_at_most_960_bytes() {
    let server = Server::start();
    let (mut ann, _) = Framed::join(&server);
    let full = "x".repeat(TEXT_BYTES_MAX);
    for text in ["", full.as_str()] {
        ann.say(text);
        assert_eq!(ann.message().event.to_string(), format!("[{}] {text}", ann.name));
    }
    // With one byte more it is not a message, so the frame cannot be decoded (6.2).
    let mut frame = encoded(&MemberFrame::Say { number: 200, text: full.parse().unwrap() });
    frame.splice(..2, u16::try_from(frame.len() - 1).unwrap().to_le_bytes());
    frame[4..7].copy_from_slice(&[0xfb, 0xc1, 0x03]);
    frame.push(b'x');
    ann.send_bytes(&frame);
    assert_eq!(ann.bye(), chat_proto::LeaveReason::Protocol);
}

#[test]
fn clause_2_6_of_a_long_line_nothing_is_lost_and_no_character_is_cut() {
    let server = Server::start();
    let mut reader = server.peer();
    let mut speaker = server.peer();
    let long = "e\u{301}\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}x".repeat(2_000);
    speaker.send(format!("{long}\nthat is all\n"));
    let lines = reader.read_up_to(&speaker.line("that is all"));
    let prefix = speaker.line("");
    let texts: Vec<&str> = lines.iter().map(|line| line.strip_prefix(&prefix).unwrap()).collect();
    let (last, parts) = texts.split_last().unwrap();
    assert_eq!((*last, parts.concat()), ("that is all", long));
    for part in parts {
        assert!(part.len() <= TEXT_BYTES_MAX && !part.starts_with(['\u{301}', '\u{200d}']), "{part}");
    }
}

#[test]
fn clause_3_1_a_line_names_its_author_over_ipv4_ipv6_and_mapped_ipv4() {
    if TcpListener::bind("[::1]:0").is_err() {
        println!("skipped: this machine has no IPv6");
        return;
    }
    let server = Server::at("[::]:0", &["tcp"], &["--announce"]);
    let port = server.address.port();
    let mut reader = Peer::connect(([127, 0, 0, 1], port).into());
    reader.is_in();
    for ip in ["127.0.0.1", "::1"] {
        let mut speaker = Peer::connect((ip.parse::<std::net::IpAddr>().unwrap(), port).into());
        speaker.send("hello\n");
        let lines = reader.read_up_to(&speaker.line("hello"));
        assert!(lines.contains(&format!("[*] {} joined", speaker.name)), "{lines:?}");
    }
    assert!(reader.text().contains("[[::1]:"), "{}", reader.text());
}

#[test]
fn clause_3_2_the_longest_line_fits_into_a_recv_of_1024_bytes() {
    let server = Server::at("127.255.255.254:0", &["tcp"], &[]);
    let (mut reader, mut speaker) = (server.peer(), server.peer());
    speaker.send(format!("{}\n", "x".repeat(TEXT_BYTES_MAX)));
    let line = speaker.line(&"x".repeat(TEXT_BYTES_MAX)) + "\n";
    reader.read_up_to(line.trim_end());
    assert_eq!(reader.text(), line);
    // Add the bytes that an IPv6 address with a scope would need in addition (chat_proto counts them).
    assert!(line.len() + chat_proto::limits::LINE_PREFIX_BYTES_MAX - speaker.line("").len() <= 1024);
}
