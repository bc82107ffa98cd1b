//! The options of the TCP transport.

use std::thread::available_parallelism;

#[cfg(feature = "web")]
use chat_stream::Web;

/// Options of a [`TcpServer`](crate::TcpServer).
///
/// ```
/// let loud = chat_tcp::TcpConfig::default().with_threads(1).with_announce(true);
/// # drop(loud);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TcpConfig {
    pub(crate) threads: usize,
    pub(crate) announce: bool,
    #[cfg(feature = "web")]
    pub(crate) web: Option<Web>,
}

impl TcpConfig {
    /// I/O threads, each with its own share of the members and its own encoded logs; 0 counts as 1.
    /// Default: the cores of the machine, at most 4.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Whether plain members are told of joins and leaves. Default no: a plain peer that expects
    /// only `[ip:port] text` must not be surprised.
    #[must_use]
    pub fn with_announce(mut self, announce: bool) -> Self {
        self.announce = announce;
        self
    }

    /// Serves browsers as `web` says. Default: it does not, and HTTP is closed without a byte.
    #[cfg(feature = "web")]
    #[must_use]
    pub fn with_web(mut self, web: impl Into<Option<Web>>) -> Self {
        self.web = web.into();
        self
    }
}

impl Default for TcpConfig {
    fn default() -> Self {
        Self {
            threads: available_parallelism().map_or(1, |cores| cores.get().min(4)),
            announce: false,
            #[cfg(feature = "web")]
            web: None,
        }
    }
}
