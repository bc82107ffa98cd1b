//! One run: advances time from moment to moment, and lets everything happen.

mod acts;
mod end;

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chat_core::{LocalMember, Rooms, World as RoomWorld};
use chat_testkit::{Conditions, Network, Streams, VirtualTime};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::mixed::follower::Follower;
use crate::mixed::forger::Forger;
use crate::mixed::journal::Keeper;
use crate::mixed::person::{Lone, Person};
use crate::mixed::plan::{Act, Action, Kind};
use crate::mixed::script::Script;
use crate::mixed::threads::{HostAct, Threads};
use crate::mixed::truth::Truth;
use crate::mixed::udp_thread::UdpThread;
use crate::scenario::{Fault, Report};

/// The longest time that members may take to hear and say everything, once nothing more happens to them.
const SETTLING_MAX: Duration = Duration::from_secs(1_800);

/// How long nothing happens after that.
const REST: Duration = Duration::from_secs(6);

/// A run with more moments than this is judged endless: a fixed number, and an additional number for each action.
const STEPS_MAX: u64 = 300_000;
const STEPS_PER_ACTION_MAX: u64 = 1_000;

/// If the room has at least this much time to drain, every member that reads must get everything.
const REACHES_ALL: Duration = Duration::from_secs(10);

pub(super) struct Run<'s, const QUICK: bool> {
    script: &'s Script,
    began: Instant,
    time: VirtualTime,
    streams: Streams,
    network: Network,
    /// A network without loss, for plain peers over UDP. On a bad network they are promised nothing.
    good_network: Network,
    forger: Forger,
    /// The end of the present outage, during which nothing gets through.
    outage_until: Option<Instant>,
    rooms: Rooms,
    truth: Rc<RefCell<Truth>>,
    threads: Rc<Threads<QUICK>>,
    server: SocketAddr,
    /// A local member that is seldom read.
    lazy: (LocalMember, Follower),
    people: Vec<Box<dyn Person>>,
    /// For each member of the script, its present index in `people`.
    current: Vec<Option<usize>>,
    /// The indexes of people that have something to do at this moment.
    stirred: BTreeSet<usize>,
    actions: VecDeque<Action>,
    random: StdRng,
    port: u16,
    /// How many names were asked for.
    names: usize,
    lone: Lone,
    keeper: Keeper,
    is_closing: bool,
    datagrams: u64,
    steps: u64,
    kinds: Vec<Kind>,
}

impl<'s, const QUICK: bool> Run<'s, QUICK> {
    pub(super) fn new(script: &'s Script) -> Self {
        let mut random = StdRng::seed_from_u64(script.seed.wrapping_add(1 << 40));
        let time = VirtualTime::default();
        let world = &script.world;
        let keeper = Keeper::drawn(script.seed, world.streams.buffer_bytes);
        let (clock, seed) = (time.clone(), AtomicU64::new(random.random()));
        let rooms = keeper.rooms(script.room(), move || RoomWorld {
            clock: clock.clock(),
            unix_clock: clock.unix_clock(),
            seed: StdRng::seed_from_u64(seed.fetch_add(1, Ordering::Relaxed)).random(),
        });
        let truth = Rc::new(RefCell::new(Truth::new(&rooms)));
        let lazy = rooms.first().join("lazy").expect("the second local member");
        let server = SocketAddr::from(([192, 0, 2, 1], 5555));
        let udp = UdpThread::new(&rooms, server, random.random(), &time);
        let threads = Threads::new(world, &rooms, &truth, &time, udp, random.next_u64());
        let good = Conditions { delay: world.datagrams.delay, ..Conditions::default() };
        Self {
            script,
            began: time.now(),
            streams: Streams::new(random.next_u64(), &time),
            network: Network::new(random.next_u64(), world.datagrams),
            good_network: Network::new(0, good),
            forger: Forger::new(random.next_u64()),
            outage_until: None,
            time,
            rooms,
            truth,
            threads,
            server,
            lazy: (lazy, Follower::new(0, 0, None)),
            people: Vec::new(),
            current: vec![None; script.members.len()],
            stirred: BTreeSet::new(),
            actions: script.actions.iter().copied().collect(),
            random,
            port: 0,
            names: 0,
            lone: Lone::default(),
            keeper,
            is_closing: false,
            datagrams: 0,
            steps: 0,
            kinds: Vec::new(),
        }
    }

    /// Plays the script, lets every member catch up, closes the room, and checks all promises.
    pub(super) fn play(&mut self) -> Result<Report, Fault> {
        while !self.actions.is_empty() {
            self.step()?;
        }
        // If the script closes the room itself, the members do not get time to catch up first.
        if !self.script.actions.iter().any(|action| action.act == Act::Close) {
            self.settle()?;
            self.threads.ask_host(HostAct::Close(self.script.world.grace));
        }
        self.end()?;
        self.check()?;
        Ok(self.report())
    }

    /// Runs until every present member has heard and said everything. Then runs a little longer, so the server knows it
    /// too.
    fn settle(&mut self) -> Result<(), Fault> {
        let deadline = self.time.now() + SETTLING_MAX;
        for index in 0..self.people.len() {
            self.act_as(index, Act::GoOn(0));
        }
        loop {
            let truth = Rc::clone(&self.truth);
            let truth = truth.borrow();
            let waiting = self.people.iter_mut().position(|person| !person.is_done(&truth));
            let is_waiting = self.rooms.all().iter().map(|room| room.stats().messages).sum::<u64>()
                > truth.messages()
                || self.outage_until.is_some();
            drop(truth);
            let Some(waiting) = waiting.or(is_waiting.then_some(usize::MAX)) else { return self.rest() };
            if self.time.now() > deadline {
                let state = self.people.get(waiting).map_or(String::new(), |person| person.describe());
                return Err(self.fault("no end", waiting, &format!("is still waiting: {state}")));
            }
            self.step().map_err(|fault| match fault.what {
                "nothing happens" => self.fault("no end", waiting, "waits for what never comes"),
                _ => fault,
            })?;
        }
    }

