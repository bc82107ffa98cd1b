//! Proof of an address without memory of it.
//!
//! A cookie is a keyed hash over the address, what it is for, and the time, together with the time.
//! The key is drawn when the endpoint begins and never leaves it, so that only a peer that receives datagrams
//! at an address can echo a cookie for it. Nothing is stored until it does (RFC 9000, section 8.1).
//!
//! A plain peer gets a number instead, short enough to be typed.

use std::hash::Hasher;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use chat_proto::limits::COOKIE_BYTES;
use chat_proto::{Cookie, PeerAddr, SessionId};
use rand::Rng;
use siphasher::sip::SipHasher24;
use subtle::ConstantTimeEq;

use crate::limits::{COOKIE_LIFE, NUMBER_LIFE_HALF};

/// The purpose of a cookie; a cookie for one purpose is useless for the other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// The hello with this nonce.
    Hello(u64),
    /// Moving a session.
    Path(SessionId),
}

/// What else an address is hashed for.
const NUMBER: u8 = 2;
const PLACE: u8 = 3;

/// Makes cookies and recognises them.
#[derive(Debug)]
pub(crate) struct CookieKeys {
    began: Instant,
    keys: (u64, u64),
}

/// When a cookie was made, in tenths of a second.
pub(crate) type MadeAt = u32;

impl CookieKeys {
    pub(crate) fn new(began: Instant, random: &mut impl Rng) -> Self {
        Self { began, keys: (random.next_u64(), random.next_u64()) }
    }

    pub(crate) fn make(&self, purpose: Purpose, peer: PeerAddr, now: Instant) -> Cookie {
        let made_at = self.time(now);
        let mut cookie = [0; COOKIE_BYTES];
        cookie[..4].copy_from_slice(&made_at.to_le_bytes());
        cookie[4..].copy_from_slice(&self.tag(purpose, peer, made_at));
        Cookie(cookie)
    }

    /// When the cookie was made, if it is one of ours, for this, and fresh.
    pub(crate) fn check(
        &self,
        cookie: Cookie,
        purpose: Purpose,
        peer: PeerAddr,
        now: Instant,
    ) -> Option<MadeAt> {
        let Cookie([a, b, c, d, tag @ ..]) = cookie;
        let made_at = u32::from_le_bytes([a, b, c, d]);
        let is_ours = bool::from(self.tag(purpose, peer, made_at).ct_eq(&tag));
        let age = self.time(now).checked_sub(made_at)?;
        (is_ours && u128::from(age) * 100 <= COOKIE_LIFE.as_millis()).then_some(made_at)
    }

    /// The number that a plain peer at this address must repeat to prove it: six digits, which people can
    /// type. Six, since four could be guessed: an attacker may try three for each port of a forged address.
    pub(crate) fn number(&self, peer: PeerAddr, now: Instant) -> u32 {
        self.number_of(peer, self.half(now))
    }

    /// Whether it is the address's number, or was a short while ago.
    pub(crate) fn is_number(&self, number: u32, peer: PeerAddr, now: Instant) -> bool {
        let half = self.half(now);
        let halves = [Some(half), half.checked_sub(1)];
        halves.into_iter().flatten().any(|half| self.number_of(peer, half) == number)
    }

    /// A hash of the address that nobody outside can predict.
    pub(crate) fn place(&self, peer: PeerAddr) -> u64 {
        self.hash(PLACE, 0, peer, 0)
    }

    fn half(&self, now: Instant) -> u32 {
        let halves = now.saturating_duration_since(self.began).as_secs() / NUMBER_LIFE_HALF.as_secs();
        u32::try_from(halves).unwrap_or(u32::MAX)
    }

    fn number_of(&self, peer: PeerAddr, half: u32) -> u32 {
        let below = u32::try_from(self.hash(NUMBER, 0, peer, half) % 900_000).unwrap_or(0);
        100_000 + below
    }

    /// The moment when a cookie was made, or just after it.
    pub(crate) fn moment(&self, made_at: MadeAt) -> Instant {
        self.began + Duration::from_millis(100) * made_at.saturating_add(1)
    }

    fn time(&self, now: Instant) -> MadeAt {
        let tenths = now.saturating_duration_since(self.began).as_millis() / 100;
        u32::try_from(tenths).unwrap_or(u32::MAX) // in 13 years
    }

    fn tag(&self, purpose: Purpose, peer: PeerAddr, made_at: MadeAt) -> [u8; 8] {
        let (kind, number) = match purpose {
            Purpose::Hello(nonce) => (0, nonce),
            Purpose::Path(session) => (1, session.number()),
        };
        self.hash(kind, number, peer, made_at).to_le_bytes()
    }

