//! A network that loses, duplicates, delays and reorders datagrams. All choices are drawn from a seed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// How bad a network is.
///
/// ```
/// use chat_testkit::Conditions;
///
/// let lossy = Conditions { loss: 0.3, ..Conditions::default() };
/// assert_eq!(lossy.duplicate, 0.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// How long a datagram takes to arrive. Default 1 ms.
    pub delay: Duration,
    /// The fraction of datagrams that never arrive, from 0 to 1. Default 0.
    pub loss: f64,
    /// The fraction of datagrams that are sent twice, from 0 to 1. Default 0.
    pub duplicate: f64,
    /// The fraction of datagrams and copies that take longer by [`detour`](Self::detour), from 0 to 1. Others may
    /// overtake them. Default 0.
    pub reorder: f64,
    /// The least and the most additional time of such a datagram. Default 10 to 50 ms.
    pub detour: (Duration, Duration),
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(1),
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            detour: (Duration::from_millis(10), Duration::from_millis(50)),
        }
    }
}

/// A datagram that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// The source address. It may be forged.
    pub from: SocketAddr,
    /// The destination address.
    pub to: SocketAddr,
    /// The payload.
    pub bytes: Vec<u8>,
}

/// Datagrams on their way. The same seed and the same calls give the same network.
///
/// ```
/// use chat_testkit::{Conditions, Network, VirtualTime};
///
/// let (time, mut network) = (VirtualTime::default(), Network::new(1, Conditions::default()));
/// let (ann, bob) = ("192.0.2.1:1".parse()?, "192.0.2.2:2".parse()?);
/// network.send(ann, bob, b"hello", time.now());
/// assert_eq!(network.receive(time.now()), None, "it takes a millisecond");
/// let Some(arrival) = network.next_arrival() else { panic!("nothing is lost here") };
/// time.advance_to(arrival);
/// assert_eq!(network.receive(time.now()).map(|datagram| datagram.to), Some(bob));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug)]
pub struct Network {
    random: StdRng,
    conditions: Conditions,
    /// Sorted by arrival. Datagrams that arrive at the same time keep the order in which they were sent.
    on_the_way: BTreeMap<(Instant, u64), Datagram>,
    sent: u64,
}

impl Network {
    /// A network without datagrams.
    #[must_use]
    pub fn new(seed: u64, conditions: Conditions) -> Self {
        Self { random: StdRng::seed_from_u64(seed), conditions, on_the_way: BTreeMap::new(), sent: 0 }
    }

    /// Changes the conditions. Datagrams that are on their way keep their times of arrival.
    pub fn set_conditions(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    /// Sends a datagram on its way.
    pub fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8], now: Instant) {
        let Conditions { loss, duplicate, .. } = self.conditions;
        let copies = if self.random.random_bool(duplicate) { 2 } else { 1 };
        for _ in 0..copies {
            let arrival = now + self.delay();
            if !self.random.random_bool(loss) {
                self.sent += 1;
                self.on_the_way.insert((arrival, self.sent), Datagram { from, to, bytes: bytes.to_vec() });
            }
        }
    }

    fn delay(&mut self) -> Duration {
        let Conditions { delay, reorder, detour: (least, most), .. } = self.conditions;
        if self.random.random_bool(reorder) { delay + self.random.random_range(least..=most) } else { delay }
    }

    /// When the next datagram arrives. `None` if nothing is on its way.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Instant> {
        self.on_the_way.first_key_value().map(|(&(arrival, _), _)| arrival)
    }

    /// Takes a datagram that has arrived by `now`. `None` if there is none.
    pub fn receive(&mut self, now: Instant) -> Option<Datagram> {
        let next = self.on_the_way.first_entry()?;
        (next.key().0 <= now).then(|| next.remove())
    }

    /// How many datagrams are on their way or not received yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.on_the_way.len()
    }

    /// Whether no datagrams are on their way and all were received.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.on_the_way.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VirtualTime;

    fn arrivals(seed: u64, conditions: Conditions) -> Vec<(Duration, u8)> {
        let time = VirtualTime::default();
        let mut network = Network::new(seed, conditions);
        let (ann, bob) = ("192.0.2.1:1".parse().unwrap(), "192.0.2.2:2".parse().unwrap());
        for number in 0..200 {
            network.send(ann, bob, &[number], time.now());
        }
        let mut arrivals = Vec::new();
        while let Some(arrival) = network.next_arrival() {
            time.advance_to(arrival);
            while let Some(datagram) = network.receive(time.now()) {
                arrivals.push((time.passed(), datagram.bytes[0]));
            }
        }
        arrivals
    }

    #[test]
    fn a_good_network_delivers_everything_once_and_in_order() {
        let all = (0..200).map(|number| (Duration::from_millis(1), number)).collect::<Vec<_>>();
        assert_eq!(arrivals(1, Conditions::default()), all);
    }

    #[test]
    fn a_bad_one_is_as_bad_as_it_is_told_to_be_and_always_the_same() {
        let conditions = Conditions { loss: 0.3, duplicate: 0.5, reorder: 0.1, ..Conditions::default() };
        let arrivals = arrivals(7, conditions);
        assert_eq!(arrivals, self::arrivals(7, conditions));
        assert_ne!(arrivals, self::arrivals(8, conditions));
        // 200 x 1.5 x 0.7 = 210
        assert!((170..250).contains(&arrivals.len()), "{}", arrivals.len());
        assert!(!arrivals.is_sorted_by_key(|&(_, number)| number));
        assert!(arrivals.iter().all(|&(at, _)| at <= Duration::from_millis(51)));
    }
}
