//! Opens the room to transports at addresses.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs, UdpSocket};
use std::thread::available_parallelism;

use chat_core::{Rooms, Running};
use chat_tcp::{Bare, Layer, Proxied, TcpConfig, TcpServer};
use chat_tls::Tls;
use chat_udp::UdpServer;

use crate::address::Address;
use crate::args::{ServerArgs, TransportKind};
use crate::failure::Failure;
use crate::transport::{NO_INTERFACE, which_network};

/// How often a port that the system has picked may turn out to be taken for another transport or address.
const TRIES_MAX: usize = 16;

/// I/O threads for TCP at most, unless more are asked for.
const THREADS_MAX: usize = 4;

/// Where the room is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    transport: TransportKind,
    pub(crate) address: SocketAddr,
    /// There are several transports, so that it is to be told.
    is_one_of_several: bool,
}

impl Place {
    fn is(&self, transport: TransportKind, address: SocketAddr) -> bool {
        (self.transport, self.address) == (transport, address)
    }

    /// Where a browser finds the room, if it is open over TCP.
    pub(crate) fn url(&self, is_tls: bool) -> Option<String> {
        let scheme = if is_tls { "https" } else { "http" };
        (self.transport == TransportKind::Tcp).then(|| format!("{scheme}://{}", self.address))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        if self.is_one_of_several { write!(f, " ({})", self.transport) } else { Ok(()) }
    }
}

/// A socket that is listened on, and where.
pub(crate) struct Bound {
    pub(crate) place: Place,
    pub(crate) socket: Socket,
}

/// A socket that was bound here or by another process.
pub(crate) enum Socket {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

/// Binds each transport at each address. Over every transport an address has the same port number.
pub(crate) fn bind_all(args: &ServerArgs) -> Result<Vec<Bound>, Failure> {
    #[cfg(unix)]
    if args.transports.iter().all(|&transport| transport == TransportKind::Unix) {
        return super::files::no_addresses(args).map(|()| Vec::new());
    }
    let addresses = args.addresses();
    let targets = targets(&addresses)?;
    let mut tries = 0;
    loop {
        tries += 1;
        match bind(args, &targets) {
            Ok(sockets) => return Ok(sockets),
            // By somebody else since the system has picked the port, so it may pick another.
            Err(error) if error.is_picked() && error.is_taken() && tries < TRIES_MAX => {}
            Err(error) => {
                let hint = error.hint();
                return Err(Failure::new(error, hint));
            }
        }
    }
}

/// The places of sockets that another process has opened.
///
/// # Errors
///
/// If one of them has no address.
pub(crate) fn handed(sockets: Vec<Socket>) -> io::Result<Vec<Bound>> {
    let kinds: BTreeSet<TransportKind> = sockets.iter().map(Socket::transport).collect();
    let bound = sockets.into_iter().map(|socket| {
        let (transport, address) = (socket.transport(), socket.address()?);
        Ok(Bound { place: Place { transport, address, is_one_of_several: kinds.len() > 1 }, socket })
    });
    bound.collect()
}

/// Opens the room over the sockets, and runs the transports.
pub(crate) fn serve(
    sockets: Vec<Bound>,
    args: &ServerArgs,
    tls: Option<&Tls>,
    rooms: &Rooms,
    running: &mut Running,
) -> Result<(), Failure> {
    let cores = || available_parallelism().map_or(1, |cores| cores.get().min(THREADS_MAX));
    let threads = args.threads.map_or_else(cores, usize::from);
    let listeners = sockets.iter().filter(|bound| bound.place.transport == TransportKind::Tcp).count();
    let config = TcpConfig::default()
        .with_announce(args.announce)
        .with_threads((threads / listeners.max(1)).max(1))
        .with_web(args.web());
    for Bound { socket, .. } in sockets {
        match (socket, tls) {
            (Socket::Tcp(listener), Some(tls)) => open(listener, tls, args, rooms, &config, running)?,
            (Socket::Tcp(listener), None) => open(listener, &Bare, args, rooms, &config, running)?,
            (Socket::Udp(socket), _) => UdpServer::over(socket, rooms, &args.udp())?.spawn_into(running)?,
        }
    }
    Ok(())
}

/// Opens the room over a TCP socket, behind proxies if there are any.
fn open<L: Layer + Sync>(
    listener: TcpListener,
    layer: &L,
    args: &ServerArgs,
    rooms: &Rooms,
    config: &TcpConfig,
    running: &mut Running,
) -> Result<(), Failure> {
    if args.proxy_from.is_empty() {
        TcpServer::over(listener, rooms, config, layer)?.spawn_into(running)?;
    } else {
        let proxied = Proxied::new(args.proxy_from.iter().copied(), layer.clone());
        TcpServer::over(listener, rooms, config, &proxied)?.spawn_into(running)?;
    }
    Ok(())
}

impl Socket {
    fn bind(transport: TransportKind, address: SocketAddr) -> io::Result<Self> {
        match transport {
            TransportKind::Tcp => chat_tcp::listen(address).map(Self::Tcp),
            TransportKind::Udp => chat_udp::bind(address).map(Self::Udp),
            #[cfg(unix)]
            TransportKind::Unix => Err(ErrorKind::Unsupported.into()), // a file: `bind_files`
        }
    }

