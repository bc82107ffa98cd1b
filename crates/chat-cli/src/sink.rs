//! Something that lines are written to, and that may fail for a while: a disk that is full has space again.

use std::io::{self, ErrorKind, Write};
use std::time::Duration;

/// How soon something that would block is tried again. Another program that shares it has made it so.
const BLOCKED_PAUSE: Duration = Duration::from_millis(20);

/// Writes lines. Lines that cannot be written are missing; the first that can be written again say how many.
#[derive(Debug)]
pub(crate) struct Sink<W> {
    out: W,
    missing: u64,
    /// The last write ended within a line.
    is_torn: bool,
}

/// What became of some lines.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// They are written.
    Written,
    /// They are written, after so many that were not.
    WrittenAgain { missing: u64 },
    /// They cannot be written, and those before could.
    Failed(io::Error),
    /// They cannot be written, like those before.
    StillFailing,
    /// Nobody reads any more, and nobody ever will.
    Closed,
}

impl<W: Write> Sink<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, missing: 0, is_torn: false }
    }

    /// Counts lines that were lost on their way here.
    pub(crate) fn miss(&mut self, lines: u64) {
        self.missing += lines;
    }

    /// Goes on with `out`, at the beginning of a line.
    pub(crate) fn replace(&mut self, out: W) {
        self.out = out;
        self.is_torn = false;
    }

    /// Writes `lines`, each with its line break. `prefix` begins the line that tells of missing ones.
    pub(crate) fn write(&mut self, lines: &str, prefix: &str) -> Outcome {
        let missing = self.missing;
        let line_break = if self.is_torn { "\n" } else { "" };
        let note = match missing {
            0 => line_break.to_owned(),
            1 => format!("{line_break}{prefix}[*] 1 line is missing here\n"),
            _ => format!("{line_break}{prefix}[*] {missing} lines are missing here\n"),
        };
        let mut left = lines.as_bytes();
        let result = self.put(&mut note.as_bytes()).and_then(|()| {
            self.missing = 0;
            self.put(&mut left)
        });
        match result {
            Ok(()) if missing > 0 => Outcome::WrittenAgain { missing },
            Ok(()) => Outcome::Written,
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Outcome::Closed,
            Err(error) => {
                self.missing += left.iter().filter(|&&byte| byte == b'\n').count() as u64;
                if missing > 0 { Outcome::StillFailing } else { Outcome::Failed(error) }
            }
        }
    }

    /// Writes from the start of `bytes`, and advances it past the bytes that were written.
    fn put(&mut self, bytes: &mut &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.out.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.is_torn = bytes[count - 1] != b'\n';
                    *bytes = &bytes[count..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => pause(),
                Err(error) => return Err(error),
            }
        }
        self.out.flush()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the other way to wait for a descriptor differs with each system"
)]
fn pause() {
    std::thread::sleep(BLOCKED_PAUSE);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with so much space left.
    struct Disk {
        space: usize,
        written: String,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.space == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            let count = bytes.len().min(self.space);
            self.space -= count;
            self.written.push_str(std::str::from_utf8(&bytes[..count]).expect("ASCII"));
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn after_a_full_disk_the_lines_go_on_and_say_how_many_are_missing() {
        let mut sink = Sink::new(Disk { space: 9, written: String::new() });
        assert!(matches!(sink.write("one\n", ""), Outcome::Written));
        assert!(matches!(sink.write("two\nthree\n", ""), Outcome::Failed(_)));
        assert!(matches!(sink.write("four\nfive\n", ""), Outcome::StillFailing));
        // Not even the note fits.
        sink.out.space = 3;
        assert!(matches!(sink.write("six\n", ""), Outcome::StillFailing));
        sink.out.space = 1000;
        assert!(matches!(sink.write("seven\n", "12:00 "), Outcome::WrittenAgain { missing: 4 }));
        assert!(matches!(sink.write("eight\n", ""), Outcome::Written));
        assert_eq!(sink.out.written, "one\ntwo\nt\n[*\n12:00 [*] 4 lines are missing here\nseven\neight\n");
    }

    #[test]
    fn one_missing_line_is_one() {
        let mut sink = Sink::new(Disk { space: 0, written: String::new() });
        assert!(matches!(sink.write("lost\n", ""), Outcome::Failed(_)));
        sink.out.space = 100;
        assert!(matches!(sink.write("here\n", ""), Outcome::WrittenAgain { missing: 1 }));
        assert_eq!(sink.out.written, "[*] 1 line is missing here\nhere\n");
    }

    #[test]
    fn what_is_busy_or_interrupted_is_tried_again_and_what_is_closed_is_not() {
        struct Pipe(Vec<ErrorKind>);
        impl Write for Pipe {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.pop().map_or(Ok(bytes.len()), |kind| Err(kind.into()))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut sink = Sink::new(Pipe(vec![ErrorKind::WouldBlock, ErrorKind::Interrupted]));
        assert!(matches!(sink.write("line\n", ""), Outcome::Written));
        let mut sink = Sink::new(Pipe(vec![ErrorKind::BrokenPipe]));
        assert!(matches!(sink.write("line\n", ""), Outcome::Closed));
    }
}
