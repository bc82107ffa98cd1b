//! Stdin and stdout, whatever other programs have done to them.
//!
//! A pipe or a terminal is shared with the programs that had it before, and one of them may have made it
//! non-blocking: then a read or a write that would wait fails instead. Here it waits.

use std::io::{self, ErrorKind, Read, Write};

use crossbeam_channel::Receiver;

/// Stdin, without a buffer.
pub(crate) fn stdin() -> io::Result<impl Read> {
    system::stdin()
}

/// Stdout, without a buffer and past the lock of [`std::io::stdout`].
pub(crate) fn stdout() -> io::Result<impl Write> {
    system::stdout()
}

/// Writes `text` to stdout. That nobody reads any more is not an error.
pub(crate) fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// A channel that closes when nobody can read stdout any more: the pipe's other end is closed, or the terminal gone.
/// It never carries anything. Files, and systems that do not tell, never close it.
pub(crate) fn stdout_closed() -> io::Result<Receiver<()>> {
    system::stdout_closed()
}

#[cfg(unix)]
mod system {
    use std::fs::File;
    use std::io::{self, ErrorKind, Read, Write};
    use std::os::fd::{AsFd, BorrowedFd};
    use std::thread::Builder;

    use crossbeam_channel::{Receiver, bounded};
    use rustix::event::{PollFd, PollFlags, poll};

    pub(super) fn stdin() -> io::Result<impl Read> {
        Ok(Waiting(File::from(io::stdin().as_fd().try_clone_to_owned()?)))
    }

    pub(super) fn stdout() -> io::Result<impl Write> {
        Ok(Waiting(File::from(io::stdout().as_fd().try_clone_to_owned()?)))
    }

    pub(super) fn stdout_closed() -> io::Result<Receiver<()>> {
        let (open, closed) = bounded(0);
        // Not joined: it waits for as long as stdout is open.
        Builder::new().name("chat-stdout".to_owned()).spawn(move || {
            // HUP and ERR are told of without being asked for.
            while wait(io::stdout().as_fd(), PollFlags::empty()).is_ok_and(|ready| ready.is_empty()) {}
            drop(open);
        })?;
        Ok(closed)
    }

    /// Waits where the descriptor itself does not.
    struct Waiting(File);

    impl Read for Waiting {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            loop {
                match self.0.read(buffer) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        wait(self.0.as_fd(), PollFlags::IN)?;
                    }
                    result => return result,
                }
            }
        }
    }

    impl Write for Waiting {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            loop {
                match self.0.write(bytes) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        wait(self.0.as_fd(), PollFlags::OUT)?;
                    }
                    result => return result,
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Waits for the requested readiness, or an error. May return early, with nothing ready.
    fn wait(descriptor: BorrowedFd<'_>, what: PollFlags) -> io::Result<PollFlags> {
        let mut polled = [PollFd::from_borrowed_fd(descriptor, what)];
        match poll(&mut polled, None) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error.into()),
            Err(_) => Ok(PollFlags::empty()),
            Ok(_) => Ok(polled[0].revents()),
        }
    }
}

#[cfg(not(unix))]
mod system {
    use std::io::{self, Read, Write};

    use crossbeam_channel::{Receiver, never};

    pub(super) fn stdin() -> io::Result<impl Read> {
        Ok(io::stdin())
    }

    pub(super) fn stdout() -> io::Result<impl Write> {
        Ok(io::stdout())
    }

    pub(super) fn stdout_closed() -> io::Result<Receiver<()>> {
        Ok(never())
    }
}