    fn transport(&self) -> TransportKind {
        match self {
            Self::Tcp(_) => TransportKind::Tcp,
            Self::Udp(_) => TransportKind::Udp,
        }
    }

    fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr(),
            Self::Udp(socket) => socket.local_addr(),
        }
    }
}

/// An address of `--bind`, and what it stands for.
struct Target<'a> {
    asked: &'a Address,
    addresses: Vec<SocketAddr>,
}

fn targets(bind: &[Address]) -> Result<Vec<Target<'_>>, Failure> {
    bind.iter()
        .map(|asked| match asked.to_socket_addrs() {
            Ok(addresses) => Ok(Target { asked, addresses: both_loopbacks(asked, addresses.collect()) }),
            Err(error) => {
                let hint = match asked.host().contains('%') {
                    true => NO_INTERFACE,
                    false => "use a name or an address of this machine",
                };
                Err(Failure::new(
                    CannotResolve { asked: asked.clone(), source: error },
                    Some(hint.to_owned()),
                ))
            }
        })
        .collect()
}

#[derive(Debug, thiserror::Error)]
#[error("cannot resolve {asked}")]
struct CannotResolve {
    asked: Address,
    source: io::Error,
}

/// Adds the other family's loopback to a name's. The name localhost means both (RFC 6761, section 6.3), and
/// it is an accident which of them a hosts file has, or has first.
fn both_loopbacks(asked: &Address, mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let loopbacks = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let is_name = asked.to_string().parse::<SocketAddr>().is_err();
    if is_name && addresses.iter().any(|address| loopbacks.contains(&address.ip())) {
        addresses.extend(loopbacks.map(|ip| SocketAddr::new(ip, asked.port)));
    }
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

fn bind(args: &ServerArgs, targets: &[Target<'_>]) -> Result<Vec<Bound>, CannotListen> {
    let mut transports = args.transports.clone();
    #[cfg(unix)]
    transports.retain(|&transport| transport != TransportKind::Unix);
    transports.sort_unstable();
    transports.dedup();
    let mut sockets: Vec<Bound> = Vec::new();
    for Target { asked, addresses } in targets {
        let mut port = asked.port;
        let mut absent = None;
        let before = sockets.len();
        'addresses: for &(mut address) in addresses {
            for &transport in &transports {
                address.set_port(port);
                // Two names may stand for one address.
                if sockets.iter().any(|bound| bound.place.is(transport, address)) {
                    continue;
                }
                let bound = Socket::bind(transport, address)
                    .and_then(|socket| Ok((socket.address()?, socket)))
                    .map_err(|source| CannotListen { transport, asked: (*asked).clone(), address, source });
                match bound {
                    Ok((bound, socket)) => {
                        port = bound.port();
                        let is_one_of_several = transports.len() > 1;
                        let place = Place { transport, address: bound, is_one_of_several };
                        sockets.push(Bound { place, socket });
                    }
                    // A name may have addresses of a family that this machine does not speak.
                    Err(error) if error.is_not_ours() && addresses.len() > 1 => {
                        absent = Some(error);
                        continue 'addresses;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        if let Some(error) = absent.filter(|_| sockets.len() == before) {
            return Err(error);
        }
    }
    Ok(sockets)
}

/// Why the room cannot be opened at an address.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the room over {}: cannot listen on {address}", name(*transport))]
struct CannotListen {
    transport: TransportKind,
    asked: Address,
    address: SocketAddr,
    source: io::Error,
}

fn name(transport: TransportKind) -> &'static str {
    match transport {
        TransportKind::Tcp => "TCP",
        TransportKind::Udp => "UDP",
        #[cfg(unix)]
        TransportKind::Unix => "a Unix socket",
    }
}

impl CannotListen {
    /// Whether the system picks the port.
    fn is_picked(&self) -> bool {
        self.asked.port == 0
    }

    fn is_taken(&self) -> bool {
        self.source.kind() == ErrorKind::AddrInUse
    }

    fn is_not_ours(&self) -> bool {
        self.source.kind() == ErrorKind::AddrNotAvailable || is_no_family(&self.source)
    }

    /// What to do about it.
    fn hint(&self) -> Option<String> {
        let refusal = &self.source;
        let port = self.address.port();
        if is_no_family(refusal) {
            return Some(format!(
                "this machine has no IPv6. --bind 0.0.0.0:{port} listens on all its IPv4 addresses"
            ));
        }
        if let SocketAddr::V6(address) = self.address
            && address.ip().is_unicast_link_local()
            && address.scope_id() == 0
        {
            return Some(which_network(address.ip(), self.asked.port));
        }
        match refusal.kind() {
            ErrorKind::AddrInUse => {
                let mut next = self.asked.clone();
                next.port = port.checked_add(1).unwrap_or(5555);
                Some(format!(
                    "another program has {} port {port}. Stop it, or choose another port, such as --bind {next} (0 takes any free one)",
                    name(self.transport)
                ))
            }
            ErrorKind::AddrNotAvailable => Some(
                "this machine does not have that address. 0.0.0.0 and [::] stand for all it has".to_owned(),
            ),
            ErrorKind::PermissionDenied => {
                let mut other = self.asked.clone();
                other.port = 5555;
                Some(format!(
                    "ports below 1024 need a permission. Choose a higher one, such as --bind {other}"
                ))
            }
            _ => None,
        }
    }
}

/// Whether the system knows no addresses of this kind: a kernel without IPv6.
fn is_no_family(error: &io::Error) -> bool {
    #[cfg(unix)]
    let code = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    #[cfg(windows)]
    let code = 10047; // WSAEAFNOSUPPORT
    error.raw_os_error() == Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(asked: &str, source: io::Error) -> CannotListen {
        let asked: Address = asked.parse().expect("an address");
        let loopback = SocketAddr::from(([127, 0, 0, 1], asked.port));
        let address = asked.to_string().parse().unwrap_or(loopback);
        CannotListen { transport: TransportKind::Tcp, asked, address, source }
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let hint = |asked, error: io::Error| refused(asked, error).hint().expect("there is one");
        let taken = hint("localhost:5555", ErrorKind::AddrInUse.into());
        assert!(taken.contains("TCP port 5555") && taken.contains("--bind localhost:5556"), "{taken}");
        assert!(hint("127.0.0.1:65535", ErrorKind::AddrInUse.into()).contains("--bind 127.0.0.1:5555"));
        assert!(hint("10.0.0.1:5555", ErrorKind::AddrNotAvailable.into()).contains("0.0.0.0"));
        assert!(hint("[::]:80", ErrorKind::PermissionDenied.into()).contains("--bind [::]:5555"));
        let without_interface = hint("[fe80::1]:5555", ErrorKind::InvalidInput.into());
        assert_eq!(without_interface, "say on which network, as in [fe80::1%eth0]:5555");
    }

    #[cfg(unix)]
    #[test]
    fn a_kernel_without_ipv6_is_told_from_a_wrong_address() {
        let error = || io::Error::from(rustix::io::Errno::AFNOSUPPORT);
        let hint = refused("[::]:7000", error()).hint().expect("there is one");
        assert!(hint.contains("no IPv6") && hint.contains("--bind 0.0.0.0:7000"), "{hint}");
        assert!(refused("localhost:7000", error()).is_not_ours());
    }

    #[test]
    fn a_name_for_loopback_stands_for_both_families_and_an_address_for_itself() {
        let asked: Address = "localhost:7".parse().expect("an address");
        let both: Vec<SocketAddr> = vec!["127.0.0.1:7".parse().expect("v4"), "[::1]:7".parse().expect("v6")];
        for resolved in [&both[..1], &both[1..], &both[..]] {
            assert_eq!(both_loopbacks(&asked, resolved.to_vec()), both);
        }
        let asked: Address = "127.0.0.1:7".parse().expect("an address");
        assert_eq!(both_loopbacks(&asked, both[..1].to_vec()), both[..1]);
    }
}
