//! Members that come back after the server was killed, all far behind: what the messages cost that they lack.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use chat_proto::{Hello, MemberFrame, PREFACE};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::fanout;
use crate::bench::figures::{Figures, Quantity};
use crate::bench::system::{Programs, Server, System};
use crate::clock;
use crate::crowd;
use crate::failure::{Context, Failure, Result, ensure};
use crate::stamp::{Scanner, TEXT_BYTES};

/// If nobody hears anything for this long, the run fails.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(system: &System, programs: &Programs, members: usize, behind: u16) -> Result<Figures> {
    let server = Server::start(system, programs)?;
    let mut crowd = crowd::crowd(system.medium, server.address, 1)?;
    crowd.join(1, &|_| false)?;
    fanout::closed_loop(&mut *crowd, |sent, _| sent < u64::from(behind))?;
    drop(crowd);
    let server = server.restart(system, programs)?;

    let cpu_before = server.cpu()?;
    let began = clock::now();
    let mut returning = Returning::connect(server.address, members, behind)?;
    while !returning.have_all(behind) {
        returning.hear()?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let cpu = server.cpu()? - cpu_before;
    let deliveries = members as f64 * f64::from(behind);
    Ok(Figures::default()
        .with(Quantity::CpuPerDelivery, cpu.as_secs_f64() * 1e6 / deliveries)
        .with(Quantity::DeliveriesPerSecond, deliveries / seconds))
}

/// Framed members that ask for what they lack.
struct Returning {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    /// Each with the bytes that it has heard.
    sockets: Vec<(TcpStream, u64)>,
    /// Counts the messages of the first one, which stands for all.
    scanner: Scanner,
    counted: u64,
}

impl Returning {
    fn connect(address: SocketAddr, members: usize, behind: u16) -> Result<Self> {
        let mut hello = PREFACE.to_vec();
        MemberFrame::Hello(Hello { history: behind, ..Hello::default() }).encode(&mut hello);
        let mut returning = Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 256 * 1024],
            sockets: Vec::with_capacity(members),
            scanner: Scanner::default(),
            counted: 0,
        };
        for key in 0..members {
            let mut socket = std::net::TcpStream::connect(address).when(format!("connection {key}"))?;
            socket.write_all(&hello)?;
            socket.set_nonblocking(true)?;
            let mut socket = TcpStream::from_std(socket);
            returning.poll.registry().register(&mut socket, Token(key), Interest::READABLE)?;
            returning.sockets.push((socket, 0));
        }
        Ok(returning)
    }

    /// Whether everyone has as many messages as the first member, which has all. A smaller difference than a message
    /// is in the welcome.
    fn have_all(&self, behind: u16) -> bool {
        let most = self.sockets.iter().map(|(_, heard)| *heard).max().unwrap_or(0);
        self.counted >= u64::from(behind)
            && self.sockets.iter().all(|(_, heard)| heard + TEXT_BYTES as u64 > most)
    }

    fn hear(&mut self) -> Result<()> {
        self.poll.poll(&mut self.events, Some(PATIENCE))?;
        ensure(!self.events.is_empty(), || format!("nothing was delivered for {PATIENCE:?}"))?;
        for event in &self.events {
            let Token(key) = event.token();
            let (socket, heard) = &mut self.sockets[key];
            loop {
                match socket.read(&mut self.buffer) {
                    Ok(0) => return Err(Failure::new("the server closed it")),
                    Ok(count) => {
                        *heard += count as u64;
                        if key == 0 {
                            self.scanner.scan(&self.buffer[..count], |_| self.counted += 1);
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}
