//! Waits until a key can be read, and not in the background.
//!
//! The system stops a program that reads the terminal in the background, and a read of a terminal that is gone returns
//! the end of input again and again. So nothing reads before this says that there is input.

use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGCONT, SIGWINCH};
use signal_hook::low_level::pipe;

use super::guard::is_in_background;

/// How soon a process notices that it has come to the foreground. No signal tells.
const FOREGROUND_PERIOD: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Why a wait has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// There is a key, or the terminal has another size.
    Event,
    /// The process was stopped and goes on, or it has come to the foreground.
    Continued,
}

/// The terminal's keyboard.
#[derive(Debug)]
pub(crate) struct Keyboard {
    /// Has a byte after SIGWINCH and SIGCONT.
    wakes: UnixStream,
    continued: Arc<AtomicBool>,
    is_in_background: bool,
}

impl Keyboard {
    pub(crate) fn new() -> io::Result<Self> {
        let (wakes, wake) = UnixStream::pair()?;
        wakes.set_nonblocking(true)?;
        let continued = Arc::new(AtomicBool::new(false));
        // The flag first: it is set when the byte comes.
        signal_hook::flag::register(SIGCONT, Arc::clone(&continued))?;
        pipe::register(SIGCONT, wake.try_clone()?)?;
        pipe::register(SIGWINCH, wake)?;
        Ok(Self { wakes, continued, is_in_background: is_in_background() })
    }

    /// Waits.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    pub(crate) fn wait(&mut self) -> io::Result<Ready> {
        loop {
            let stdin = io::stdin();
            let mut polled = [PollFd::new(&self.wakes, PollFlags::IN), PollFd::new(&stdin, PollFlags::IN)];
            let result = if self.is_in_background {
                poll(&mut polled[..1], Some(&FOREGROUND_PERIOD))
            } else {
                poll(&mut polled, None)
            };
            match result {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
                _ => {}
            }
            let keys = polled[1].revents();
            let has_woken = self.has_woken();
            if self.continued.swap(false, Ordering::SeqCst) {
                self.is_in_background = is_in_background();
                return Ok(Ready::Continued);
            }
            if self.is_in_background != is_in_background() {
                self.is_in_background = !self.is_in_background;
                return Ok(Ready::Continued);
            }
            if keys.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
                return Err(super::gone());
            }
            if has_woken || keys.contains(PollFlags::IN) {
                return Ok(Ready::Event);
            }
        }
    }

    fn has_woken(&mut self) -> bool {
        let mut bytes = [0; 64];
        let mut has_woken = false;
        while self.wakes.read(&mut bytes).is_ok_and(|count| count > 0) {
            has_woken = true;
        }
        has_woken
    }
}
