//! Clause 5.7: telnet negotiation, cut at every byte.

use crate::support::{Peer, Server};

/// What telnet clients send by themselves, and what the server must answer.
const NEGOTIATIONS: [(&str, &[u8], &[u8]); 9] = [
    (
        "what PuTTY opens with",
        b"\xff\xfb\x1f\xff\xfb\x20\xff\xfb\x18\xff\xfb\x27\xff\xfd\x01\xff\xfb\x03\xff\xfd\x03",
        b"\xff\xfe\x1f\xff\xfe\x20\xff\xfe\x18\xff\xfe\x27\xff\xfc\x01\xff\xfe\x03\xff\xfc\x03",
    ),
    ("a refusal, which is not answered", b"\xff\xfc\x01\xff\xfe\x03", b""),
    ("a window size", b"\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0", b""),
    ("a window size of 255 columns", b"\xff\xfa\x1f\x00\xff\xff\x00\x18\xff\xf0", b""),
    ("a terminal type with line breaks in it", b"\xff\xfa\x18\x00a\r\nb\xff\xf0", b""),
    ("Ctrl-C: interrupt process, and a timing mark", b"\xff\xf4\xff\xfd\x06", b"\xff\xfc\x06"),
    ("are you there", b"\xff\xf6", b""),
    ("erase line, go ahead, no operation", b"\xff\xf8\xff\xf9\xff\xf1", b""),
    (
        "an option of each value that looks like a break",
        b"\xff\xfb\x0a\xff\xfd\x0d",
        b"\xff\xfe\x0a\xff\xfc\x0d",
    ),
];

/// Sends `pieces` one by one. Returns what comes back before the line of another peer that speaks after it.
fn answers(server: &Server, reader: &mut Peer, speaker: &mut Peer, pieces: &[&[u8]]) -> Vec<u8> {
    let mut peer = Peer::connect(server.address);
    peer.socket.set_nodelay(true).unwrap();
    peer.send("begin\n"); // now it is a line peer, so a pause between two pieces means nothing
    reader.read_up_to(&peer.line("begin"));
    pieces.iter().for_each(|piece| peer.send(piece));
    reader.read_up_to(&peer.line("before after"));
    speaker.send("end\n");
    let end = speaker.line("end\r\n").into_bytes();
    let mut got = Vec::new();
    while !got.ends_with(&end) {
        let received = peer.recv();
        assert!(!received.is_empty());
        got.extend_from_slice(received);
    }
    got.truncate(got.len() - end.len());
    got
}

#[test]
fn clause_5_7_every_negotiation_is_removed_and_answered_the_same_wherever_it_is_cut() {
    let server = Server::start();
    let (mut reader, mut speaker) = (server.peer(), server.peer());
    let mut cases = 0;
    for (what, command, answer) in NEGOTIATIONS {
        let bytes = [b"before ", command, b"after\r\n"].concat();
        for at in 0..bytes.len() {
            let (a, b) = bytes.split_at(at);
            assert_eq!(answers(&server, &mut reader, &mut speaker, &[a, b]), answer, "{what}, cut at {at}");
            cases += 1;
        }
        let each: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(answers(&server, &mut reader, &mut speaker, &each), answer, "{what}, byte by byte");
    }
    assert!(cases > 200);
    let texts = reader.lines();
    assert!(texts.iter().all(|line| line.ends_with("] begin")
        || line.ends_with("] before after")
        || line.ends_with("] end")));
}

#[test]
fn clause_5_7_a_doubled_iac_is_the_byte_ff_which_is_no_text() {
    let server = Server::start();
    let (mut reader, mut speaker) = (server.peer(), server.peer());
    speaker.send(b"a\xff\xffb\n");
    assert_eq!(reader.read_up_to("b"), [speaker.line("a\u{fffd}b")]);
}
