//! One run: who is there, what happens, and time.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chat_core::{Heard, LocalMember, Room, Waker, World};
use chat_proto::{Ack, Cookie, Hello, MemberDatagram, PREFACE, SessionId, Text};
use chat_testkit::{Conditions, Network, VirtualTime};
use chat_udp::{Endpoint, UdpConfig};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use super::check::{self, Ledger, Truth};
use super::member::{Member, Shown};
use super::plan::Plan;
use crate::scenario::Report;

/// The longest that a run may take, in its own time: many times what the worst network needs.
const TALK_MAX: Duration = Duration::from_secs(1_800);

/// The most moments that a run may have: several for each datagram of the longest one.
const STEPS_MAX: u64 = 1_000_000;

/// How long the room gives its members to read the farewell.
const GRACE: Duration = Duration::from_secs(60);

/// What UDP and IPv4 add to each datagram on the wire.
const HEADERS_BYTES: usize = 28;

/// Something that happens at a time that was drawn beforehand.
#[derive(Clone, Debug)]
enum Event {
    Plain(SocketAddr, String),
    Flood,
    Move(usize),
    Forge,
    /// Nothing gets through any more.
    Outage,
    /// And now it does again.
    Restored,
}

pub(super) struct Run {
    plan: Plan,
    time: VirtualTime,
    network: Network,
    random: StdRng,
    room: Room,
    local: LocalMember,
    server: SocketAddr,
    endpoint: Endpoint,
    members: Vec<Member>,
    /// What each of them says.
    scripts: Vec<Vec<Text>>,
    events: VecDeque<(Instant, Event)>,
    truth: Truth,
    /// Addresses that never prove anything.
    ledger: Ledger,
    datagrams: u64,
    steps: u64,
}

impl Run {
    pub(super) fn new(plan: Plan) -> Self {
        let mut random = StdRng::seed_from_u64(plan.seed.wrapping_add(1 << 32));
        let time = VirtualTime::default();
        let now = time.now();
        let world = World { clock: time.clock(), unix_ms: 0, seed: random.random() };
        let room = Room::in_world(plan.room(), world);
        let local = room.join("seat".parse().expect("a name")).expect("the first seat");
        let server = SocketAddr::from(([192, 0, 2, 1], 5555));
        // Plain members speak from there, and nobody asks them for a number.
        let config = UdpConfig::default().with_trusted("10.0.0.0/8".parse().expect("a network"));
        let endpoint = Endpoint::new(&room, Waker::new(|| {}), config, server, random.random(), now);

        let mut at = |plan: &Plan| now + plan.talk.mul_f64(random.random());
        let mut events = Vec::new();
        for number in 0..plan.plain {
            let address = SocketAddr::from(([10, 0, 1, 1], 1_000 + u16::try_from(number).expect("few")));
            events.extend(
                (0..plan.says).map(|i| (at(&plan), Event::Plain(address, format!("plain {number} {i}")))),
            );
        }
        events.extend((plan.flood > 0).then(|| (at(&plan), Event::Flood)));
        events.extend((0..plan.forged).map(|_| (at(&plan), Event::Forge)));
        if plan.moving {
            events.extend((0..plan.framed).map(|number| (at(&plan), Event::Move(number))));
        }
        if let Some(outage) = plan.outage {
            let begins = at(&plan);
            events.extend([(begins, Event::Outage), (begins + outage, Event::Restored)]);
        }
        let mut scripts = Vec::new();
        let mut timed = Vec::new();
        for number in 0..plan.framed {
            let mut times: Vec<Instant> = (0..plan.says).map(|_| at(&plan)).collect();
            times.sort();
            let texts: Vec<Text> =
                (0..plan.says).filter_map(|i| Text::one_line(&format!("framed {number} {i}")).ok()).collect();
            timed.push(times.into_iter().zip(texts.iter().cloned()).collect::<VecDeque<_>>());
            scripts.push(texts);
        }
        events.sort_by_key(|(at, _)| *at);
        let members = timed
            .into_iter()
            .enumerate()
            .map(|(number, script)| {
                let address =
                    SocketAddr::from(([203, 0, 113, 1], 2_000 + u16::try_from(number).expect("few")));
                Member::new(number, address, script, StdRng::seed_from_u64(random.next_u64()), now)
            })
            .collect();
        let network = Network::new(random.next_u64(), plan.conditions);
        Self {
            plan,
            time,
            network,
            random,
            room,
            local,
            server,
            endpoint,
            members,
            scripts,
            events: events.into(),
            truth: Truth::new(),
            ledger: Ledger::new(),
            datagrams: 0,
            steps: 0,
        }
    }

