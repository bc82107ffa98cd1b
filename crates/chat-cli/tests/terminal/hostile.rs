//! Servers that try to do harm.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use chat_proto::{
    Author, Entry, Event, MemberId, Origin, PREFACE, PeerAddr, RoomFrame, Session, Text, Welcome,
};

use super::CHAT;
use super::tmux::{Tmux, Window};

/// Texts that must not have an effect: moving the cursor, clearing the screen, colours, the title, reports that come
/// back as typed text, other character sets, 8-bit controls, hiding, and lines that seem to come from somebody else.
const HOSTILE: [&str; 12] = [
    "\x1b[2J\x1b[Hcleared",
    "\x1b[1;1Hmoved",
    "\x1b]0;title\x07\x1b]52;c;Z290Y2hh\x07",
    "\x1b[6n\x1b[c\x1bZ answered",
    "\x1b[?1049h\x1b[?25l\x1bc reset",
    "\x1b(0\x0e lines",
    "\u{9b}2J\u{90}x\u{9c}",
    "one\r[1.2.3.4:5] forged by CR",
    "one\n[1.2.3.4:5] forged by LF",
    "\u{202e}desrever\u{2066}\u{200b}\u{feff}",
    "one\u{2028}[1.2.3.4:5] forged by LS\u{85}NEL",
    "\x08\x08\x08\x08\x7f\x00backspace",
];

#[test]
fn hostile_text_of_a_framed_server_changes_nothing_but_its_own_line() {
    let Some(tmux) = Tmux::start() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a client");
        let you = PeerAddr::from(socket.peer_addr().expect("connected"));
        socket.write_all(&PREFACE).expect("it reads");
        socket.write_all(&welcome(you)).expect("it reads");
        for (index, text) in HOSTILE.iter().enumerate() {
            socket.write_all(&said(index as u64 + 1, text)).expect("it reads");
        }
        socket.write_all(&said(HOSTILE.len() as u64 + 1, "the end")).expect("it reads");
        wait_for_the_end(&mut socket);
    });
    let window = tmux.window(&format!("{CHAT} client tcp {address} --no-timestamps"));
    has_stayed_as_it_was(&window, " [192.0.2.7:7] ");
}

#[test]
fn hostile_text_of_a_plain_server_changes_nothing_but_its_own_line() {
    let Some(tmux) = Tmux::start() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a client");
        for text in HOSTILE {
            // Line breaks always end a line here, and so does a NUL.
            let text = text.replace(['\r', '\n', '\0'], "");
            socket.write_all(format!("[192.0.2.7:7] {text}\n").as_bytes()).expect("it reads");
        }
        socket.write_all(b"[192.0.2.7:7] the end\n").expect("it reads");
        wait_for_the_end(&mut socket);
    });
    let window = tmux.window(&format!("{CHAT} client tcp {address} --plain --no-timestamps"));
    has_stayed_as_it_was(&window, " [192.0.2.7:7] ");
}

fn has_stayed_as_it_was(window: &Window<'_>, start: &str) {
    window.types("typed");
    window.shows("the end");
    let rows = window.shows("> typed");
    let rows: Vec<&String> = rows.iter().filter(|row| !row.starts_with("-- ")).collect();
    let (said, footer) = rows.split_at(HOSTILE.len() + 1);
    for row in said {
        assert!(row.starts_with(start), "{row:?} in {rows:#?}");
    }
    assert_eq!(footer.len(), 2, "{rows:#?}");
    assert_eq!(footer[0], "> typed", "nothing was typed by the terminal itself: {rows:#?}");
    assert!(footer[1].starts_with(" ● connected"), "{rows:#?}");
    assert_eq!(
        window.cursor(),
        ("> typed".len(), rows.len() - 2 + usize::from(window.rows()[0].starts_with("-- ")), true)
    );
}

fn wait_for_the_end(socket: &mut TcpStream) {
    let _gone = socket.read_to_end(&mut Vec::new());
}

fn welcome(you: PeerAddr) -> Vec<u8> {
    let mut bytes = Vec::new();
    let welcome = Welcome {
        version: 2,
        capabilities: 0,
        epoch: 1,
        session: Session { member: MemberId::new(1), since: 0, key: 1 },
        resumed: false,
        taken: Some(0),
        you: you.into(),
        address: Text::one_line(&you.to_string()).expect("short"),
        room: None,
        name: None,
        topic: None,
        head: 0,
        began_unix_ms: 0,
        members: 1,
    };
    RoomFrame::Welcome(Box::new(welcome)).encode(&mut bytes);
    bytes
}

/// A frame that a server of ours cannot send, because its text is not clean.
fn said(seq: u64, text: &str) -> Vec<u8> {
    let peer: PeerAddr = "192.0.2.7:7".parse().expect("an address");
    let stand_in = "~".repeat(text.len());
    let stand_in_text = Text::one_line(&stand_in).expect("short");
    let event = Event::Said { from: Origin::default(), author: Author::Peer(peer), text: stand_in_text };
    let mut bytes = Vec::new();
    RoomFrame::Entry(Arc::new(Entry { seq, at_ms: 0, event })).encode(&mut bytes);
    let at =
        bytes.windows(text.len()).position(|window| window == stand_in.as_bytes()).expect("it is in there");
    bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
    bytes
}
