//! `cargo xtask screenshot`: the picture of the README, made from the real program.
//!
//! Starts a server, a client on a terminal and netcat in tmux, lets them talk, reads their screens with their
//! colours, and draws them as one SVG. It needs tmux and nc, and port 5555 must be free.

mod tmux;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anstyle_svg::Term;

use self::tmux::{Tmux, Window};
use crate::cargo;
use crate::failure::Failure;

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where the picture goes
    #[arg(long, value_name = "FILE", default_value = "docs/chat.svg")]
    output: PathBuf,
}

/// The columns of every window, and the rows of each.
const COLUMNS: u16 = 64;
const SERVER_ROWS: u16 = 26;
const CLIENT_ROWS: u16 = 14;
const NETCAT_ROWS: u16 = 10;

/// Sizes in pixels, as `anstyle_svg` draws.
const WINDOW_WIDTH: u32 = 560;
const ROW_HEIGHT: u32 = 18;
const PADDING: u32 = 10;
const GAP: u32 = 8;

pub(crate) fn run(root: &Path, options: &Options) -> Result<(), Failure> {
    cargo::run(root, &[], "build --quiet --locked -p chat-cli")?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
    let programs = target.join("debug");
    let tmux = Tmux::start(&programs)?;

    println!("talking ...");
    let server = tmux.window(COLUMNS, SERVER_ROWS)?;
    let netcat = tmux.window(COLUMNS, NETCAT_ROWS)?;
    let client = tmux.window(COLUMNS, CLIENT_ROWS)?;
    talk(&programs, &server, &netcat, &client)?;

    let right = WINDOW_WIDTH + GAP;
    // Each window has a title of one row.
    let below = (u32::from(CLIENT_ROWS) + 1) * ROW_HEIGHT + 2 * PADDING + GAP;
    let height = (u32::from(SERVER_ROWS) + 1) * ROW_HEIGHT + 2 * PADDING;
    let picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\">\n\
         <title>A chat room: its server, a client and netcat</title>\n{}{}{}</svg>\n",
        right + WINDOW_WIDTH,
        drawn("the server, and its operator", &server.screen()?, (0, 0)),
        drawn("a client", &client.screen()?, (right, 0)),
        drawn("netcat, in the same room", &netcat.screen()?, (right, below)),
    );
    let output = root.join(&options.output);
    fs::write(&output, &picture)
        .map_err(|error| failure(&format!("cannot write {}: {error}", output.display()), "ls -l docs"))?;
    println!("{}", output.display());
    Ok(())
}

/// Draws a screen below its title, as an SVG at this place of another SVG.
fn drawn(title: &str, screen: &str, (x, y): (u32, u32)) -> String {
    let width = usize::from(COLUMNS);
    let term = Term::new().min_width_px((WINDOW_WIDTH - 2 * PADDING) as usize);
    let svg = term.render_svg(&format!("\x1b[7m{title:^width$}\x1b[0m\n{screen}"));
    svg.replacen("<svg ", &format!("<svg x=\"{x}\" y=\"{y}\" "), 1)
}

/// The conversation that the picture shows.
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
            writeln!(stdin, "{line}")?;
        }
        Ok(client.wait()?.success())
    };
    if run().unwrap_or(false) {
        return Ok(());
    }
    Err(failure("a piped client failed", "echo hello | cargo run -p chat-cli -- client tcp"))
}

fn failure(reason: &str, command: &str) -> Failure {
    Failure { reason: reason.to_owned(), command: command.to_owned() }
}