    /// Until everything is said, confirmed and read.
    pub(super) fn talk(&mut self) -> Result<(), String> {
        let deadline = self.time.now() + TALK_MAX;
        while !self.all_is_said() {
            self.step()?;
            if self.time.now() > deadline {
                let state: Vec<_> = self.members.iter().map(|member| (member.has, member.sessions)).collect();
                return Err(format!(
                    "the room is at {}, members (has, sessions): {state:?}",
                    self.room.stats().messages
                ));
            }
        }
        Ok(())
    }

    fn all_is_said(&self) -> bool {
        let head = self.room.stats().messages;
        self.events.is_empty() && self.members.iter().all(|member| member.is_done(head))
    }

    /// Until everyone has the farewell and has left.
    pub(super) fn close(&mut self) -> Result<(), String> {
        let deadline = self.time.now() + GRACE;
        self.room.close("farewell", GRACE);
        self.endpoint.drain(self.time.now());
        while !self.endpoint.is_drained() {
            self.step()?;
            if self.time.now() > deadline {
                return Err("members are left that do not know of it".to_owned());
            }
        }
        Ok(())
    }

    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        for (member, said) in self.members.iter().zip(&self.scripts) {
            let who = |detail| format!("framed member {}: {detail}", member.number);
            check::order(member, &self.truth).map_err(|detail| ("order", who(detail)))?;
            check::says(member, said, &self.truth).map_err(|detail| ("says", who(detail)))?;
        }
        check::no_forgery(&self.truth).map_err(|detail| ("forgery", detail))?;
        check::no_amplification(&self.ledger).map_err(|detail| ("amplification", detail))
    }

    pub(super) fn report(&self) -> Report {
        let shown = || self.members.iter().flat_map(|member| &member.shown);
        let missed = |shown: &Shown| if let Shown::Missed(messages) = shown { *messages } else { 0 };
        let is_message = |shown: &&Shown| matches!(shown, Shown::Entry(entry) if entry.event.is_message());
        Report {
            messages: self.truth.len() as u64,
            delivered: shown().filter(is_message).count() as u64,
            missed: shown().map(missed).sum(),
            sessions: self.members.iter().map(|member| member.sessions).sum(),
            datagrams: self.datagrams,
            time: self.time.passed(),
        }
    }

    // ---- one moment ----------------------------------------------------------------------------

    /// Goes to the next moment at which something happens, and lets it happen.
    fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(format!("{STEPS_MAX} moments and no end, at {:?}", self.time.passed()));
        }
        let deadlines = self.members.iter().filter_map(Member::deadline);
        let others =
            [self.network.next_arrival(), self.endpoint.deadline(), self.events.front().map(|(at, _)| *at)];
        let next = deadlines.chain(others.into_iter().flatten()).min().ok_or("nothing will ever happen")?;
        self.time.advance_to(next);
        let now = self.time.now();
        while self.events.front().is_some_and(|(at, _)| *at <= now)
            && let Some((_, event)) = self.events.pop_front()
        {
            self.happen(event, now);
        }
        while let Some(datagram) = self.network.receive(now) {
            if datagram.to == self.server {
                self.endpoint.receive(datagram.from, &datagram.bytes, now);
            } else if let Some(member) = self.members.iter_mut().find(|member| member.address == datagram.to)
            {
                member.receive(&datagram.bytes, now);
            }
        }
        self.endpoint.on_deadline(now);
        self.endpoint.pull(now);
        let mut out = Vec::new();
        while let Some(to) = self.endpoint.transmit(&mut out, now) {
            if let Some((_, was_sent)) = self.ledger.get_mut(&to) {
                *was_sent += HEADERS_BYTES + out.len();
            }
            self.datagrams += 1;
            self.network.send(self.server, to, &out, now);
        }
        for member in &mut self.members {
            member.step(now, |from, bytes| {
                self.datagrams += 1;
                self.network.send(from, self.server, bytes, now);
            });
        }
        self.listen()
    }

    fn listen(&mut self) -> Result<(), String> {
        while let Ok(heard) = self.local.try_recv() {
            match heard {
                Heard::Entry(entry) if entry.event.is_message() => drop(self.truth.insert(entry.seq, entry)),
                Heard::Entry(_) => {}
                Heard::Missed(messages) => {
                    return Err(format!("the seat itself has missed {messages} messages"));
                }
            }
        }
        Ok(())
    }

    fn happen(&mut self, event: Event, now: Instant) {
        match event {
            Event::Plain(from, text) => self.network.send(from, self.server, text.as_bytes(), now),
            Event::Flood => {
                for number in 0..self.plan.flood {
                    self.room.notice(&format!("flood {number}")).expect("the room is open");
                    // The local member that knows the truth keeps up.
                    self.listen().expect("a message at a time");
                }
            }
            Event::Move(number) => {
                let member = &mut self.members[number];
                member.address.set_port(member.address.port() + 1_000);
            }
            Event::Forge => self.forge(now),
            Event::Outage => self.network.set_conditions(Conditions { loss: 1.0, ..self.plan.conditions }),
            Event::Restored => self.network.set_conditions(self.plan.conditions),
        }
    }

    /// Sends what an attacker can: from any address, with anything that he cannot know made up.
    fn forge(&mut self, now: Instant) {
        let session = SessionId::new(self.random.next_u64());
        let says = vec![Text::one_line("forged").expect("short")];
        let traffic = MemberDatagram::Traffic { session, ping: true, ack: Ack::default(), first: 1, says };
        let nonce = self.random.next_u64();
        let random_cookie = Cookie(self.random.random());
        let hello = |cookie| MemberDatagram::Hello { nonce, cookie, hello: Hello::default() };
        let member = self.random.random_range(0..self.members.len());
        let member = self.members[member].address;
        let stranger =
            SocketAddr::from(([198, 51, 100, self.random.random()], self.random.random_range(1..9_999)));
        let (from, datagram) = match self.random.random_range(0..8) {
            0 => (member, traffic),
            1 => (member, MemberDatagram::Bye { session }),
            2 => (member, MemberDatagram::Path { session, cookie: random_cookie }),
            3 => (stranger, traffic),
            4 => (stranger, MemberDatagram::Path { session, cookie: random_cookie }),
            5 => (stranger, hello(Some(random_cookie))),
            6 => (stranger, hello(None)),
            _ => return self.forge_noise(stranger, now),
        };
        let mut bytes = Vec::new();
        datagram.encode(&mut bytes);
        self.forge_from(from, &bytes, now);
    }

    fn forge_noise(&mut self, from: SocketAddr, now: Instant) {
        let mut bytes = if self.random.random() { PREFACE.to_vec() } else { b"forged ".to_vec() };
        let noise = self.random.random_range(0..100);
        bytes.extend((0..noise).map(|_| self.random.random::<u8>()));
        self.forge_from(from, &bytes, now);
    }

    fn forge_from(&mut self, from: SocketAddr, bytes: &[u8], now: Instant) {
        if !self.members.iter().any(|member| member.address == from) {
            // What arrives counts, and how often that happens is the network's business.
            self.ledger.entry(from).or_default().0 += HEADERS_BYTES + bytes.len();
            self.endpoint.receive(from, bytes, now);
        } else {
            self.network.send(from, self.server, bytes, now);
        }
    }
}
