//! Linux: several datagrams per call, the address that a datagram was sent to, and what ICMP messages say.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};

use nix::libc::{self, in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv4RecvErr, Ipv6RecvErr, Ipv6RecvPacketInfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, recvmsg,
    sendmmsg, setsockopt,
};

use super::{Outbound, Socket};
use crate::arrivals::{Arrival, Arrivals};
use crate::route::Route;

/// Has the system keep ICMP messages for [`next_error`].
pub(super) fn ask_for_errors(socket: &Socket) -> io::Result<()> {
    let fd = socket.io.as_fd();
    // For IPv4 through an IPv6 socket, too.
    setsockopt(&fd, Ipv4RecvErr, &true)?;
    if socket.is_v6 {
        setsockopt(&fd, Ipv6RecvErr, &true)?;
    }
    Ok(())
}

/// Has the system report to which of the machine's addresses each datagram was sent.
pub(super) fn ask_for_own_address(socket: &Socket) -> io::Result<()> {
    let fd = socket.io.as_fd();
    if socket.is_v6 {
        setsockopt(&fd, Ipv6RecvPacketInfo, &true)
    } else {
        setsockopt(&fd, Ipv4PacketInfo, &true)
    }?;
    Ok(())
}

pub(super) fn receive(socket: &Socket, arrivals: &mut Arrivals) -> io::Result<bool> {
    let Arrivals { buffers, arrived, .. } = arrivals;
    arrived.clear();
    let mut slices: Vec<[IoSliceMut<'_>; 1]> =
        buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
    let asked = slices.len();
    // Made anew each time: a call leaves in it how much was used, which is less than the next one may need.
    let mut headers =
        MultiHeaders::<SockaddrStorage>::preallocate(asked, Some(nix::cmsg_space!(in6_pktinfo)));
    let flags = MsgFlags::MSG_DONTWAIT;
    for message in recvmmsg(socket.io.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None)? {
        let peer = message.address.as_ref().and_then(address);
        let local =
            message.cmsgs().ok().and_then(|mut messages| messages.find_map(|message| asked_for(&message)));
        // Without an address of its sender it could not be answered; it still takes its buffer.
        let route = peer.map(|peer| Route { peer, local });
        arrived.push(Arrival { route, bytes: message.bytes });
    }
    Ok(arrived.len() == asked)
}

pub(super) fn send(socket: &Socket, datagrams: &mut VecDeque<Outbound>) -> io::Result<usize> {
    let datagrams = datagrams.make_contiguous();
    // A call has one source address. Those to one peer stay in order.
    datagrams.sort_by_key(|(route, _)| route.local);
    let Some((Route { local, .. }, _)) = datagrams.first() else { return Ok(0) };
    let run = datagrams.iter().take_while(|(route, _)| route.local == *local);
    let addresses: Vec<Option<SockaddrStorage>> = run.map(|(route, _)| Some(route.peer.into())).collect();
    let slices: Vec<[IoSlice<'_>; 1]> =
        datagrams[..addresses.len()].iter().map(|(_, bytes)| [IoSlice::new(bytes)]).collect();
    let (v4, v6);
    let (control, space) = match local {
        None => (None, None),
        Some(ip) if socket.is_v6 => {
            v6 = source_v6(*ip);
            (Some(ControlMessage::Ipv6PacketInfo(&v6)), Some(nix::cmsg_space!(in6_pktinfo)))
        }
        Some(IpAddr::V4(ip)) => {
            v4 = source_v4(*ip);
            (Some(ControlMessage::Ipv4PacketInfo(&v4)), Some(nix::cmsg_space!(in_pktinfo)))
        }
        Some(IpAddr::V6(_)) => return Err(ErrorKind::AddrNotAvailable.into()),
    };
    let control: Vec<ControlMessage<'_>> = control.into_iter().collect();
    let mut headers = MultiHeaders::preallocate(addresses.len(), space);
    let flags = MsgFlags::MSG_DONTWAIT;
    let sent = sendmmsg(socket.io.as_raw_fd(), &mut headers, &slices, &addresses, &control, flags)?;
    Ok(sent.count())
}

/// The peer that the next ICMP message is about, if it says that no datagram comes through to it. An error
/// if there is none left.
pub(super) fn next_error(socket: &Socket) -> io::Result<Option<SocketAddr>> {
    let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6, in6_pktinfo, in_pktinfo);
    let mut quoted = [0; 1];
    let mut slices = [IoSliceMut::new(&mut quoted)];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrStorage>(socket.io.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
    let mut errors = message.cmsgs()?;
    let is_final = errors.any(|message| {
        let (ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _)) =
            message
        else {
            return false;
        };
        let is_icmp = matches!(error.ee_origin, libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6);
        // That a datagram is too long for the path says nothing against its receiver.
        is_icmp && error.ee_errno != libc::EMSGSIZE.unsigned_abs()
    });
    Ok(message.address.as_ref().and_then(address).filter(|_| is_final))
}

fn address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::from(SocketAddrV4::from(*v4)));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::from(SocketAddrV6::from(*v6))))
}

/// Which of our addresses a datagram was sent to, as far as that can be the source of an answer.
fn asked_for(message: &ControlMessageOwned) -> Option<IpAddr> {
    let ip = match message {
        // The one that the system would answer from, if it was sent to many.
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes()).into()
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => IpAddr::from(info.ipi6_addr.s6_addr).to_canonical(),
        _ => return None,
    };
    let is_broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    (!ip.is_unspecified() && !ip.is_multicast() && !is_broadcast).then_some(ip)
}

fn source_v4(ip: Ipv4Addr) -> in_pktinfo {
    let spec_dst = in_addr { s_addr: u32::from_ne_bytes(ip.octets()) };
    in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: spec_dst, ipi_addr: in_addr { s_addr: 0 } }
}

fn source_v6(ip: IpAddr) -> in6_pktinfo {
    let ip: Ipv6Addr = match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    in6_pktinfo { ipi6_addr: in6_addr { s6_addr: ip.octets() }, ipi6_ifindex: 0 }
}
