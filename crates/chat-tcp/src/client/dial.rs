//! Makes a connection to the first of several addresses that answers ("happy eyeballs", RFC 8305).

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Instant;

use chat_core::ConnectError;
use chat_core::client::{User, interleaved};
use chat_core::limits::ATTEMPT_DELAY;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::link::clock;
use crate::limits::CONNECT_TIMEOUT;

/// The first token of the attempts; the tokens before it belong to the link.
const FIRST_ATTEMPT: usize = 2;

/// A connection on its way.
struct Attempt {
    address: SocketAddr,
    socket: TcpStream,
    give_up_at: Instant,
}

/// Connects to one of `addresses`, and leaves the socket registered with `poll`. A new attempt begins when the one
/// before has failed or has taken [`ATTEMPT_DELAY`]; the others are dropped when one succeeds.
///
/// # Errors
///
/// [`ConnectError::Connect`] if none succeeds, [`ConnectError::Interrupted`] if the user wants to leave.
pub(super) fn dial(
    poll: &mut Poll,
    addresses: Vec<SocketAddr>,
    user: &User,
) -> Result<TcpStream, ConnectError> {
    let mut waiting = interleaved(addresses).into_iter().enumerate();
    let mut attempts: Vec<(Token, Attempt)> = Vec::new();
    let mut last_error = ConnectError::NoAddress;
    let mut next_at = Some(clock());
    let mut ready = Events::with_capacity(32);
    loop {
        if user.is_leaving() {
            return Err(ConnectError::Interrupted);
        }
        let now = clock();
        if next_at.is_some_and(|at| at <= now) {
            next_at = match waiting.next() {
                Some((index, address)) => {
                    let token = Token(FIRST_ATTEMPT + index);
                    match begin(poll, token, address, now) {
                        Ok(attempt) => attempts.push((token, attempt)),
                        Err(source) => {
                            last_error = ConnectError::Connect { address, source };
                            continue;
                        }
                    }
                    Some(now + ATTEMPT_DELAY)
                }
                None => None,
            };
        }
        attempts.retain(|(_, Attempt { address, give_up_at, .. })| {
            let is_late = *give_up_at <= now;
            if is_late {
                last_error = ConnectError::Connect { address: *address, source: ErrorKind::TimedOut.into() };
            }
            !is_late
        });
        if attempts.is_empty() && next_at.is_none() {
            return Err(last_error);
        }
        let until = attempts.iter().map(|(_, attempt)| attempt.give_up_at).chain(next_at).min();
        match poll.poll(&mut ready, until.map(|until| until.saturating_duration_since(clock()))) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(ConnectError::System(error)),
            _ => {}
        }
        for event in &ready {
            let Some(index) = attempts.iter().position(|(token, _)| *token == event.token()) else {
                continue;
            };
            match outcome(&attempts[index].1.socket) {
                Ok(true) => return Ok(attempts.swap_remove(index).1.socket),
                Ok(false) => {}
                Err(source) => {
                    let (_, Attempt { address, .. }) = attempts.swap_remove(index);
                    last_error = ConnectError::Connect { address, source };
                    // The next one need not wait.
                    next_at = next_at.map(|_| now);
                }
            }
        }
    }
}

fn begin(poll: &Poll, token: Token, address: SocketAddr, now: Instant) -> io::Result<Attempt> {
    let mut socket = TcpStream::connect(address)?;
    poll.registry().register(&mut socket, token, Interest::WRITABLE)?;
    Ok(Attempt { address, socket, give_up_at: now + CONNECT_TIMEOUT })
}

/// Whether the connection is made, determined as mio's documentation of `TcpStream::connect` says.
fn outcome(socket: &TcpStream) -> io::Result<bool> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}