    fn rest(&mut self) -> Result<(), Fault> {
        let until = self.time.now() + REST;
        while self.time.now() < until {
            match self.step() {
                Err(fault) if fault.what == "nothing happens" => self.time.advance_to(until),
                result => result?,
            }
        }
        Ok(())
    }

    /// Runs until every thread has ended and every member knows of it.
    fn end(&mut self) -> Result<(), Fault> {
        let deadline = self.time.now() + self.script.world.grace + SETTLING_MAX;
        while !self.threads.are_over() {
            self.step()?;
            if self.time.now() > deadline {
                return Err(Fault::new("no end after closing", "threads that never end"));
            }
        }
        while self.streams.next_event().is_some()
            || self.network.next_arrival().is_some()
            || self.good_network.next_arrival().is_some()
        {
            self.step()?;
        }
        Ok(())
    }

    // ---- one moment ----------------------------------------------------------------------------

    /// Advances time to the next moment at which something happens, and lets it happen.
    fn step(&mut self) -> Result<(), Fault> {
        self.steps += 1;
        if self.steps > STEPS_MAX + STEPS_PER_ACTION_MAX * self.script.actions.len() as u64 {
            return Err(Fault::new("no end", format!("{} moments, at {:?}", self.steps, self.time.passed())));
        }
        let now = self.time.now();
        let deadlines: Vec<Option<Instant>> = self.people.iter().map(|person| person.deadline()).collect();
        let others = [
            self.actions.front().map(|action| self.began + action.at),
            self.streams.next_event(),
            self.network.next_arrival(),
            self.good_network.next_arrival(),
            self.threads.next(now),
            self.outage_until,
            self.keeper.due(now, self.rooms.first().is_closing()),
            (!self.stirred.is_empty()).then_some(now),
        ];
        let next = deadlines.iter().chain(&others).copied().flatten().min();
        let next = next.ok_or_else(|| Fault::new("nothing happens", "and nothing ever will"))?;
        self.time.advance_to(next);
        let now = self.time.now();
        let is_due = |(index, at): (usize, &Option<Instant>)| at.is_some_and(|at| at <= now).then_some(index);
        self.stirred.extend(deadlines.iter().enumerate().filter_map(is_due));

        if self.outage_until.is_some_and(|until| until <= now) {
            self.outage_until = None;
            self.network.set_conditions(self.script.world.datagrams);
        }
        while self.actions.front().is_some_and(|action| self.began + action.at <= now)
            && let Some(action) = self.actions.pop_front()
        {
            self.happen(action.act)?;
        }
        for event in self.streams.events() {
            if !self.threads.event(event) {
                // The event belongs to a client. It does not matter what the event is: the client finds out by trying.
                self.stirred.extend(self.owner(event.end));
            }
        }
        self.deliver(now)?;
        self.keeper.run(now);
        self.threads.run(now);
        self.send(now);
        self.notice_closing();
        for index in std::mem::take(&mut self.stirred) {
            self.with(index, |person, cx| person.step(cx))?;
        }
        self.check_authors()?;
        let fault = self.threads.fault(self.script.room().log_bytes_max());
        let fault = fault.map(|fault| Fault::new("memory", fault));
        fault
            .or_else(|| self.truth.borrow().fault().map(|fault| Fault::new("log", fault)))
            .map_or(Ok(()), Err)
    }

    fn owner(&self, end: usize) -> Option<usize> {
        self.people.iter().position(|person| person.has_end(end))
    }

    fn deliver(&mut self, now: Instant) -> Result<(), Fault> {
        loop {
            let datagram = self.network.receive(now).or_else(|| self.good_network.receive(now));
            let Some(datagram) = datagram else { return Ok(()) };
            if datagram.to == self.server {
                self.threads.arrived(datagram);
            } else if let Some(index) = (0..self.people.len()).find(|&index| self.is_at(index, datagram.to)) {
                self.with(index, |person, cx| person.datagram(datagram.to, &datagram.bytes, cx))?;
                self.stirred.insert(index);
            }
        }
    }

    /// Whether this member uses UDP and is present at this address.
    fn is_at(&self, index: usize, address: SocketAddr) -> bool {
        matches!(self.kinds[index], Kind::UdpFramed | Kind::UdpPlain)
            && self.people[index].address() == Some(address)
    }

    fn send(&mut self, now: Instant) {
        for datagram in self.threads.udp.borrow_mut().sent() {
            self.datagrams += 1;
            self.forger.sent(&datagram);
            let is_plain = datagram.to.ip().to_string().starts_with("10.");
            let network = if is_plain { &mut self.good_network } else { &mut self.network };
            network.send(datagram.from, datagram.to, &datagram.bytes, now);
        }
    }

    fn notice_closing(&mut self) {
        if !self.is_closing && self.rooms.first().is_closing() {
            self.is_closing = true;
            let reaches_all = self.script.world.grace >= REACHES_ALL;
            for index in 0..if reaches_all { self.people.len() } else { 0 } {
                let _nothing = self.with(index, |person, cx| {
                    person.closing(cx);
                    Ok(())
                });
            }
        }
    }

    fn fault(&self, what: &'static str, index: usize, detail: &str) -> Fault {
        let who = self.kinds.get(index).map_or("the truth".to_owned(), |kind| format!("m{index} ({kind:?})"));
        Fault::new(what, format!("{who}, after {:?}: {detail}", self.time.passed()))
    }
}
