//! `cargo xtask screenshot`: the picture of the README, made from the real program.
//!
//! Starts a server, a client on a terminal and netcat in tmux, lets them talk, reads their screens with colours and
//! all, and draws them as one SVG. Needs tmux and nc, and port 5555 to be free.

mod svg;
mod tmux;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use self::svg::Frame;
use self::tmux::{Tmux, Window};
use crate::cargo;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where the picture goes
    #[arg(long, value_name = "FILE", default_value = "docs/chat.svg")]
    output: PathBuf,
}

/// Columns of every window.
const COLUMNS: u16 = 64;

pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    cargo::run(root, &[], "build --quiet --locked -p chat-cli")?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
    let programs = target.join("debug");
    let tmux = Tmux::start(&programs)?;

    println!("talking ...");
    let server = tmux.window(COLUMNS, 25)?;
    let netcat = tmux.window(COLUMNS, 10)?;
    let client = tmux.window(COLUMNS, 14)?;
    talk(&programs, &server, &netcat, &client)?;

    let picture = svg::picture(&[
        vec![Frame { title: "the server, and its operator", rows: 25, screen: server.screen()? }],
        vec![
            Frame { title: "a client", rows: 14, screen: client.screen()? },
            Frame { title: "netcat, in the same room", rows: 10, screen: netcat.screen()? },
        ],
    ]);
    let output = root.join(&options.output);
    write(&output, &picture)?;
    println!("{}", output.display());
    Ok(())
}

/// What the picture shows.
fn talk(
    programs: &Path,
    server: &Window<'_>,
    netcat: &Window<'_>,
    client: &Window<'_>,
) -> Result<(), Failure> {
    server.enters("chat server tcp")?;
    server.shows("● open")?;
    netcat.enters("nc 127.0.0.1 5555")?;
    server.shows("1 present")?;
    client.enters("chat client tcp --mention ann")?;
    client.shows("● connected")?;
    netcat.enters("hello, this is plain netcat")?;
    client.shows("] hello, this")?;
    client.enters("and this is ann, with the chat client 👋")?;
    netcat.shows("] and this is ann")?;
    pipe(programs, "512 tests passed")?;
    client.shows("left, 2 present")?;
    client.pastes("fn main() {\n    println!(\"a paste asks first\");\n}\n")?;
    client.shows("Say these 3 lines?")?;
    client.presses("Enter")?;
    netcat.shows("] }")?;
    netcat.enters("ann: 日本語 and שלום work too?")?;
    client.shows("] ann: ")?;
    server.enters("the room closes at six")?;
    client.shows("] the room closes")?;
    server.enters("/who")?;
    server.shows("-- 2 present")?;
    server.enters("/stats")?;
    server.shows("-- log")?;
    client.types("yes, and lines that come in never break what I ty")?;
    client.shows("what I ty")?;
    netcat.shows("] the room closes")
}

/// Says a line through a client in a pipe.
fn pipe(programs: &Path, line: &str) -> Result<(), Failure> {
    let run = || -> std::io::Result<bool> {
        let mut client = Command::new(programs.join("chat"));
        let mut client =
            client.args(["client", "tcp"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        if let Some(mut stdin) = client.stdin.take() {
            std::io::Write::write_all(&mut stdin, format!("{line}\n").as_bytes())?;
        }
        Ok(client.wait()?.success())
    };
    match run() {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(failure("a piped client failed", "echo hello | cargo run -p chat-cli -- client tcp"))
        }
        Err(error) => {
            Err(failure(&format!("a piped client did not run: {error}"), "cargo build -p chat-cli"))
        }
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).and_then(|()| fs::write(path, text)).map_err(|error| {
        failure(&format!("cannot write {}: {error}", path.display()), &format!("ls -l {}", folder.display()))
    })
}

fn failure(reason: &str, command: &str) -> Failure {
    Failure { reason: reason.to_owned(), command: command.to_owned() }
}
