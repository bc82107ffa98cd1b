//! `HOST:PORT`, as people type it.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;

/// A host and a port. The host is looked up when it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    host: String,
    pub(crate) port: u16,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let hint = "expected HOST:PORT, such as 127.0.0.1:5555, localhost:5555 or [::1]:5555";
        if s.parse::<Ipv6Addr>().is_ok() {
            return Err(format!("an IPv6 address with a port is written [{s}]:5555"));
        }
        let (host, port) = s.rsplit_once(':').ok_or_else(|| format!("there is no port; {hint}"))?;
        let port = port.parse().map_err(|_| format!("'{port}' is no port (0 to 65535); {hint}"))?;
        let bare = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(v6) if format!("[{v6}]:0").parse::<SocketAddr>().is_ok() => v6,
            Some(v6) => return Err(format!("'{v6}' is no IPv6 address; {hint}")),
            None => host,
        };
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
        if bare.is_empty() || (bare == host && !bare.chars().all(is_name)) {
            return Err(format!("'{host}' is no host; {hint}"));
        }
        Ok(Self { host: bare.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl ToSocketAddrs for Address {
    type Iter = std::vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> std::io::Result<Self::Iter> {
        (self.host.as_str(), self.port).to_socket_addrs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for text in [
            "127.0.0.1:5555",
            "localhost:1",
            "[::1]:5555",
            "chat.example.org:65535",
            "[fe80::1%2]:9",
            "0.0.0.0:0",
        ] {
            assert_eq!(text.parse::<Address>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_refused_with_a_hint() {
        for text in [
            "",
            "5555",
            "localhost",
            ":5555",
            "::1",
            "a b:1",
            "host:99999",
            "host:-1",
            "[nonsense]:1",
            "[::1]",
            "1.2.3.4:",
        ] {
            let error = text.parse::<Address>().expect_err(text);
            assert!(error.contains(":5555"), "{text}: {error}");
        }
    }
}
