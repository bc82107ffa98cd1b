//! Processes that a test has started end with the test, however it ends. A program that is killed drops nothing.

use std::process::{Child, Command, Stdio};

/// A shell that waits for this program to end and then cleans up. If this is dropped, the shell does nothing.
pub(crate) struct Watched(Option<Child>);

impl Watched {
    /// `clean_up` is a line for the shell.
    pub(crate) fn by(clean_up: &str) -> Self {
        if cfg!(not(unix)) {
            return Self(None);
        }
        // The shell's stdin ends with this program. A signal to the whole group of processes must not end the shell
        // before that.
        let script = "trap '' HUP INT TERM; read -r line || eval \"$1\"";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh", clean_up]);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(Some(shell.spawn().expect("there is a shell")))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Some(mut shell) = self.0.take() else { return };
        // Kill the shell before its stdin ends.
        let _ended_already = shell.kill();
        let _reaped = shell.wait();
    }
}
