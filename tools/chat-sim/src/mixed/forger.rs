//! Sends what an attacker can send over UDP. It can use any source address, and it has to invent what it cannot know.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use chat_proto::{Cookie, Hello, MemberDatagram, PREFACE, SessionId, Text, Traffic};
use chat_testkit::Datagram;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

/// Every forged text begins with this, so the log shows if one was accepted.
pub(super) const FORGED: &str = "forged";

/// The bytes that UDP and IPv4 add to each datagram on the wire.
const HEADERS_BYTES: usize = 28;

/// An address that has proven nothing is sent at most this many times the bytes that it sent.
const AMPLIFICATION_MAX: usize = 3;

pub(super) struct Forger {
    random: StdRng,
    /// For each address that proves nothing: the bytes it sent, and the bytes it was sent.
    strangers: BTreeMap<SocketAddr, (usize, usize)>,
}

impl Forger {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), strangers: BTreeMap::new() }
    }

    /// A forged datagram, from the address of one of these members or from a stranger's address.
    pub(super) fn forge(&mut self, members: &[SocketAddr], server: SocketAddr) -> Datagram {
        let random = &mut self.random;
        let session = SessionId::new(random.next_u64());
        let says = vec![Text::one_line(FORGED).expect("short")];
        let traffic = Traffic { ping: true, first: 1, says, ..Traffic::default() };
        let traffic = MemberDatagram::Traffic { session, traffic };
        let nonce = random.next_u64();
        let cookie = Cookie(random.random());
        let hello = |cookie| MemberDatagram::Hello { nonce, cookie, hello: Hello::default() };
        let stranger = SocketAddr::from(([198, 51, 100, random.random()], random.random_range(1..9_999)));
        let member = (!members.is_empty()).then(|| members[random.random_range(0..members.len())]);
        let (from, datagram) = match random.random_range(0..8) {
            0 => (member, Some(traffic)),
            1 => (member, Some(MemberDatagram::Bye { session })),
            2 => (member, Some(MemberDatagram::Path { session, cookie })),
            3 => (None, Some(traffic)),
            4 => (None, Some(MemberDatagram::Path { session, cookie })),
            5 => (None, Some(hello(Some(cookie)))),
            6 => (None, Some(hello(None))),
            _ => (None, None),
        };
        let mut bytes = Vec::new();
        match datagram {
            Some(datagram) => datagram.encode(&mut bytes),
            None => self.noise(&mut bytes),
        }
        let from = from.unwrap_or_else(|| {
            self.strangers.entry(stranger).or_default().0 += HEADERS_BYTES + bytes.len();
            stranger
        });
        Datagram { from, to: server, bytes }
    }

    fn noise(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.random.random() { &PREFACE } else { FORGED.as_bytes() });
        let noise = self.random.random_range(0..100);
        out.extend((0..noise).map(|_| self.random.random::<u8>()));
    }

    pub(super) fn is_stranger(&self, address: SocketAddr) -> bool {
        self.strangers.contains_key(&address)
    }

    /// Counts a datagram that the server sends.
    pub(super) fn sent(&mut self, datagram: &Datagram) {
        if let Some((_, was_sent)) = self.strangers.get_mut(&datagram.to) {
            *was_sent += HEADERS_BYTES + datagram.bytes.len();
        }
    }

    /// Checks that no address that proved nothing was sent much more than it sent.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.strangers.iter().find(|(_, (sent, was_sent))| *was_sent > AMPLIFICATION_MAX * sent) {
            None => Ok(()),
            Some((address, (sent, was_sent))) => {
                Err(format!("{address} sent {sent} bytes and was sent {was_sent}"))
            }
        }
    }
}
