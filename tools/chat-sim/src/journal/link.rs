//! A client's connection over TCP, or its session over UDP.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use chat_proto::{FrameDecoder, Hello, MemberFrame, PREFACE, PrefaceDecoder, RoomFrame};
use chat_testkit::{Network, StreamEnd};
use chat_udp::ClientSession;

pub(super) enum Link {
    Tcp { end: StreamEnd, out: Vec<u8>, preface: Option<PrefaceDecoder>, frames: FrameDecoder },
    Udp { session: Box<ClientSession>, address: SocketAddr },
}

impl Link {
    pub(super) fn tcp(end: StreamEnd, hello: Hello) -> Self {
        let mut out = PREFACE.to_vec();
        MemberFrame::Hello(hello).encode(&mut out);
        Self::Tcp { end, out, preface: Some(PrefaceDecoder::new()), frames: FrameDecoder::new() }
    }

    pub(super) fn udp(nonce: u64, address: SocketAddr, hello: Hello, now: Instant) -> Self {
        Self::Udp { session: Box::new(ClientSession::new(nonce, hello, now)), address }
    }

    /// Takes a datagram, if it is for this link.
    pub(super) fn datagram(&mut self, to: SocketAddr, bytes: &[u8], now: Instant) {
        if let Self::Udp { session, address } = self
            && *address == to
        {
            session.receive(bytes, now);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Tcp { .. } => None,
            Self::Udp { session, .. } => session.deadline(),
        }
    }

    /// Appends the frames that have arrived. False if the link has ended.
    pub(super) fn read(&mut self, arrived: &mut Vec<RoomFrame>) -> Result<bool, String> {
        match self {
            Self::Udp { session, .. } => {
                arrived.extend(std::iter::from_fn(|| session.next_frame()));
                Ok(session.end().is_none())
            }
            Self::Tcp { end, preface, frames, .. } => {
                let mut buffer = [0; 2048];
                loop {
                    let bytes = match end.read(&mut buffer) {
                        Ok(0) => return Ok(false),
                        Ok(count) => &buffer[..count],
                        Err(error) => return Ok(error.kind() == ErrorKind::WouldBlock),
                    };
                    decode(bytes, preface, frames, arrived)?;
                }
            }
        }
    }

    /// Sends the frames that `next` returns, as far as the link takes them. False if a read will tell that it has ended.
    pub(super) fn write(
        &mut self,
        mut next: impl FnMut() -> Option<MemberFrame>,
        network: &mut Network,
        server: SocketAddr,
        now: Instant,
    ) -> bool {
        match self {
            Self::Tcp { end, out, .. } => loop {
                if out.is_empty() {
                    let Some(frame) = next() else { return true };
                    frame.encode(out);
                }
                // A read reports the error, after everything that arrived before.
                let Ok(written) = end.write(out) else { return true };
                out.drain(..written);
            },
            Self::Udp { session, address } => {
                while session.is_ready()
                    && let Some(frame) = next()
                {
                    session.send(frame, now);
                }
                let mut out = Vec::new();
                while session.transmit(&mut out, now) {
                    network.send(*address, server, &out, now);
                }
                session.end().is_none()
            }
        }
    }
}

/// Takes bytes of the server's stream. Lines before its preface are for a listener, and skipped.
fn decode(
    mut bytes: &[u8],
    preface: &mut Option<PrefaceDecoder>,
    frames: &mut FrameDecoder,
    arrived: &mut Vec<RoomFrame>,
) -> Result<(), String> {
    if let Some(decoder) = preface {
        if !decoder.is_unfinished() {
            let lines = bytes.iter().position(|&byte| byte == PREFACE[0]).unwrap_or(bytes.len());
            bytes = &bytes[lines..];
        }
        if decoder.next(&mut bytes).map_err(|error| error.to_string())?.is_none() {
            return Ok(());
        }
        *preface = None;
    }
    while let Some(frame) = frames.next(&mut bytes).map_err(|error| error.to_string())? {
        arrived.push(frame);
    }
    Ok(())
}
