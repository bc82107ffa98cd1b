//! Unproven addresses of plain peers, and how many answers and tries each has left.
//!
//! Two rules keep the server from being turned against others. An answer to an unproven address has at most three times
//! the bytes of the datagram that it answers, headers included. And each address gets few answers per lease:
//! some services answer whatever they are sent, and an answer to them is answered again.

use std::net::IpAddr;
use std::time::Instant;

use chat_proto::PeerAddr;

use crate::limits::{ANSWERS_PER_LEASE, GUESSES_PER_LEASE, LEASE, UNPROVEN_MAX};

/// A table of fixed size. Each address has one place in it, and replaces the previous address there: a
/// flood of forged addresses makes the server forget addresses, but nothing grows.
#[derive(Debug, Default)]
pub(crate) struct Unproven {
    /// Empty until the first unproven address comes.
    places: Vec<Option<UnprovenAddress>>,
}

#[derive(Clone, Copy, Debug)]
struct UnprovenAddress {
    address: PeerAddr,
    /// The end of its lease; after that it counts as a new address.
    until: Instant,
    answers: u8,
    guesses: u8,
}

impl Unproven {
    /// Whether the address may get one more answer, to a datagram of this many bytes. Counts it as sent.
    /// `hash` is a keyed hash of the address.
    pub(crate) fn may_answer(
        &mut self,
        address: PeerAddr,
        hash: u64,
        received: usize,
        answer: usize,
        now: Instant,
    ) -> bool {
        let is_cheap = wire_bytes(address, answer) <= 3 * wire_bytes(address, received);
        is_cheap && count(&mut self.at(address, hash, now).answers, ANSWERS_PER_LEASE)
    }

    /// Whether the address may try one more number. Counts it as tried.
    pub(crate) fn may_guess(&mut self, address: PeerAddr, hash: u64, now: Instant) -> bool {
        count(&mut self.at(address, hash, now).guesses, GUESSES_PER_LEASE)
    }

    fn at(&mut self, address: PeerAddr, hash: u64, now: Instant) -> &mut UnprovenAddress {
        if self.places.is_empty() {
            self.places.resize(UNPROVEN_MAX, None);
        }
        let fresh = UnprovenAddress { address, until: now + LEASE, answers: 0, guesses: 0 };
        #[expect(clippy::cast_possible_truncation, reason = "any bits of a hash will do")]
        let place = &mut self.places[hash as usize % UNPROVEN_MAX];
        if place.is_none_or(|known| known.address != address || known.until <= now) {
            *place = None;
        }
        place.get_or_insert(fresh)
    }
}

fn count(counted: &mut u8, max: u8) -> bool {
    let is_left = *counted < max;
    *counted += u8::from(is_left);
    is_left
}

/// Bytes on the wire of a datagram that carries `bytes`: with the headers of UDP and IP.
fn wire_bytes(address: PeerAddr, bytes: usize) -> usize {
    bytes + if matches!(address.ip(), IpAddr::V4(_)) { 28 } else { 48 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[expect(
        clippy::disallowed_methods,
        reason = "there is no other first instant; nothing depends on which it is"
    )]
    fn begin() -> Instant {
        Instant::now()
    }

    #[test]
    fn an_address_has_three_answers_and_three_guesses_per_lease() {
        let (mut unproven, now) = (Unproven::default(), begin());
        let (ann, bob): (PeerAddr, PeerAddr) =
            ("192.0.2.1:1".parse().unwrap(), "192.0.2.1:2".parse().unwrap());
        for at in [now, now + LEASE] {
            for round in 0..6 {
                assert_eq!(unproven.may_answer(ann, 7, 1, 20, at), round < 3);
                assert_eq!(unproven.may_guess(ann, 7, at), round < 3);
            }
            let later = at + LEASE - Duration::from_millis(1);
            assert!(!unproven.may_answer(ann, 7, 1, 20, later) && !unproven.may_guess(ann, 7, later));
            assert!(unproven.may_answer(bob, 8, 1, 20, at), "another port is another peer");
        }
    }

    #[test]
    fn an_answer_has_at_most_three_times_the_bytes_with_all_headers() {
        let (mut unproven, now) = (Unproven::default(), begin());
        let mut may = |address: &str, received, answer| {
            unproven.places.clear();
            unproven.may_answer(address.parse().unwrap(), 7, received, answer, now)
        };
        // 3 x (28 + 1) and 3 x (48 + 1), less the headers of the answer.
        assert!(may("192.0.2.1:1", 1, 59) && !may("192.0.2.1:1", 1, 60));
        assert!(may("[2001:db8::1]:1", 1, 99) && !may("[2001:db8::1]:1", 1, 100));
    }

    #[test]
    fn a_flood_of_addresses_takes_no_memory() {
        let (mut unproven, now) = (Unproven::default(), begin());
        for number in 0..100_000_u32 {
            let address = PeerAddr::from(std::net::SocketAddr::from((number.to_be_bytes(), 1)));
            assert!(unproven.may_answer(address, u64::from(number), 1, 20, now));
        }
        assert_eq!(unproven.places.len(), UNPROVEN_MAX);
    }
}
