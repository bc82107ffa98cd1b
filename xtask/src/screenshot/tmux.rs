//! Terminals to take pictures of.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::failure;
use crate::failure::Failure;

/// How long anything may take to appear.
const PATIENCE: Duration = Duration::from_secs(20);

const NAME: &str = "chat-screenshot";

/// A tmux server of our own. It is ended when this is dropped.
pub(super) struct Tmux {
    /// A shell assignment that makes the shell find our programs first.
    path: String,
}

impl Tmux {
    /// Starts the server. Its shells find the programs in `programs`.
    pub(super) fn start(programs: &Path) -> Result<Self, Failure> {
        let path = format!("PATH='{}':$PATH", programs.display());
        let tmux = Self { path };
        run(&["new-session", "-d", "-s", "pictures", "cat"])?;
        run(&["set-option", "-g", "status", "off"])?;
        run(&["set-option", "-g", "default-terminal", "screen-256color"])?;
        Ok(tmux)
    }

    /// Opens a window with a shell in it.
    pub(super) fn window(&self, columns: u16, rows: u16) -> Result<Window<'_>, Failure> {
        let id = run(&["new-window", "-d", "-P", "-F", "#{window_id}", "-t", "pictures:", "sh"])?;
        let window = Window { _tmux: self, id: id.trim().to_owned() };
        run(&["resize-window", "-t", &window.id, "-x", &columns.to_string(), "-y", &rows.to_string()])?;
        // The prompt is a user's prompt, even if root takes the picture. The empty quotes make sure that the typed
        // line itself does not contain the word that we wait for.
        window.enters(&format!("{} PS1='$ '; clear; echo re''ady", self.path))?;
        window.shows("ready")?;
        window.enters("clear")?;
        window.waits_for("an empty screen", |screen| screen.trim() == "$")?;
        Ok(window)
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _gone = run(&["kill-server"]);
    }
}

/// A terminal.
pub(super) struct Window<'a> {
    _tmux: &'a Tmux,
    id: String,
}

impl Window<'_> {
    pub(super) fn types(&self, text: &str) -> Result<(), Failure> {
        run(&["send-keys", "-t", &self.id, "-l", text]).map(drop)
    }

    pub(super) fn presses(&self, key: &str) -> Result<(), Failure> {
        run(&["send-keys", "-t", &self.id, key]).map(drop)
    }

    pub(super) fn enters(&self, line: &str) -> Result<(), Failure> {
        self.types(line)?;
        self.presses("Enter")
    }

    pub(super) fn pastes(&self, text: &str) -> Result<(), Failure> {
        run_with(&["load-buffer", "-"], text)?;
        run(&["paste-buffer", "-p", "-t", &self.id]).map(drop)
    }

    /// The screen, with its colours.
    pub(super) fn screen(&self) -> Result<String, Failure> {
        run(&["capture-pane", "-e", "-p", "-t", &self.id])
    }

    /// Waits until the screen shows `text`.
    pub(super) fn shows(&self, text: &str) -> Result<(), Failure> {
        self.waits_for(text, |screen| screen.contains(text))
    }

    fn waits_for(&self, what: &str, is_right: impl Fn(&str) -> bool) -> Result<(), Failure> {
        let deadline = now() + PATIENCE;
        loop {
            let screen = run(&["capture-pane", "-p", "-t", &self.id])?;
            if is_right(&screen) {
                return Ok(());
            }
            if now() > deadline {
                let screen = screen.trim_end();
                let reason = format!("'{what}' has not appeared on this screen:\n{screen}");
                return Err(failure(&reason, "cargo xtask screenshot"));
            }
        }
    }
}

fn run(arguments: &[&str]) -> Result<String, Failure> {
    run_with(arguments, "")
}

fn run_with(arguments: &[&str], input: &str) -> Result<String, Failure> {
    let output = || {
        let mut tmux = Command::new("tmux");
        tmux.args(["-u", "-L", NAME, "-f", "/dev/null"]).args(arguments);
        tmux.env("LC_ALL", "C.UTF-8").env_remove("TMUX");
        let mut tmux = tmux.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = tmux.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        tmux.wait_with_output()
    };
    let reason = match output() {
        Ok(output) if output.status.success() => {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => format!("is it installed? {error}"),
    };
    Err(failure(&format!("tmux: {reason}"), &format!("tmux -L {NAME} {}", arguments.join(" "))))
}

#[expect(clippy::disallowed_methods, reason = "a deadline for a program that hangs")]
fn now() -> Instant {
    Instant::now()
}
