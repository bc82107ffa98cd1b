//! One run: the process lives, dies and is started again, and its clients talk.

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chat_proto::{Author, MemberId, Origin, Text};
use chat_testkit::{Network, ScriptedJournal, Streams, VirtualTime};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use super::client::Client;
use super::link::Link;
use super::process::Process;
use super::script::{Act, Action, DeathPoint, Flaw, Over, Script};
use crate::scenario::{Fault, Report};

/// The longest time that clients may take to say and read everything, once nothing more happens.
const SETTLING_MAX: Duration = Duration::from_secs(600);

/// The time in which a refusal arrives, even on the worst of the networks.
const REST: Duration = Duration::from_secs(30);

/// A run with more moments than this is judged endless.
const STEPS_MAX: u64 = 300_000;

pub(super) struct Run<'s> {
    script: &'s Script,
    time: VirtualTime,
    began: Instant,
    streams: Streams,
    network: Network,
    random: StdRng,
    journal: ScriptedJournal,
    /// When the journal works next.
    works_at: Option<Instant>,
    fails_until: Instant,
    stands_until: Instant,
    server: SocketAddr,
    /// `None` while it is dead.
    process: Option<Process>,
    starts_at: Option<Instant>,
    /// Where it is to die, after it has come to this point this many times.
    deaths_due: Vec<(DeathPoint, usize)>,
    deaths: u64,
    clients: Vec<Client>,
    actions: VecDeque<Action>,
    /// Authors whose first message was kept, for a journal with a flaw.
    doubled: HashSet<String>,
    port: u16,
    steps: u64,
    datagrams: u64,
}

impl<'s> Run<'s> {
    pub(super) fn new(script: &'s Script) -> Self {
        let time = VirtualTime::default();
        let began = time.now();
        let mut random = StdRng::seed_from_u64(script.seed.wrapping_add(1 << 41));
        let clients = script.members.iter().enumerate();
        Self {
            script,
            began,
            streams: Streams::new(random.next_u64(), &time),
            network: Network::new(random.next_u64(), script.datagrams),
            journal: ScriptedJournal::default().with_queue_max(script.queue_max),
            works_at: None,
            fails_until: began,
            stands_until: began,
            server: SocketAddr::from(([192, 0, 2, 1], 5555)),
            process: None,
            starts_at: Some(began),
            deaths_due: Vec::new(),
            deaths: 0,
            clients: clients.map(|(index, &over)| Client::new(format!("m{index}"), over, began)).collect(),
            actions: script.actions.iter().copied().collect(),
            doubled: HashSet::new(),
            port: 0,
            steps: 0,
            datagrams: 0,
            random,
            time,
        }
    }

    pub(super) fn play(mut self) -> Result<Report, Fault> {
        while !self.actions.is_empty() {
            self.step()?;
        }
        let deadline = self.time.now() + SETTLING_MAX;
        while let Some(waiting) = self.waiting() {
            if self.time.now() > deadline {
                return Err(Fault::new("no end", waiting));
            }
            self.step()?;
        }
        self.rest()?;
        let kept = self.journal.texts();
        let may_refuse = self.script.may_refuse();
        let refusals_lost = self.deaths > 0 && may_refuse;
        for client in &self.clients {
            client.check(&kept, may_refuse, refusals_lost).map_err(|fault| Fault::new("kept", fault))?;
        }
        Ok(Report {
            messages: kept.len() as u64,
            delivered: self.clients.iter().map(|client| client.read.len() as u64).sum(),
            sessions: self.clients.iter().map(|client| client.links).sum(),
            datagrams: self.datagrams,
            deaths: self.deaths,
            time: self.time.passed(),
            ..Report::default()
        })
    }

    /// Lets some more time pass: a refusal may still be on its way.
    fn rest(&mut self) -> Result<(), Fault> {
        let until = self.time.now() + REST;
        while self.time.now() < until {
            match self.step() {
                Err(fault) if fault.what == "nothing happens" => return Ok(()),
                result => result?,
            }
        }
        Ok(())
    }