    fn hash(&self, kind: u8, number: u64, peer: PeerAddr, made_at: u32) -> u64 {
        let mut hasher = SipHasher24::new_with_keys(self.keys.0, self.keys.1);
        // Every part has a fixed length, so that no two inputs are the same bytes.
        hasher.write(&[kind]);
        hasher.write(&number.to_le_bytes());
        hasher.write(&made_at.to_le_bytes());
        let (ip, scope) = match (peer.ip(), peer.as_socket_addr()) {
            (IpAddr::V4(ip), _) => (ip.to_ipv6_mapped(), 0),
            (IpAddr::V6(ip), std::net::SocketAddr::V6(address)) => (ip, address.scope_id()),
            (IpAddr::V6(ip), std::net::SocketAddr::V4(_)) => (ip, 0),
        };
        hasher.write(&ip.octets());
        hasher.write(&peer.port().to_le_bytes());
        hasher.write(&scope.to_le_bytes());
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[expect(
        clippy::disallowed_methods,
        reason = "there is no other first instant; nothing depends on which it is"
    )]
    fn cookie_keys(seed: u64) -> (CookieKeys, Instant) {
        let began = Instant::now();
        (CookieKeys::new(began, &mut StdRng::seed_from_u64(seed)), began + Duration::from_secs(100))
    }

    fn peer(s: &str) -> PeerAddr {
        s.parse().unwrap()
    }

    #[test]
    fn a_cookie_is_good_for_its_address_its_purpose_and_its_time() {
        let (cookie_keys, now) = cookie_keys(1);
        let (hello, ann) = (Purpose::Hello(7), peer("192.0.2.1:5"));
        let cookie = cookie_keys.make(hello, ann, now);
        assert_eq!(cookie_keys.check(cookie, hello, ann, now), Some(1_000));
        assert_eq!(
            cookie_keys.check(cookie, hello, peer("[::ffff:192.0.2.1]:5"), now),
            Some(1_000),
            "the same address"
        );
        assert!(cookie_keys.check(cookie, hello, ann, now + COOKIE_LIFE).is_some());

        assert_eq!(cookie_keys.check(cookie, hello, peer("192.0.2.1:6"), now), None);
        assert_eq!(cookie_keys.check(cookie, hello, peer("192.0.2.2:5"), now), None);
        assert_eq!(cookie_keys.check(cookie, Purpose::Hello(8), ann, now), None);
        assert_eq!(cookie_keys.check(cookie, Purpose::Path(SessionId::new(7)), ann, now), None);
        assert_eq!(
            cookie_keys.check(cookie, hello, ann, now + COOKIE_LIFE + Duration::from_millis(100)),
            None
        );
        assert_eq!(
            cookie_keys.check(cookie, hello, ann, now - Duration::from_secs(1)),
            None,
            "from the future"
        );
        assert_eq!(cookie_keys.check(Cookie([0; COOKIE_BYTES]), hello, ann, now), None);
        let (other, _) = self::cookie_keys(2);
        assert_eq!(other.check(cookie, hello, ann, now), None, "another key");
    }

    #[test]
    fn a_number_has_six_digits_and_is_good_for_its_address_and_two_minutes_at_least() {
        let (cookie_keys, began) = cookie_keys(1);
        let (ann, bob) = (peer("192.0.2.1:5"), peer("192.0.2.1:6"));
        let half = NUMBER_LIFE_HALF;
        for seconds in [0, 1, 19, 20, 119, 200] {
            let now = began + Duration::from_secs(seconds);
            let number = cookie_keys.number(ann, now);
            assert!((100_000..1_000_000).contains(&number));
            assert!(
                cookie_keys.is_number(number, ann, now) && cookie_keys.is_number(number, ann, now + half)
            );
            assert!(cookie_keys.is_number(number, peer("[::ffff:192.0.2.1]:5"), now), "the same address");
            assert!(!cookie_keys.is_number(number, ann, now + 2 * half), "not for ever");
            assert!(!cookie_keys.is_number(number, bob, now));
            assert!(!self::cookie_keys(2).0.is_number(number, ann, now), "another key");
        }
    }

    #[test]
    fn every_bit_of_a_cookie_counts() {
        let (cookie_keys, now) = cookie_keys(1);
        let (hello, ann) = (Purpose::Hello(7), peer("[fe80::1%3]:5"));
        let cookie = cookie_keys.make(hello, ann, now);
        for bit in 0..96 {
            let mut bent = cookie;
            bent.0[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(cookie_keys.check(bent, hello, ann, now), None, "bit {bit}");
        }
        assert_eq!(cookie_keys.check(cookie, hello, peer("[fe80::1%4]:5"), now), None);
    }
}
