//! Loss of the very last datagram, when no later datagram shows that it is missing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chat_core::{Room, RoomConfig, Waker, World};
use chat_proto::{Hello, MemberFrame, RoomFrame, Text};
use chat_testkit::{Conditions, Network, VirtualTime};
use chat_udp::{ClientSession, Endpoint, UdpConfig};

/// A timer is doubled up to this value, unless the path itself is slower.
const TIMER_MAX: Duration = Duration::from_secs(2);

/// A server and one member, on a path that loses only the datagrams that a test removes.
struct Path {
    time: VirtualTime,
    network: Network,
    room: Room,
    endpoint: Endpoint,
    session: ClientSession,
    server: SocketAddr,
    member: SocketAddr,
    got: Vec<String>,
}

impl Path {
    fn new(round_trip: Duration) -> Self {
        let time = VirtualTime::default();
        let world = World { clock: time.clock(), unix_clock: time.unix_clock(), seed: [7; 32] };
        let room = Room::in_world(RoomConfig::default(), world);
        let server = "192.0.2.1:5555".parse().expect("an address");
        let endpoint =
            Endpoint::new(&room, Waker::new(|| {}), UdpConfig::default(), server, [1; 32], time.now());
        let mut path = Self {
            network: Network::new(1, Conditions { delay: round_trip / 2, ..Conditions::default() }),
            session: ClientSession::new(1, Hello::default(), time.now()),
            member: "198.51.100.1:1".parse().expect("an address"),
            got: Vec::new(),
            time,
            room,
            endpoint,
            server,
        };
        path.pass(Duration::from_secs(5), |_, _| true);
        // These messages measure the round trip. Afterwards no datagram is on its way.
        for number in 0..10 {
            path.room.notice(&format!("before {number}")).expect("the room is open");
            path.pass(Duration::from_secs(1), |_, _| true);
        }
        assert_eq!(path.got.len(), 10);
        path.got.clear();
        path
    }

    /// Lets time pass. `passes` gets the sender and the kind of each datagram. If it returns false, the datagram is
    /// lost.
    fn pass(&mut self, duration: Duration, mut passes: impl FnMut(SocketAddr, u8) -> bool) {
        let until = self.time.now() + duration;
        loop {
            self.exchange(&mut passes);
            let next = [self.network.next_arrival(), self.endpoint.deadline(), self.session.deadline()];
            match next.into_iter().flatten().min().filter(|next| *next <= until) {
                Some(next) => self.time.advance_to(next),
                None => break,
            }
        }
        self.time.advance_to(until);
    }

    fn exchange(&mut self, passes: &mut impl FnMut(SocketAddr, u8) -> bool) {
        let now = self.time.now();
        while let Some(datagram) = self.network.receive(now) {
            if datagram.to == self.server {
                self.endpoint.receive(datagram.from, &datagram.bytes, now);
            } else {
                self.session.receive(&datagram.bytes, now);
            }
        }
        self.endpoint.on_deadline(now);
        self.endpoint.pull(now);
        let mut out = Vec::new();
        while let Some(to) = self.endpoint.transmit(&mut out, now).map(|route| route.peer) {
            if passes(self.server, out[6]) {
                self.network.send(self.server, to, &out, now);
            }
        }
        while let Some(frame) = self.session.next_frame() {
            if let RoomFrame::Entry(entry) = frame
                && entry.event.is_message()
            {
                self.got.push(entry.event.to_string());
            }
        }
        while self.session.transmit(&mut out, now) {
            if passes(self.member, out[6]) {
                self.network.send(self.member, self.server, &out, now);
            }
        }
    }
}

/// Loses the first three datagrams of this kind from `sender`. Returns when each copy was sent.
fn lose_three(path: &mut Path, sender: SocketAddr, kind: u8) -> Vec<Instant> {
    let (mut copies, time) = (Vec::new(), path.time.clone());
    path.pass(Duration::from_secs(19), |from, of_kind| {
        let is_copy = (from, of_kind) == (sender, kind) && copies.len() < 4;
        copies.extend(is_copy.then(|| time.now()));
        !is_copy || copies.len() == 4
    });
    copies
}

/// Checks that there are four copies with three timers between them, each at most twice as long as the one before.
fn three_timers(copies: &[Instant], round_trip: Duration) {
    let timers: Vec<Duration> = copies.windows(2).map(|copies| copies[1] - copies[0]).collect();
    assert_eq!(timers.len(), 3);
    for timer in &timers {
        assert!(*timer > round_trip && *timer <= TIMER_MAX, "{timers:?}, on a path of {round_trip:?}");
    }
    assert!(timers.windows(2).all(|timers| timers[1] <= 2 * timers[0]), "{timers:?}");
}

#[test]
fn what_the_room_says_last_arrives_after_three_timers_if_it_is_lost_three_times() {
    for round_trip in [1, 100, 500].map(Duration::from_millis) {
        let mut path = Path::new(round_trip);
        path.room.notice("the tail").unwrap();
        let server = path.server;
        let copies = lose_three(&mut path, server, 0x84);
        assert_eq!(path.got, ["[*] the tail"]);
        three_timers(&copies, round_trip);
    }
}

#[test]
fn what_a_member_says_last_arrives_after_three_timers_if_it_is_lost_three_times() {
    for round_trip in [1, 100, 500].map(Duration::from_millis) {
        let mut path = Path::new(round_trip);
        let now = path.time.now();
        let text = Text::one_line("the tail").unwrap();
        path.session.send(MemberFrame::Say { number: 1, text }, now);
        let member = path.member;
        let copies = lose_three(&mut path, member, 0x02);
        assert_eq!(path.got, ["[198.51.100.1:1] the tail"]);
        three_timers(&copies, round_trip);
    }
}
