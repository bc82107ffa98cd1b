//! Waits until a key can be read, and not in the background.
//!
//! The system stops a program that reads the terminal in the background, and a read of a terminal that is gone returns
//! the end of input again and again. So nothing reads before this says that there is input.

use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGCONT, SIGWINCH};
use signal_hook::low_level::pipe;

use super::guard::is_in_background;

/// How soon a process notices that it has come to the foreground. No signal tells.
const FOREGROUND_PERIOD: Duration = Duration::from_millis(200);

/// How many bytes one read takes: as many as a terminal of Linux holds.
const READ_BYTES_MAX: usize = 4096;

/// Why a wait has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// There are bytes to read.
    Bytes,
    /// The terminal may have another size.
    Resized,
    /// The process was stopped and goes on, or it has come to the foreground.
    Continued,
    /// The timeout has passed.
    TimedOut,
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

    /// Waits, for ever without a timeout.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Ready> {
        loop {
            let stdin = io::stdin();
            let mut polled = [PollFd::new(&self.wakes, PollFlags::IN), PollFd::new(&stdin, PollFlags::IN)];
            let result = if self.is_in_background {
                poll(&mut polled[..1], Some(&timespec(FOREGROUND_PERIOD)))
            } else {
                poll(&mut polled, timeout.map(timespec).as_ref())
            };
            let has_timed_out = match result {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
                Err(_) => false,
                Ok(count) => count == 0 && !self.is_in_background,
            };
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
            if has_woken {
                return Ok(Ready::Resized);
            }
            if keys.contains(PollFlags::IN) {
                return Ok(Ready::Bytes);
            }
            if has_timed_out {
                return Ok(Ready::TimedOut);
            }
        }
    }

    /// Whether there are bytes to read, or will be within `timeout`. The process must be in the foreground.
    ///
    /// # Errors
    ///
    /// If the terminal cannot be waited for.
    pub(crate) fn has_bytes_within(&self, timeout: Duration) -> io::Result<bool> {
        loop {
            let stdin = io::stdin();
            match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&timespec(timeout))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return Ok(result? > 0),
            }
        }
    }

    /// Appends what the terminal has, and returns how many bytes that is: none at the end of input, and `None` if
    /// another program was faster.
    ///
    /// # Errors
    ///
    /// If the terminal is gone.
    pub(crate) fn read(&self, bytes: &mut Vec<u8>) -> io::Result<Option<usize>> {
        let mut buffer = [0; READ_BYTES_MAX];
        match rustix::io::read(io::stdin(), &mut buffer) {
            Ok(count) => {
                bytes.extend_from_slice(&buffer[..count]);
                Ok(Some(count))
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
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

fn timespec(duration: Duration) -> Timespec {
    duration.try_into().expect("a timeout is short")
}