    /// What is not done yet, if anything.
    fn waiting(&self) -> Option<String> {
        if self.process.is_none() || self.journal.waiting() > 0 {
            return Some("the journal".to_owned());
        }
        let head = self.journal.texts().len() as u64;
        self.clients.iter().find(|client| !client.is_done(head)).map(Client::describe)
    }

    /// Advances time to the next moment at which something happens, and lets it happen.
    fn step(&mut self) -> Result<(), Fault> {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return Err(Fault::new("no end", format!("{} moments, at {:?}", self.steps, self.time.passed())));
        }
        let now = self.time.now();
        let process = self.process.as_ref().and_then(|process| process.deadline(now));
        let others = [
            self.actions.front().map(|action| self.began + action.at),
            self.streams.next_event(),
            self.network.next_arrival(),
            self.starts_at,
            self.journal_due(now),
            process,
        ];
        let clients = self.clients.iter().map(Client::deadline);
        let next = clients.chain(others).flatten().min();
        let Some(next) = next else {
            return Err(Fault::new("nothing happens", self.waiting().unwrap_or_default()));
        };
        self.time.advance_to(next);
        let now = self.time.now();
        while self.actions.front().is_some_and(|action| self.began + action.at <= now)
            && let Some(action) = self.actions.pop_front()
        {
            self.happen(action.act, now);
        }
        if self.starts_at.take_if(|starts_at| *starts_at <= now).is_some() {
            self.process = Some(Process::start(&self.journal, self.server, self.random.random(), &self.time));
        }
        self.deliver(now);
        self.work(now);
        self.serve(now);
        for index in 0..self.clients.len() {
            self.live(index, now).map_err(|fault| Fault::new("client", fault))?;
        }
        Ok(())
    }

    fn happen(&mut self, act: Act, now: Instant) {
        match act {
            Act::Say(member, messages) => self.clients[member].say(messages),
            Act::Break(member) => self.clients[member].lose_link(now),
            Act::Die(point, after) => self.deaths_due.push((point, after)),
            Act::Fail(length) => self.fails_until = self.fails_until.max(now + length),
            Act::Stand(length) => self.stands_until = self.stands_until.max(now + length),
        }
    }

    fn deliver(&mut self, now: Instant) {
        for event in self.streams.events() {
            // The clients find out by trying.
            if let Some(process) = &mut self.process {
                process.event(event);
            }
        }
        while let Some(datagram) = self.network.receive(now) {
            if datagram.to != self.server {
                let links = self.clients.iter_mut().filter_map(|client| client.link.as_mut());
                links.for_each(|link| link.datagram(datagram.to, &datagram.bytes, now));
            } else if let Some(process) = &mut self.process {
                process.arrived(datagram);
            }
        }
    }

    // ---- the process ---------------------------------------------------------------------------

    /// Whether the process is to die here.
    fn dies_at(&mut self, point: DeathPoint) -> bool {
        let Some(place) = self.deaths_due.iter().position(|(at, _)| *at == point) else { return false };
        let after = &mut self.deaths_due[place].1;
        if *after > 0 {
            *after -= 1;
            return false;
        }
        self.deaths_due.remove(place);
        true
    }

    fn die(&mut self, now: Instant) {
        self.process = None;
        self.journal.crash();
        if self.script.flaw == Some(Flaw::LosesKept) {
            self.journal.lose_newest(1);
        }
        self.works_at = None;
        self.deaths += 1;
        self.starts_at = Some(now + self.script.pause);
    }

    fn serve(&mut self, now: Instant) {
        let Some(process) = &self.process else { return };
        if process.deadline(now).is_none_or(|deadline| deadline > now) {
            return;
        }
        if process.has_input() && self.dies_at(DeathPoint::Received) {
            return self.die(now);
        }
        let Some(process) = &mut self.process else { return };
        for datagram in process.run(now) {
            self.datagrams += 1;
            self.network.send(datagram.from, datagram.to, &datagram.bytes, now);
        }
        if process.is_dead() {
            self.die(now);
        }
    }

    // ---- the journal ---------------------------------------------------------------------------

    fn journal_due(&mut self, now: Instant) -> Option<Instant> {
        if self.process.is_none() || self.journal.waiting() + self.journal.questions() == 0 {
            return None;
        }
        let late = self.script.lateness.mul_f64(self.random.random());
        let works_at = *self.works_at.get_or_insert(now + late);
        Some(works_at.max(self.stands_until))
    }

    fn work(&mut self, now: Instant) {
        if self.journal_due(now).is_none_or(|due| due > now) {
            return;
        }
        self.works_at = None;
        self.journal.answer(usize::MAX);
        let waiting = self.journal.waiting();
        if waiting == 0 {
            return;
        }
        if self.dies_at(DeathPoint::Submitted) {
            return self.die(now);
        }
        if now < self.fails_until {
            self.journal.fail("the disk is full");
            if self.dies_at(DeathPoint::Refused) {
                self.die(now);
            }
            return;
        }
        if waiting > 1 && self.dies_at(DeathPoint::KeptSome) {
            self.journal.keep(self.random.random_range(1..waiting));
            return self.die(now);
        }
        if self.dies_at(DeathPoint::KeptAll) {
            self.journal.keep(usize::MAX);
            return self.die(now);
        }
        self.journal.keep([1, 10, usize::MAX][self.random.random_range(0..3)]);
        if self.script.flaw == Some(Flaw::KeepsTwice) {
            self.keep_twice();
        }
        self.journal.commit();
        if self.dies_at(DeathPoint::Committed) {
            return self.die(now);
        }
        if self.dies_at(DeathPoint::Serving)
            && let Some(process) = &self.process
        {
            process.die_after(2);
        }
    }

    /// Keeps the newest message again, if its author has not been doubled before.
    fn keep_twice(&mut self) {
        let kept = self.journal.texts();
        let Some((_, text)) = kept.last().and_then(|line| line.split_once("] ")) else { return };
        let name = text.split(':').next().unwrap_or_default();
        if self.doubled.insert(name.to_owned()) {
            let author = Author::Named("double".parse().expect("a name"));
            let from = Origin { member: MemberId::ROOM, number: u64::MAX };
            let text = Text::one_line(text).expect("it was one");
            self.journal.arrive(kept.len() as u64 + 1, from, author, text);
        }
    }

    // ---- the clients ---------------------------------------------------------------------------

    fn live(&mut self, index: usize, now: Instant) -> Result<(), String> {
        let client = &mut self.clients[index];
        if client.retry_at.take_if(|retry_at| *retry_at <= now).is_some() {
            self.connect(index, now);
        }
        let client = &mut self.clients[index];
        client.listen(now)?;
        client.speak();
        let Client { link, conversation, .. } = client;
        let goes_on = link
            .as_mut()
            .is_none_or(|link| link.write(|| conversation.next_frame(), &mut self.network, self.server, now));
        if goes_on { Ok(()) } else { client.listen(now) }
    }

    fn connect(&mut self, index: usize, now: Instant) {
        let client = &mut self.clients[index];
        let hello = client.conversation.hello();
        self.port += 1;
        let address = SocketAddr::from(([198, 51, 100, 1], self.port));
        client.link = match (client.over, &mut self.process) {
            (Over::Udp, _) => Some(Link::udp(self.random.next_u64(), address, hello, now)),
            (Over::Tcp, Some(process)) => {
                let (mine, its) = self.streams.connect(self.script.streams);
                process.accept(its, address, now);
                Some(Link::tcp(mine, hello))
            }
            (Over::Tcp, None) => return client.lose_link(now),
        };
        client.links += 1;
    }
}
