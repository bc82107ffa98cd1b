//! The program without a terminal: `--json`, a closed pipe, and what it prints about itself.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const CHAT: &str = env!("CARGO_BIN_EXE_chat");

/// A program with pipes for everything that it reads and writes. It is ended when this is dropped.
struct Piped {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<BufReader<ChildStdout>>,
}

impl Piped {
    fn start(arguments: &[&str]) -> Self {
        let mut chat = Command::new(CHAT);
        chat.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = chat.spawn().expect("it starts");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().map(BufReader::new));
        Self { child, stdin, stdout }
    }

    fn writes(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it is open");
        writeln!(stdin, "{line}").expect("it reads");
    }

    /// The next line that has `part` in it.
    fn prints(&mut self, part: &str) -> String {
        let lines = self.stdout.as_mut().expect("it is open").lines();
        let mut lines = lines.map(|line| line.expect("text"));
        lines.find(|line| line.contains(part)).unwrap_or_else(|| panic!("it ended without '{part}'"))
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.stdin = None;
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// A server that ends with the test, and its address.
fn server() -> (Piped, String) {
    let mut server = Piped::start(&["server", "tcp", "--bind", "127.0.0.1:0"]);
    let listening = server.prints("[*] Listening on ");
    let address = listening.rsplit(' ').next().expect("it says where").to_owned();
    (server, address)
}

#[test]
fn json_speaks_in_objects_and_is_told_everything() {
    let (mut server, address) = server();
    let mut bot = Piped::start(&["client", "tcp", &address, "--json"]);
    let connected = bot.prints(r#"{"type":"connected""#);
    let you = connected.split('"').nth(7).expect("the address").to_owned();

    bot.writes(r#"{"type":"say","text":"one\ntwo"}"#);
    let one = bot.prints(r#""type":"message""#);
    assert!(one.starts_with(r#"{"type":"message","seq":1,"time":"20"#), "{one}");
    assert!(one.ends_with(&format!(r#"","author":"{you}","text":"one","own":true,"number":1}}"#)), "{one}");
    bot.prints(r#""text":"two","own":true,"number":2}"#);
    server.prints(&format!("[{you}] two"));

    bot.writes("hello?");
    assert!(bot.prints(r#""type":"refused""#).contains(r#""line":2,"#));
    bot.writes(r#"{"type":"who"}"#);
    let present = bot.prints(r#""type":"present""#);
    assert_eq!(present, format!(r#"{{"type":"present","members":1,"peers":["{you}"],"more":false}}"#));

    let mut other = Piped::start(&["client", "tcp", &address]);
    bot.prints(r#""type":"joined""#);
    other.writes("a \"quoted\" \\ line");
    assert!(bot.prints(r#""type":"message""#).contains(r#""text":"a \"quoted\" \\ line","own":false,"#));
    assert_eq!(other.exit_code(), Some(0));
    assert!(bot.prints(r#""type":"left""#).contains(r#""reason":"by its own choice","#));

    assert_eq!(bot.exit_code(), Some(1), "a line was refused");
    assert_eq!(bot.prints("ended"), r#"{"type":"ended","reason":"left"}"#);
}

#[test]
fn a_reader_that_has_enough_ends_the_filter_quietly() {
    let (_server, address) = server();
    for flags in [&[][..], &["--json"]] {
        let mut reader =
            Piped::start(&[&["client", "tcp", &address, "--stay", "--history", "20"], flags].concat());
        reader.stdout = None; // as `head` does
        let mut speaker = Piped::start(&["client", "tcp", &address]);
        speaker.writes("something to print");
        assert_eq!(speaker.exit_code(), Some(0));
        // The reader may have joined too late to hear that, so say more.
        let mut speaker = Piped::start(&["client", "tcp", &address]);
        let reader_stdin = reader.stdin.take();
        let code = std::thread::scope(|scope| {
            let ended = scope.spawn(|| reader.child.wait().expect("it ends").code());
            while !ended.is_finished() {
                speaker.writes("and more");
            }
            ended.join().expect("no panic")
        });
        drop(reader_stdin);
        assert_eq!(code, Some(0));
    }
}

#[test]
fn the_history_is_given_on_request() {
    let (_server, address) = server();
    let mut speaker = Piped::start(&["client", "tcp", &address]);
    speaker.writes("long ago");
    assert_eq!(speaker.exit_code(), Some(0));
    let mut late = Piped::start(&["client", "tcp", &address, "--stay", "--history", "5"]);
    assert!(late.prints("long ago").starts_with("[127.0.0.1:"));
}

#[test]
fn it_explains_itself() {
    let output = |arguments: &[&str]| {
        let output = Command::new(CHAT).args(arguments).stdin(Stdio::null()).output().expect("it runs");
        (output.status.code(), String::from_utf8(output.stdout).expect("text"))
    };
    for arguments in
        [&["--help"][..], &["help", "client"], &["server", "--help"], &["client", "-h"], &["help", "man"]]
    {
        let (code, text) = output(arguments);
        assert_eq!(code, Some(0));
        assert!(text.contains("Examples:\n  chat "), "{text}");
    }
    let (code, version) = output(&["--version"]);
    assert_eq!((code, version.trim()), (Some(0), concat!("chat ", env!("CARGO_PKG_VERSION"))));
    let (code, script) = output(&["completions", "bash"]);
    assert!(code == Some(0) && script.contains("--no-timestamps"));
    let (code, page) = output(&["man", "server"]);
    assert!(code == Some(0) && page.contains("CHAT-SERVER"));
    let (code, page) = output(&["man", "history", "import"]);
    assert!(code == Some(0) && page.contains("CHAT-HISTORY-IMPORT"), "{page}");
    assert_eq!(output(&["man", "nonsense"]).0, Some(2));
    assert_eq!(output(&["man", "history", "nonsense"]).0, Some(2));
    assert_eq!(output(&["completions", "nonsense"]).0, Some(2));
}
