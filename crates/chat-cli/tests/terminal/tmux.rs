//! A tmux server of the test's own: a real terminal with a screen that can be read.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::support::Watched;

/// How long anything may take to show on a screen. It is generous, because no test passes by waiting for it.
const PATIENCE: Duration = Duration::from_secs(30);

const CONFIGURATION: &str = "\
set -g history-limit 20000
set -g default-size 80x24
set -g default-terminal screen-256color
set -g status off
set -g escape-time 0
";

/// A tmux server that is ended when this is dropped.
pub(crate) struct Tmux {
    name: String,
    directory: PathBuf,
    /// A control client. It reports when a screen changes.
    control: Option<Child>,
    changes: Receiver<()>,
    /// Ends the server with the test: tmux and the programs in it are not children of this process.
    _watched: Watched,
}

impl Tmux {
    /// Starts a server. Returns `None`, with a message, if tmux is not installed.
    pub(crate) fn start() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if Command::new("tmux").arg("-V").output().is_err() {
            println!("skipped: there is no tmux here");
            return None;
        }
        let name = format!("chat-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(&name);
        fs::create_dir_all(&directory).expect("a directory for the test");
        fs::write(directory.join("tmux.conf"), CONFIGURATION).expect("its configuration");
        let (change, changes) = bounded(1);
        let clean_up =
            format!("tmux -L {name} kill-server; rm -r {}", directory.to_str().expect("it has a plain name"));
        let mut tmux = Self { _watched: Watched::by(&clean_up), name, directory, control: None, changes };
        tmux.run(&["new-session", "-d", "-s", "test", "-x", "80", "-y", "24", "cat"]);
        let mut control = tmux.command(&["-C", "attach", "-t", "test"]);
        let mut control =
            control.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a control client");
        let output = BufReader::new(control.stdout.take().expect("it is piped"));
        tmux.control = Some(control);
        thread::spawn(move || {
            for line in output.split(b'\n') {
                let Ok(line) = line else { return };
                // If the channel is full, the reader will notice the change anyway.
                if line.starts_with(b"%") && change.try_send(()).is_err_and(|error| error.is_disconnected()) {
                    return;
                }
            }
        });
        Some(tmux)
    }

    /// Opens a window of 80 x 24 that runs `script` in a shell and stays open afterwards.
    pub(crate) fn window(&self, script: &str) -> Window<'_> {
        let script = format!("{script}; exec cat");
        let id = self.run(&["new-window", "-d", "-P", "-F", "#{window_id}", "-t", "test:", &script]);
        Window { tmux: self, id: id.trim().to_owned() }
    }

    /// A file of the test's own.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-u", "-L", &self.name, "-f"]).arg(self.directory.join("tmux.conf")).args(arguments);
        command
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env_remove("TMUX")
            .env_remove("NO_COLOR")
            .env("SHELL", "/bin/sh");
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("tmux runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {arguments:?}: {error}");
        String::from_utf8(output.stdout).expect("tmux -u writes UTF-8")
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _gone = self.command(&["kill-server"]).output();
        if let Some(mut control) = self.control.take() {
            let _gone = control.kill();
            let _gone = control.wait();
        }
        let _gone = fs::remove_dir_all(&self.directory);
    }
}

/// A window with a terminal in it.
pub(crate) struct Window<'a> {
    tmux: &'a Tmux,
    id: String,
}

