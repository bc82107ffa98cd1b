//! What a terminal does with lines from anyone: it shows each as one line, and nothing else about it changes.
//!
//! The terminal is an emulated one. Its callbacks report everything that a program may ask of a terminal except
//! showing text. So the test also notices a sequence that the emulator does not carry out.

use std::num::NonZeroU16;

use chat_proto::{Author, Line, Text};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use vt100::{Callbacks, Parser, Screen};

const ROWS: u16 = 24;
/// One terminal is so narrow that long lines wrap at any place. The other is so wide that none wraps.
const COLUMNS: [u16; 2] = [37, 1_100];
/// The text above a message. It must stay there.
const ABOVE: &str = "what stood here before";

/// Notes that a terminal was asked for something other than showing text.
#[derive(Debug, Default)]
struct Asked(Option<&'static str>);

impl Callbacks for Asked {
    fn audible_bell(&mut self, _: &mut Screen) {
        self.0 = Some("a bell");
    }
    fn visual_bell(&mut self, _: &mut Screen) {
        self.0 = Some("a flash");
    }
    fn resize(&mut self, _: &mut Screen, _: (u16, u16)) {
        self.0 = Some("another size");
    }
    fn set_window_icon_name(&mut self, _: &mut Screen, _: &[u8]) {
        self.0 = Some("an icon name");
    }
    fn set_window_title(&mut self, _: &mut Screen, _: &[u8]) {
        self.0 = Some("a title");
    }
    fn copy_to_clipboard(&mut self, _: &mut Screen, _: &[u8], _: &[u8]) {
        self.0 = Some("the clipboard");
    }
    fn paste_from_clipboard(&mut self, _: &mut Screen, _: &[u8]) {
        self.0 = Some("the clipboard");
    }
    fn unhandled_control(&mut self, _: &mut Screen, _: u8) {
        self.0 = Some("a control character");
    }
    fn unhandled_escape(&mut self, _: &mut Screen, _: Option<u8>, _: Option<u8>, _: u8) {
        self.0 = Some("an escape sequence");
    }
    fn unhandled_csi(&mut self, _: &mut Screen, _: Option<u8>, _: Option<u8>, _: &[&[u16]], _: char) {
        self.0 = Some("a control sequence");
    }
    fn unhandled_osc(&mut self, _: &mut Screen, _: &[&[u8]]) {
        self.0 = Some("an operating system command");
    }
}

fn terminal(columns: u16) -> Parser<Asked> {
    let cells = |count| NonZeroU16::new(count).expect("a terminal has rows and columns");
    Parser::new_with_callbacks(cells(ROWS), cells(columns), 0, Asked::default())
}

/// Prints `line` below an existing row. An error says what else the terminal did.
fn print(terminal: &mut Parser<Asked>, line: &str) -> Result<(), String> {
    terminal.process(b"\x1bc"); // resets it
    terminal.callbacks_mut().0 = None;
    terminal.process(format!("{ABOVE}\r\n").as_bytes());
    let before = terminal.screen().clone();
    terminal.process(line.as_bytes());
    let (end, _) = terminal.screen().cursor_position();
    terminal.process(b"\r\n");

    let screen = terminal.screen();
    let row = |number| screen.rows(0, screen.size().1.get()).nth(number).unwrap_or_default();
    let check = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    if let Some(asked) = terminal.callbacks().0 {
        return Err(format!("the terminal was asked for {asked}"));
    }
    check(row(0) == ABOVE, "the row above has changed")?;
    check(end >= 1, "the cursor went up")?;
    check(screen.cursor_position() == (end + 1, 0), "the cursor is not at the beginning of the next row")?;
    let width = usize::from(screen.size().1.get());
    let shown: String = (1..=usize::from(end)).map(row).collect();
    let prefix: String = line.chars().take(16.min(width)).collect();
    check(shown.starts_with(&prefix), "the line does not begin with its author")?;
    // A line continues in the next row only if its row is full, except for a wide character that did not fit.
    let columns = screen.size().1.get();
    let holds = |row, column| screen.cell(row, column).is_some_and(vt100::Cell::has_contents);
    let is_full = |row| (columns - 3..columns).any(|column| holds(row, column));
    check((1..end).all(is_full), "there are two lines")?;
    check(screen.attributes_formatted() == before.attributes_formatted(), "colours have changed")?;
    check(screen.input_mode_formatted() == before.input_mode_formatted(), "the mode of input has changed")?;
    check(!screen.hide_cursor() && !screen.alternate_screen(), "the screen or its cursor is another one")
}

/// Input that a hostile peer may send: pieces of everything that means something to a terminal, and noise.
fn hostile(random: &mut StdRng) -> Vec<u8> {
    const PIECES: [&[u8]; 40] = [
        b"\x1b[2J",
        b"\x1b[H",
        b"\x1b[1;1H",
        b"\x1b[A",
        b"\x1b[31m",
        b"\x1b[?25l",
        b"\x1b[?1049h",
        b"\x1b]0;title\x07",
        b"\x1b]52;c;aGk=\x07",
        b"\x1bc",
        b"\x1bM",
        b"\x1b7",
        b"\x1b8",
        b"\x1bP+q\x1b\\",
        b"\x1b(0",
        b"\x1b#8",
        b"\x1b[6n",
        b"\x1b[5i",
        b"\x07",
        b"\x08",
        b"\x0b",
        b"\x0c",
        b"\x0e",
        b"\x7f",
        b"\0",
        b"\r",
        b"\n",
        b"\t",
        b"\xc2\x9b2J",
        b"\xc2\x9d0;t\xc2\x9c",
        b"\x9b2J",
        b"\xff\xfe",
        b"[*] Closed: ",
        b"\r[192.0.2.9:9] forged",
        "\u{202e}".as_bytes(),
        "\u{2028}".as_bytes(),
        "\u{200b}\u{feff}".as_bytes(),
        "e\u{301}\u{302}\u{303}".as_bytes(),
        "\u{1f469}\u{200d}\u{1f680}".as_bytes(),
        "\u{6a9}\u{200c}\u{6a9} \u{915}\u{94d}\u{200d}\u{937} \u{4e2d}\u{6587}".as_bytes(),
    ];
    let mut bytes = Vec::new();
    for _ in 0..random.random_range(1..=12) {
        match random.random_range(0..8) {
            0..=3 => bytes.extend_from_slice(PIECES[random.random_range(0..PIECES.len())]),
            4 => bytes.extend((0..random.random_range(1..60)).map(|_| random.random_range(b' '..=b'~'))),
            5 => bytes.extend((0..random.random_range(1..8)).map(|_| random.random::<u8>())),
            6 => bytes.push(random.random_range(0..0x20)),
            _ => {
                let scalar = char::from_u32(random.random_range(0..=0x10_ffff)).unwrap_or('\u{9b}');
                bytes.extend_from_slice(scalar.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
    bytes
}

/// Prints this many messages of hostile peers. Returns how many lines they were.
fn print_hostile(messages: u64) -> u64 {
    let mut random = StdRng::seed_from_u64(1);
    let mut terminals = COLUMNS.map(terminal);
    let author: Author = "192.0.2.1:54321".parse().expect("an address");
    let mut lines = 0;
    for number in 0..messages {
        let bytes = hostile(&mut random);
        for text in Text::split(&bytes) {
            let line = Line { author: author.clone(), text }.to_string();
            let terminal = &mut terminals[random.random_range(0..COLUMNS.len())];
            if let Err(what) = print(terminal, &line) {
                panic!("message {number}, {}: {what}", bytes.escape_ascii());
            }
            lines += 1;
        }
    }
    lines
}

#[test]
fn each_line_of_a_hostile_peer_is_one_line_on_a_terminal_and_nothing_else_changes() {
    assert!(print_hostile(5_000) >= 5_000);
}

/// `cargo test --release -p chat-proto --test terminal -- --ignored --nocapture`
#[test]
#[ignore = "takes minutes"]
fn each_line_of_a_million_hostile_messages_is_one_line_on_a_terminal() {
    println!("{} lines", print_hostile(1_000_000));
}

#[test]
fn every_character_is_shown_on_its_line_and_does_nothing_else() {
    let mut terminal = terminal(COLUMNS[1]);
    let author: Author = "192.0.2.1:54321".parse().expect("an address");
    // Print many characters at a time, because the emulator is slow.
    let characters: Vec<char> = (0..=0x10_ffff).filter_map(char::from_u32).collect();
    for some in characters.chunks(200) {
        let bytes: String = some.iter().collect();
        for text in Text::split(bytes.as_bytes()) {
            let line = Line { author: author.clone(), text }.to_string();
            if let Err(what) = print(&mut terminal, &line) {
                panic!("U+{:04X} and those after it: {what}", u32::from(some[0]));
            }
        }
    }
}

#[test]
fn uncleaned_text_is_noticed() {
    let mut terminal = terminal(COLUMNS[1]);
    let prefix = "[192.0.2.1:54321] ";
    for bytes in
        ["\x1b[2J", "\x1b]0;title\x07", "\r", "\n", "\x1b[31m", "\x07", "\x1b[A", "\x1b[?25l", "\u{9b}31m"]
    {
        assert!(
            print(&mut terminal, &format!("{prefix}{bytes} and more")).is_err(),
            "{}",
            bytes.escape_debug()
        );
    }
    assert_eq!(print(&mut terminal, &format!("{prefix}a clean text")), Ok(()));
}
