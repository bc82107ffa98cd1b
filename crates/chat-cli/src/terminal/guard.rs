//! The terminal's modes, and that they are put back on every way out.

use std::io::{self, Write};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::terminal;

use super::screen::ERASE_FOOTER;
use crate::stdio;

/// Whether the terminal is ours at the moment.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Asks for pasted text to be marked as such.
const TAKE: &str = "\x1b[?2004h";

/// Ends an update, wraps, shows the cursor, no marks around pasted text.
const GIVE_BACK: &str = "\x1b[?7h\x1b[?25h\x1b[?2004l\x1b[?2026l";

/// Has the terminal in raw mode until it is dropped.
#[derive(Debug)]
pub(crate) struct Guard(());

impl Guard {
    /// Takes the terminal. A panic, on whatever thread, gives it back before it is reported.
    pub(crate) fn take() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let report = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                give_back();
                report(info);
            }));
        });
        // After a stop the modes are the shell's, whatever crossterm remembers.
        terminal::disable_raw_mode()?;
        terminal::enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let guard = Self(());
        write(TAKE)?;
        Ok(guard)
    }
}

impl Guard {
    /// Leaves the terminal as it is, for it is somebody else's now.
    pub(crate) fn abandon(self) {
        TAKEN.store(false, Ordering::SeqCst);
        std::mem::forget(self);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back();
    }
}

/// Leaves the terminal as it was found, with the cursor on an empty row, if it is ours. Any thread may call it.
pub(crate) fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    // Writing may fail, or wait for a terminal that was stopped.
    let _gone = terminal::disable_raw_mode();
    let _gone = write(&format!("{ERASE_FOOTER}{GIVE_BACK}"));
}

/// Writes to the terminal, past the lock of stdout, which a thread that panics or waits may hold.
pub(super) fn write(bytes: &str) -> io::Result<()> {
    let mut terminal = stdio::stdout()?;
    terminal.write_all(bytes.as_bytes())?;
    terminal.flush()
}

/// Whether another program has the terminal. The system stops a background program that reads it or changes its modes.
#[cfg(unix)]
pub(crate) fn is_in_background() -> bool {
    rustix::termios::tcgetpgrp(io::stdin()).is_ok_and(|group| group != rustix::process::getpgrp())
}

/// There is nothing like it here.
#[cfg(not(unix))]
pub(crate) fn is_in_background() -> bool {
    false
}

/// Whether the terminal obeys escape sequences. Old consoles of Windows do not, newer ones are told to by this.
#[cfg(windows)]
pub(crate) fn knows_ansi() -> bool {
    crossterm::ansi_support::supports_ansi()
}

/// Whether the terminal obeys escape sequences.
#[cfg(not(windows))]
pub(crate) fn knows_ansi() -> bool {
    true
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;
    use std::{env, fs};

    use super::*;

    /// Run by the test below, on a terminal.
    #[test]
    #[ignore = "panics, and needs a terminal"]
    fn panics_with_the_terminal_taken() {
        let _guard = Guard::take().expect("a terminal");
        write("\x1b[?25l\x1b[?7lhalf a row").expect("a terminal");
        let _panicked = std::thread::spawn(|| panic!("on some other thread")).join();
        std::process::exit(0); // nothing but the panic gives the terminal back
    }

    #[test]
    fn a_panic_on_any_thread_gives_the_terminal_back() {
        if Command::new("tmux").arg("-V").output().is_err() {
            println!("skipped: there is no tmux here");
            return;
        }
        let name = format!("chat-panic-{}", std::process::id());
        let directory = env::temp_dir().join(&name);
        fs::create_dir_all(&directory).expect("a directory for the test");
        let tmux = |arguments: &[&str]| {
            let output = Command::new("tmux").args(["-L", &name, "-f", "/dev/null"]).args(arguments).output();
            String::from_utf8_lossy(&output.expect("tmux runs").stdout).into_owned()
        };
        let test = env::current_exe().expect("this test");
        let script = format!(
            "cd {}; stty -g > before; {} --ignored --exact --nocapture {}::panics_with_the_terminal_taken; \
             stty -g > after; tmux -L {name} wait-for -S done; exec cat",
            directory.display(),
            test.display(),
            module_path!().split_once("::").expect("in a crate").1,
        );
        tmux(&["new-session", "-d", "-s", "test", "-x", "80", "-y", "24", &script]);
        tmux(&["wait-for", "done"]);
        let state = tmux(&["display-message", "-p", "-t", "test", "#{cursor_flag} #{wrap_flag}"]);
        let screen = tmux(&["capture-pane", "-p", "-t", "test"]);
        tmux(&["kill-server"]);
        let read = |name| fs::read_to_string(directory.join(name)).expect("stty wrote it");
        let (before, after) = (read("before"), read("after"));
        fs::remove_dir_all(&directory).expect("nothing else is in there");
        assert!(screen.contains("on some other thread"), "the panic is reported: {screen}");
        assert_eq!(before, after);
        assert_eq!(state.trim(), "1 1", "the cursor is shown, and rows wrap: {screen}");
        assert!(!screen.contains("half a row"), "{screen}");
    }
}