impl Window<'_> {
    /// Types `text`.
    pub(crate) fn types(&self, text: &str) {
        self.tmux.run(&["send-keys", "-t", &self.id, "-l", text]);
    }

    /// Presses keys that have names: `Enter`, `C-c`, `Up`.
    pub(crate) fn presses(&self, keys: &[&str]) {
        self.tmux.run(&[&["send-keys", "-t", &self.id], keys].concat());
    }

    /// Sends these bytes at once. No key of tmux does that.
    pub(crate) fn sends(&self, bytes: &[u8]) {
        let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let bytes: Vec<&str> = bytes.iter().map(String::as_str).collect();
        self.tmux.run(&[&["send-keys", "-t", &self.id, "-H"], &bytes[..]].concat());
    }

    /// Types a line and enters it.
    pub(crate) fn enters(&self, line: &str) {
        self.types(line);
        self.presses(&["Enter"]);
    }

    /// Pastes like a terminal that marks pasted text.
    pub(crate) fn pastes(&self, text: &str) {
        self.pastes_with(&["-p"], text);
    }

    /// Pastes like a terminal that does not mark pasted text.
    pub(crate) fn pastes_unmarked(&self, text: &str) {
        self.pastes_with(&[], text);
    }

    fn pastes_with(&self, flags: &[&str], text: &str) {
        let mut load =
            self.tmux.command(&["load-buffer", "-"]).stdin(Stdio::piped()).spawn().expect("tmux runs");
        load.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("tmux reads");
        assert!(load.wait().expect("tmux ends").success());
        self.tmux.run(&[&["paste-buffer", "-t", &self.id], flags].concat());
    }

    /// Closes the window and its terminal.
    pub(crate) fn closes(self) {
        self.tmux.run(&["kill-window", "-t", &self.id]);
    }

    pub(crate) fn resizes(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.tmux.run(&["resize-window", "-t", &self.id, "-x", &columns, "-y", &rows]);
    }

    /// The rows of the screen, without the empty ones at its end.
    pub(crate) fn rows(&self) -> Vec<String> {
        let screen = self.tmux.run(&["capture-pane", "-p", "-t", &self.id]);
        rows(&screen)
    }

    /// The rows of the screen with their colours.
    pub(crate) fn styled(&self) -> String {
        self.tmux.run(&["capture-pane", "-e", "-p", "-t", &self.id])
    }

    /// The scrollback and the screen, with wrapped lines joined as for copying.
    pub(crate) fn lines(&self) -> Vec<String> {
        rows(&self.tmux.run(&["capture-pane", "-p", "-J", "-S", "-", "-t", &self.id]))
    }

    /// The cursor's column and row, and whether it is shown.
    pub(crate) fn cursor(&self) -> (usize, usize, bool) {
        let format = "#{cursor_x} #{cursor_y} #{cursor_flag}";
        let cursor = self.tmux.run(&["display-message", "-p", "-t", &self.id, format]);
        let numbers: Vec<usize> =
            cursor.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        (numbers[0], numbers[1], numbers[2] == 1)
    }

    /// Waits until `is_right` accepts the screen. Returns the screen.
    #[track_caller]
    pub(crate) fn waits_for(&self, what: &str, is_right: impl Fn(&[String]) -> bool) -> Vec<String> {
        let deadline = now() + PATIENCE;
        loop {
            let rows = self.rows();
            if is_right(&rows) {
                return rows;
            }
            let left = deadline.saturating_duration_since(now());
            match self.tmux.changes.recv_timeout(left) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => panic!("{what}: never. The screen:\n{}", rows.join("\n")),
                Err(RecvTimeoutError::Disconnected) => panic!("{what}: tmux has ended"),
            }
        }
    }

    /// Waits until a row has `text` in it.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) -> Vec<String> {
        self.waits_for(text, |rows| rows.iter().any(|row| row.contains(text)))
    }

    /// Waits until the last rows are `expected`.
    #[track_caller]
    pub(crate) fn ends_with(&self, expected: &[&str]) -> Vec<String> {
        let what = format!("{expected:#?} at the end");
        self.waits_for(&what, |rows| {
            rows.len() >= expected.len() && rows[rows.len() - expected.len()..].iter().eq(expected)
        })
    }
}

fn rows(screen: &str) -> Vec<String> {
    let mut rows: Vec<String> = screen.lines().map(|row| row.trim_end().to_owned()).collect();
    while rows.last().is_some_and(String::is_empty) {
        rows.pop();
    }
    rows
}

#[expect(clippy::disallowed_methods, reason = "a deadline for a program that hangs")]
fn now() -> Instant {
    Instant::now()
}
