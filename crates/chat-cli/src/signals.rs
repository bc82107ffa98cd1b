//! Signals: what the system, the shell and service managers ask of this process.
//!
//! A signal that was ignored when the process started stays ignored: that is how `nohup` works, and how a shell
//! keeps Ctrl-C away from what runs in the background.

use std::io;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(windows, expect(dead_code, reason = "Windows tells them apart no further"))]
pub(crate) enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: `kill`, or a service manager.
    Terminate,
    /// SIGHUP of a terminal that was closed.
    TerminalClosed,
    /// SIGHUP that somebody sent: read configuration and open log files again.
    Reload,
}

impl Signal {
    /// What a shell reports of a program that this signal has ended.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
            Self::TerminalClosed | Self::Reload => 129,
        }
    }
}

/// Signals that are kept for a handler.
#[derive(Debug)]
pub(crate) struct Watched {
    #[cfg(unix)]
    signals: signal_hook::iterator::Signals,
    #[cfg(unix)]
    had_terminal: bool,
}

impl Watched {
    /// From now on a signal that does not ask for an end does not end this process. SIGHUP is kept for the handler.
    /// SIGUSR1 and SIGUSR2 have no meaning here and do nothing. SIGXFSZ does nothing either: the write that goes
    /// beyond the largest file allowed fails, like any write to a full disk.
    ///
    /// # Errors
    ///
    /// If the system refuses to watch signals.
    #[cfg(unix)]
    pub(crate) fn new() -> io::Result<Self> {
        use signal_hook::consts::{SIGHUP, SIGUSR1, SIGUSR2, SIGXFSZ};

        let had_terminal = has_terminal();
        let hangup = Some(SIGHUP).filter(|&signal| !is_ignored(signal));
        let kept = [SIGUSR1, SIGUSR2, SIGXFSZ].into_iter().chain(hangup);
        Ok(Self { signals: signal_hook::iterator::Signals::new(kept)?, had_terminal })
    }

    /// There is no such signal here.
    ///
    /// # Errors
    ///
    /// None.
    #[cfg(windows)]
    #[expect(clippy::unnecessary_wraps, reason = "it fails elsewhere")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Calls `handle` for each signal, on a thread of its own: from now on also for those that ask for an end.
    ///
    /// # Errors
    ///
    /// If the system refuses to watch signals, or has no thread to give.
    #[cfg(unix)]
    pub(crate) fn on_each(self, mut handle: impl FnMut(Signal) + Send + 'static) -> io::Result<()> {
        use std::thread::Builder;

        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

        let Self { mut signals, had_terminal } = self;
        for signal in [SIGINT, SIGTERM].into_iter().filter(|&signal| !is_ignored(signal)) {
            signals.add_signal(signal)?;
        }
        Builder::new().name("chat-signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                match signal {
                    SIGINT => handle(Signal::Interrupt),
                    SIGTERM => handle(Signal::Terminate),
                    SIGHUP if had_terminal && !has_terminal() => handle(Signal::TerminalClosed),
                    SIGHUP => handle(Signal::Reload),
                    _ => {}
                }
            }
        })?;
        Ok(())
    }

    /// Calls `handle` for Ctrl-C and the end of the session, on a thread of its own.
    ///
    /// # Errors
    ///
    /// If the system refuses to watch them.
    #[cfg(windows)]
    pub(crate) fn on_each(self, mut handle: impl FnMut(Signal) + Send + 'static) -> io::Result<()> {
        ctrlc::set_handler(move || handle(Signal::Interrupt)).map_err(io::Error::other)
    }
}

/// Whether this process has a controlling terminal. The system takes it away before it tells of its end.
#[cfg(unix)]
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// Whether a signal is ignored, before anybody watches it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

/// Whether a signal is ignored, before anybody watches it. A child inherits that: it outlives the signal.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn is_ignored(signal: i32) -> bool {
    let mut child = std::process::Command::new("/bin/sh");
    child.args(["-c", &format!("kill -{signal} $$")]).status().is_ok_and(|status| status.success())
}

/// Stops this process as Ctrl-Z does. It may go on for a moment; SIGCONT tells when it was continued.
#[cfg(unix)]
pub(crate) fn stop() {
    let _cannot = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
}

/// There is nothing like it here.
#[cfg(not(unix))]
pub(crate) fn stop() {}
