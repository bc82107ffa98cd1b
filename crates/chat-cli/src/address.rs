//! `HOST:PORT`, as people type it.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
#[cfg(unix)]
use std::path::Path;
use std::path::PathBuf;
use std::str::FromStr;
use std::vec::IntoIter;

/// The port of a host that is named without one.
const DEFAULT_PORT: u16 = 5555;

const HINT: &str = "expected HOST:PORT, such as 127.0.0.1:5555, localhost:5555 or [::1]:5555";

/// A host and a port. The host is looked up when it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    host: String,
    pub(crate) port: u16,
}

impl Address {
    /// The host, without brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

/// One address, or several of servers that share their rooms: `a:5555,b:5555`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addresses(Vec<Address>);

impl Addresses {
    /// The first of them.
    pub(crate) fn first(&self) -> &Address {
        &self.0[0]
    }
}

impl FromStr for Addresses {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        s.split(',').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<String> = self.0.iter().map(Address::to_string).collect();
        f.write_str(&addresses.join(","))
    }
}

impl ToSocketAddrs for Addresses {
    type Iter = IntoIter<SocketAddr>;

    /// Those of all hosts that can be found.
    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let (mut found, mut failed) = (Vec::new(), None);
        for address in &self.0 {
            match address.to_socket_addrs() {
                Ok(addresses) => found.extend(addresses),
                Err(error) => failed = Some(error),
            }
        }
        match failed.filter(|_| found.is_empty()) {
            Some(error) => Err(error),
            None => Ok(found.into_iter()),
        }
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        if matches!(s, "tcp" | "udp") {
            return Err(format!("'{s}' is a transport, and one stands before it already; {HINT}"));
        }
        if let Some((scheme, rest)) = s.split_once("://") {
            let rest = rest.trim_end_matches('/');
            return Err(format!("an address is written without '{scheme}://': {rest}"));
        }
        if is_ipv6(s) {
            return bare_ipv6(s);
        }
        let (host, port) = match s.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((v6, _)) if !is_ipv6(v6) => return Err(format!("'{v6}' is no IPv6 address; {HINT}")),
            Some((v6, "")) => (v6, None),
            Some((v6, rest)) => (v6, Some(rest.strip_prefix(':').ok_or(HINT)?)),
            None => match s.rsplit_once(':').map_or((s, None), |(host, port)| (host, Some(port))) {
                (host, _) if !is_name(host) => return Err(format!("'{host}' is no host; {HINT}")),
                host_and_port => host_and_port,
            },
        };
        let port = match port {
            Some(port) => port.parse().map_err(|_| format!("'{port}' is no port (0 to 65535); {HINT}"))?,
            None => DEFAULT_PORT,
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

/// An IPv6 address without brackets, which has no port; unless it looks as if it had.
fn bare_ipv6(s: &str) -> Result<Address, String> {
    if let Some((host, port)) = s.rsplit_once(':')
        && port.len() >= 4
        && port.parse::<u16>().is_ok()
        && is_ipv6(host)
    {
        return Err(format!(
            "is '{port}' the port? Then write [{host}]:{port}. If it is part of the address: [{s}]:{DEFAULT_PORT}"
        ));
    }
    Ok(Address { host: s.to_owned(), port: DEFAULT_PORT })
}

/// Whether it is an IPv6 address, perhaps with the interface that a link-local one needs: `fe80::1%eth0`.
fn is_ipv6(s: &str) -> bool {
    let (address, scope) = s.split_once('%').unwrap_or((s, "0"));
    let is_of_scope = |c: char| c.is_ascii_graphic() && !matches!(c, '%' | '[' | ']' | '/' | ':');
    address.parse::<Ipv6Addr>().is_ok() && !scope.is_empty() && scope.chars().all(is_of_scope)
}

/// Whether it may be the name or the IPv4 address of a host. A number alone is a port without a host.
fn is_name(s: &str) -> bool {
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    !s.is_empty() && s.chars().all(is_of_name) && s.parse::<u64>().is_err()
}

/// A place on the network, or a file of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target<A = Address> {
    Address(A),
    /// What is written with a `/`.
    File(PathBuf),
}

impl<A> Target<A> {
    pub(crate) fn address(&self) -> Option<&A> {
        if let Self::Address(address) = self { Some(address) } else { None }
    }

