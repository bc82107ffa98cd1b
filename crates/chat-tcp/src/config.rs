//! The options of the TCP transport.

use std::thread::available_parallelism;

#[cfg(feature = "web")]
use chat_stream::Web;

/// Options of a [`TcpServer`](crate::TcpServer).
///
/// ```
/// let quiet = chat_tcp::TcpConfig::default().with_threads(1);
/// assert!(!quiet.announce);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TcpConfig {
    /// I/O threads, each with its own share of the members and its own encoded logs; 0 counts as 1.
    /// Default: the cores of the machine, at most 4.
    pub threads: usize,
    /// Whether plain members are told of joins and leaves. Default no: a plain peer that expects
    /// only `[ip:port] text` must not be surprised.
    pub announce: bool,
    /// What browsers are served. Default: nothing, and HTTP is closed without a byte.
    #[cfg(feature = "web")]
    pub web: Option<Web>,
}

impl TcpConfig {
    /// Sets [`threads`](Self::threads).
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Sets [`announce`](Self::announce).
    #[must_use]
    pub fn with_announce(mut self, announce: bool) -> Self {
        self.announce = announce;
        self
    }

    /// Sets [`web`](Self::web).
    #[cfg(feature = "web")]
    #[must_use]
    pub fn with_web(mut self, web: Web) -> Self {
        self.web = Some(web);
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
