//! Finds the first of several addresses that a room answers from ("happy eyeballs", RFC 8305).

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use chat_core::ConnectError;
use chat_core::client::{User, interleaved};
use chat_core::limits::ATTEMPT_DELAY;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};

use super::link::{Link, Protocol, bind, bind_blocking, wait};
use super::plain::NOTHING;
use crate::limits::RECEIVE_BUFFER_BYTES;
use crate::transport::clock;

/// The first token of the candidates; the tokens before it belong to the link.
const FIRST_CANDIDATE: usize = 2;

/// An address that may answer.
struct Candidate {
    address: SocketAddr,
    socket: UdpSocket,
}

/// Begins `protocol` anew, and greets one of `addresses` after the other, [`ATTEMPT_DELAY`] apart or as soon as the
/// one before refuses, all with the same datagram. The first that answers gets the conversation.
///
/// # Errors
///
/// [`ConnectError::Connect`] if none answers, [`ConnectError::Interrupted`] if the user wants to leave.
pub(super) fn reach(
    poll: &mut Poll,
    addresses: Vec<SocketAddr>,
    user: &User,
    protocol: &mut impl Protocol,
) -> Result<Link, ConnectError> {
    let order = interleaved(addresses);
    if !protocol.is_asked() {
        let mut candidate = unrefused(&order)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = poll.registry().register(&mut candidate.socket, Token(FIRST_CANDIDATE), interest);
        registered.map_err(ConnectError::System)?;
        protocol.begin(clock());
        return greet(candidate, poll, user, protocol);
    }
    let mut waiting = order.into_iter().enumerate();
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut failed = None;
    let mut next_at = Some(clock());
    let mut ready = Events::with_capacity(32);
    let (mut hello, mut buffer) = (Vec::new(), vec![0; RECEIVE_BUFFER_BYTES]);
    protocol.begin(clock());
    loop {
        if user.is_leaving() {
            return Err(ConnectError::Interrupted);
        }
        let now = clock();
        // A due datagram goes to all; if a socket does not take it, it counts as lost in the network.
        let mut datagram = Vec::new();
        if !candidates.is_empty() && protocol.transmit(&mut datagram, now) {
            candidates.iter().for_each(|candidate| drop(candidate.socket.send(&datagram)));
            hello = datagram;
        }
        if next_at.is_some_and(|at| at <= now) {
            next_at = waiting.next().map(|(index, address)| {
                match begin(poll, Token(FIRST_CANDIDATE + index), address) {
                    Ok(candidate) => {
                        if !hello.is_empty() {
                            let _as_if_lost = candidate.socket.send(&hello);
                        }
                        candidates.push(candidate);
                        now + ATTEMPT_DELAY
                    }
                    Err(error) => {
                        failed = Some((address, error));
                        now
                    }
                }
            });
            continue;
        }
        if (candidates.is_empty() && next_at.is_none()) || protocol.answered() == Some(false) {
            return Err(no_answer(candidates.pop().map(|candidate| candidate.address), failed, protocol));
        }
        wait(poll, &mut ready, protocol.deadline().into_iter().chain(next_at).min())
            .map_err(ConnectError::System)?;
        let mut index = 0;
        while let Some(Candidate { socket, address }) = candidates.get(index) {
            match socket.recv(&mut buffer) {
                Ok(bytes) => {
                    protocol.receive(&buffer[..bytes], clock());
                    if protocol.is_heard() {
                        return greet(candidates.swap_remove(index), poll, user, protocol);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset) =>
                {
                    failed = Some((*address, error));
                    candidates.remove(index);
                    // The next one need not wait.
                    next_at = next_at.map(|_| now);
                }
                Err(_) => index += 1,
            }
        }
    }
}

/// The first address that does not refuse an empty line at once: a plain server need not answer.
fn unrefused(order: &[SocketAddr]) -> Result<Candidate, ConnectError> {
    let mut result = Err(ConnectError::NoAddress);
    for &address in order {
        result =
            try_plain(address, order.len() > 1).map_err(|source| ConnectError::Connect { address, source });
        if result.is_ok() {
            break;
        }
    }
    result
}

fn try_plain(address: SocketAddr, may_refuse: bool) -> io::Result<Candidate> {
    let socket = bind_blocking(address)?;
    if may_refuse {
        socket.send(NOTHING)?;
        socket.set_read_timeout(Some(ATTEMPT_DELAY))?;
        if let Err(error) = socket.peek(&mut [0])
            && matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
        {
            return Err(error);
        }
    }
    socket.set_nonblocking(true)?;
    Ok(Candidate { address, socket: UdpSocket::from_std(socket) })
}

/// Goes on with one address alone, until its server has welcomed or refused the client.
fn greet(
    candidate: Candidate,
    poll: &mut Poll,
    user: &User,
    protocol: &mut impl Protocol,
) -> Result<Link, ConnectError> {
    let Candidate { address, socket } = candidate;
    let mut link = Link::new(socket);
    let greeted = link.register(poll).and_then(|()| link.greet(poll, user, protocol));
    if user.is_leaving() {
        return Err(ConnectError::Interrupted);
    }
    greeted.map_err(|source| ConnectError::Connect { address, source })?;
    // Whatever the answer is, even that the room is full, it came from a room.
    match protocol.answered() {
        Some(false) => Err(no_answer(Some(address), None, protocol)),
        Some(true) | None => Ok(link),
    }
}

fn begin(poll: &Poll, token: Token, address: SocketAddr) -> io::Result<Candidate> {
    let mut socket = bind(address)?;
    poll.registry().register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok(Candidate { address, socket })
}

/// Why none of the addresses has answered: a silent one, or the last that failed.
fn no_answer(
    silent: Option<SocketAddr>,
    failed: Option<(SocketAddr, io::Error)>,
    protocol: &mut impl Protocol,
) -> ConnectError {
    let ended = protocol.end().and_then(Result::err);
    match (silent, failed) {
        (Some(address), _) => {
            ConnectError::Connect { address, source: ended.unwrap_or(ErrorKind::TimedOut.into()) }
        }
        (None, Some((address, source))) => ConnectError::Connect { address, source },
        (None, None) => ConnectError::NoAddress,
    }
}