    #[cfg(unix)]
    pub(crate) fn file(&self) -> Option<&Path> {
        if let Self::File(path) = self { Some(path) } else { None }
    }
}

impl<A: FromStr<Err = String>> FromStr for Target<A> {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match cfg!(unix) && s.contains('/') && !s.contains("://") {
            true => Ok(Self::File(s.into())),
            false => s.parse().map(Self::Address),
        }
    }
}

impl<A: fmt::Display> fmt::Display for Target<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl ToSocketAddrs for Address {
    type Iter = IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        or_loopback(&self.host, self.port, (self.host.as_str(), self.port).to_socket_addrs())
    }
}

/// The name localhost means loopback, even where no hosts file has it (RFC 6761, section 6.3).
fn or_loopback(
    host: &str,
    port: u16,
    found: io::Result<IntoIter<SocketAddr>>,
) -> io::Result<IntoIter<SocketAddr>> {
    match found {
        Err(_) if host.eq_ignore_ascii_case("localhost") => {
            let loopbacks = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            Ok(loopbacks.map(|ip| SocketAddr::new(ip, port)).to_vec().into_iter())
        }
        found => found,
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
            "[fe80::1%eth0]:5555",
            "[fe80::1%br-1.2@x]:5555",
            "0.0.0.0:0",
            "bücher.example:5555",
        ] {
            assert_eq!(text.parse::<Address>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn several_addresses_are_tried_and_those_that_cannot_be_found_left_out() {
        let several: Addresses = "127.0.0.1:1,[::1],host.invalid:2".parse().expect("addresses");
        assert_eq!(several.to_string(), "127.0.0.1:1,[::1]:5555,host.invalid:2");
        let found: Vec<String> =
            several.to_socket_addrs().expect("two").map(|address| address.to_string()).collect();
        assert_eq!(found, ["127.0.0.1:1", "[::1]:5555"]);
        assert!("127.0.0.1:1,".parse::<Addresses>().is_err());
        assert!("host.invalid:2".parse::<Addresses>().expect("an address").to_socket_addrs().is_err());
    }

    #[test]
    fn without_a_port_it_is_the_usual_one() {
        for (text, whole) in [
            ("localhost", "localhost:5555"),
            ("127.0.0.1", "127.0.0.1:5555"),
            ("::1", "[::1]:5555"),
            ("[::1]", "[::1]:5555"),
            ("::", "[::]:5555"),
            ("2001:db8::1", "[2001:db8::1]:5555"),
            ("fe80::1%eth0", "[fe80::1%eth0]:5555"),
            ("[fe80::1%eth0]", "[fe80::1%eth0]:5555"),
        ] {
            assert_eq!(text.parse::<Address>().expect(text).to_string(), whole);
        }
    }

    #[test]
    fn anything_else_is_refused_with_a_hint() {
        for text in [
            "",
            "5555",
            ":5555",
            "::1:5555",
            "fe80::1:5555",
            "a b:1",
            "host:99999",
            "host:-1",
            "host:",
            "[nonsense]:1",
            "[::1]5555",
            "[::1%]:5555",
            "[fe80::1%a b]:5555",
            "1.2.3.4:",
            "tcp",
            "udp",
            "tcp://localhost:5555/",
        ] {
            let error = text.parse::<Address>().expect_err(text);
            assert!(error.contains(":5555"), "{text}: {error}");
        }
        let error = "::1:5555".parse::<Address>().expect_err("ambiguous");
        assert!(error.contains("[::1]:5555") && error.contains("[::1:5555]:5555"), "{error}");
    }

    #[test]
    fn localhost_needs_no_hosts_file() {
        let unknown = || Err(io::ErrorKind::NotFound.into());
        let found = or_loopback("LocalHost", 7, unknown()).expect("loopback");
        assert_eq!(found.map(|address| address.to_string()).collect::<Vec<_>>(), ["127.0.0.1:7", "[::1]:7"]);
        let hosts = vec![SocketAddr::from(([127, 0, 0, 1], 7))];
        assert_eq!(
            or_loopback("localhost", 7, Ok(hosts.clone().into_iter())).expect("found").as_slice(),
            hosts
        );
        assert!(or_loopback("example.org", 7, unknown()).is_err());
    }
}
