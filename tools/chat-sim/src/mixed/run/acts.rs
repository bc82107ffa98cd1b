//! Lets the acts of a script happen.

use std::net::SocketAddr;
use std::rc::Rc;

use chat_core::access::Banned;
use chat_proto::{Author, Network};
use chat_testkit::Conditions;
use rand::Rng;

use super::Run;
use crate::mixed::framed_tcp::FramedTcp;
use crate::mixed::framed_udp::FramedUdp;
use crate::mixed::journal::ROOMS;
use crate::mixed::person::{Person, Surroundings};
use crate::mixed::plain_tcp::PlainTcp;
use crate::mixed::plain_udp::PlainUdp;
use crate::mixed::plan::{Act, Kind};
use crate::mixed::private_messages::Meant;
use crate::mixed::threads::HostAct;
use crate::scenario::Fault;

impl<const QUICK: bool> Run<'_, QUICK> {
    pub(super) fn happen(&mut self, act: Act) -> Result<(), Fault> {
        match act {
            Act::Flood(messages) => self.threads.ask_host(HostAct::Say(messages)),
            Act::Close => self.threads.ask_host(HostAct::Close(self.script.world.grace)),
            Act::LocalReads => self.read_local()?,
            Act::Forge => {
                let members =
                    self.people.iter().zip(&self.kinds).filter(|(_, kind)| **kind == Kind::UdpFramed);
                let members: Vec<SocketAddr> = members.filter_map(|(person, _)| person.address()).collect();
                let datagram = self.forger.forge(&members, self.server);
                if self.forger.is_stranger(datagram.from) {
                    // The check counts bytes that arrive, and the network might lose or duplicate them. So this
                    // datagram goes to the server directly.
                    self.threads.arrived(datagram);
                } else {
                    self.network.send(datagram.from, self.server, &datagram.bytes, self.time.now());
                }
            }
            Act::Outage(length) => {
                let until = self.time.now() + length;
                self.outage_until = self.outage_until.max(Some(until));
                self.network.set_conditions(Conditions { loss: 1.0, ..self.script.world.datagrams });
                for index in 0..self.people.len() {
                    self.act_as(index, act);
                }
            }
            Act::Join(member) => {
                let is_there = self.current[member].is_some_and(|index| !self.people[index].has_ended());
                if !is_there && !self.rooms.first().is_closing() {
                    let index = self.people.len();
                    let kind = self.script.members[member];
                    let person = self.born(kind, index);
                    self.people.push(person);
                    self.kinds.push(kind);
                    self.current[member] = Some(index);
                    self.act_as(index, act);
                }
            }
            Act::Kick(member) => {
                if let Some(address) = self.expects_kick(member) {
                    self.threads.ask_host(HostAct::Kick(address.into()));
                }
            }
            Act::Rename(member) => {
                if let Some(index) = self.present(member) {
                    self.names += 1;
                    self.command(index, &format!("/nick m{index}-{}", self.names));
                }
            }
            Act::Go(member, room) => {
                if let Some(index) = self.present(member) {
                    self.command(index, &format!("/join {}", ROOMS[room]));
                }
            }
            Act::Tell(member, other) => self.tell(member, other),
            Act::Mute(member) | Act::Unmute(member) => {
                if let Some(index) = self.present(member).filter(|&index| self.kinds[index] != Kind::Chunk)
                    && let Some(shown) = self.people[index].shown()
                {
                    self.act_as(index, act);
                    self.threads.ask_host(HostAct::Mute(shown, matches!(act, Act::Mute(_))));
                }
            }
            Act::Ban(member) => self.ban(member),
            act => {
                if let Some(index) = act.member().and_then(|member| self.present(member)) {
                    self.act_as(index, act);
                }
            }
        }
        Ok(())
    }

    /// The index of the person that plays this member of the script, unless it has left for good.
    fn present(&self, member: usize) -> Option<usize> {
        self.current[member].filter(|&index| !self.people[index].has_ended())
    }

    /// Tells a member that it may be kicked, and returns its address.
    fn expects_kick(&mut self, member: usize) -> Option<SocketAddr> {
        let index = self.current[member]?;
        let address = self.people[index].joined_from()?;
        // If two members share the address, the room kicks the one that is shown without a tag. Both must expect it here.
        for twin in 0..self.people.len() {
            if twin == index || self.people[twin].joined_from() == Some(address) {
                self.act_as(twin, Act::Kick(member));
            }
        }
        Some(address)
    }

    /// A member tells another one something. Of an undelimited peer nobody can tell where a private message ends.
    fn tell(&mut self, member: usize, other: usize) {
        let (Some(from), Some(to)) = (self.present(member), self.present(other)) else { return };
        if self.kinds[from] == Kind::Chunk || self.kinds[to] == Kind::Chunk {
            return;
        }
        let Some(shown) = self.people[to].shown() else { return };
        let is_framed = matches!(self.kinds[to], Kind::Framed | Kind::UdpFramed);
        let meant = Meant { who: format!("m{to}"), is_framed };
        let text = self.truth.borrow().whispers().text(&format!("m{from}"), meant);
        self.command(from, &format!("/msg {shown} {text}"));
    }

    /// Bans the member's name, or the addresses around its own, from which other members come later.
    fn ban(&mut self, member: usize) {
        let Some(index) = self.present(member) else { return };
        let shown = self.people[index].shown().and_then(|shown| shown.parse::<Author>().ok());
        let Some(address) = self.expects_kick(member) else { return };
        let banned = match shown {
            Some(Author::Named(name)) => Banned::Name(name),
            _ => {
                let network = format!("{}/30", address.ip());
                let network: Network = network.parse().expect("an address and its bits");
                for other in 0..self.people.len() {
                    if self.people[other].joined_from().is_some_and(|other| network.contains(other.ip())) {
                        self.act_as(other, Act::Kick(member));
                    }
                }
                Banned::Network(network)
            }
        };
        self.threads.ask_host(HostAct::Ban(banned));
    }

    fn command(&mut self, index: usize, line: &str) {
        let _nothing = self.with(index, |person, cx| {
            person.command(line, cx);
            Ok(())
        });
        self.stirred.insert(index);
    }

    fn born(&mut self, kind: Kind, index: usize) -> Box<dyn Person> {
        let who = format!("m{index}");
        match kind {
            Kind::Framed => Box::new(FramedTcp::new(who)),
            Kind::Lf | Kind::CrLf | Kind::Chunk => Box::new(PlainTcp::new(who, kind)),
            Kind::UdpFramed => Box::new(FramedUdp::new(who, self.random.next_u64())),
            Kind::UdpPlain => Box::new(PlainUdp::new(who)),
        }
    }

    pub(super) fn act_as(&mut self, index: usize, act: Act) {
        let _nothing = self.with(index, |person, cx| {
            person.act(act, cx);
            Ok(())
        });
        self.stirred.insert(index);
    }

    pub(super) fn with(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut dyn Person, &mut Surroundings<'_>) -> Result<(), String>,
    ) -> Result<(), Fault> {
        let truth = Rc::clone(&self.truth);
        let is_plain = self.kinds.get(index) == Some(&Kind::UdpPlain);
        let mut surroundings = Surroundings {
            now: self.time.now(),
            world: &self.script.world,
            door: &*self.threads,
            streams: &self.streams,
            network: if is_plain { &mut self.good_network } else { &mut self.network },
            truth: &truth.borrow(),
            server: self.server,
            is_cut_off: self.outage_until.is_some(),
            is_closing: self.is_closing,
            port: &mut self.port,
            lone: &mut self.lone,
        };
        let result = act(&mut *self.people[index], &mut surroundings);
        result.map_err(|detail| self.fault("order", index, &detail))
    }
}
