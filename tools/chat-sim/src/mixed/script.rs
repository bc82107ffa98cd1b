//! Draws conversations from a seed, and makes them shorter when they fail.

use std::fmt;
use std::time::Duration;

use chat_core::RoomConfig;
use chat_testkit::{Conditions, StreamConditions};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::plan::{Act, Action, Kind, MS, World};
use crate::shrink::without_parts;

/// The matrix of networks for members over UDP. Each seed takes one value of each list.
const LOSSES: [f64; 8] = [0.0, 0.001, 0.01, 0.02, 0.05, 0.10, 0.20, 0.30];
const ROUND_TRIPS: [Duration; 3] = [MS, Duration::from_millis(100), Duration::from_millis(500)];
const DUPLICATES: [f64; 4] = [0.0, 0.01, 0.1, 0.5];
const REORDERS: [f64; 3] = [0.0, 0.01, 0.04];

/// A conversation of members of every kind, with the faults that occur in it.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// The seed of all random choices of a run: networks, threads and others.
    pub(super) seed: u64,
    pub(super) world: World,
    pub(super) members: Vec<Kind>,
    pub(super) actions: Vec<Action>,
}

impl Script {
    pub(super) fn drawn(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed ^ 0x6d69_7865_6400);
        let world = World::drawn(&mut random);
        let count = random.random_range(1..=9);
        let members: Vec<Kind> = (0..count).map(|_| Kind::drawn(&mut random)).collect();
        let span = [50 * MS, 1_000 * MS, 10_000 * MS, 150_000 * MS][random.random_range(0..4)];
        let mut actions: Vec<Action> = (0..count)
            .map(|member| Action { at: span.mul_f64(random.random::<f64>() / 4.0), act: Act::Join(member) })
            .collect();
        for _ in 0..random.random_range(0..=60) {
            let at = span.mul_f64(random.random());
            actions.push(Action { at, act: Act::drawn(count, &mut random) });
        }
        if random.random_bool(0.4) {
            actions.push(Action { at: span.mul_f64(random.random()), act: Act::Close });
        }
        actions.sort_by_key(|action| action.at);
        Self { seed, world, members, actions }
    }

    /// A few members over UDP that change addresses, are cut off and are attacked. Consecutive seeds walk through the
    /// matrix of networks, so a few hundred seeds cover it.
    pub(super) fn over_udp(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let pick = |count: usize, step: u64| usize::try_from(seed / step).unwrap_or(0) % count;
        let world = World {
            datagrams: Conditions {
                loss: LOSSES[pick(LOSSES.len(), 1)],
                delay: ROUND_TRIPS[pick(ROUND_TRIPS.len(), 8)] / 2,
                duplicate: DUPLICATES[pick(DUPLICATES.len(), 24)],
                reorder: REORDERS[pick(REORDERS.len(), 96)],
                ..Conditions::default()
            },
            rate: random.random_bool(0.2).then(World::slow),
            grace: 60_000 * MS,
            ..World::calm()
        };
        let (framed, plain) = (random.random_range(1..=4), random.random_range(0..=2));
        let says = random.random_range(1..=40);
        let span = [0, 100, 3_000, 90_000][random.random_range(0..4)] * MS;
        let members = [vec![Kind::UdpFramed; framed], vec![Kind::UdpPlain; plain]].concat();
        let mut acts: Vec<Act> =
            (0..members.len()).flat_map(|member| vec![Act::Say(member, 1); says]).collect();
        acts.extend([Act::Forge; 20]);
        acts.extend(random.random_bool(0.1).then_some(Act::Flood(2_500)));
        if random.random_bool(0.2) {
            acts.extend((0..framed).map(Act::Move));
        }
        let outage = [1_000, 5_000, 15_000, 100_000][random.random_range(0..4)] * MS;
        acts.extend(random.random_bool(0.2).then_some(Act::Outage(outage)));
        let mut actions: Vec<Action> =
            (0..members.len()).map(|member| Action { at: Duration::ZERO, act: Act::Join(member) }).collect();
        actions.extend(acts.into_iter().map(|act| Action { at: span.mul_f64(random.random()), act }));
        actions.sort_by_key(|action| action.at);
        Self { seed, world, members, actions }
    }

    /// A crowd of `members` that have more to read than their sockets hold when the room closes. Some no longer read.
    pub(super) fn crowded_end(seed: u64, members: usize) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let world = World {
            threads: 2,
            streams: StreamConditions {
                delay: (MS, 20 * MS),
                buffer_bytes: 4 * 1024,
                ..StreamConditions::default()
            },
            grace: 10_000 * MS,
            ..World::calm()
        };
        let kinds: Vec<Kind> = (0..members).map(|_| Kind::drawn(&mut random)).collect();
        // A plain UDP member joins by saying something, and every member is to get that. So it joins later, when silent
        // TCP peers have become members.
        let joins = |kind| if kind == Kind::UdpPlain { 1_000 * MS } else { MS };
        let mut actions: Vec<Action> =
            (0..members).map(|member| Action { at: joins(kinds[member]), act: Act::Join(member) }).collect();
        actions.sort_by_key(|action| action.at);
        actions.extend(
            (0..members).step_by(10).map(|member| Action { at: 2_000 * MS, act: Act::Stall(member) }),
        );
        actions.extend((0..4).map(|_| Action { at: 3_000 * MS, act: Act::Flood(100) }));
        actions.push(Action { at: 3_000 * MS, act: Act::Close });
        Self { seed, world, members: kinds, actions }
    }

    /// Fifty members that together say `messages` messages while they join, leave, lose connections and are kicked.
    pub(super) fn busy(seed: u64, messages: usize) -> Self {
        const MEMBERS: usize = 50;
        const SAYS: usize = 20;
        let mut random = StdRng::seed_from_u64(seed);
        let mut world = World { threads: 3, preempted: 0.01, ..World::calm() };
        world.streams.delay = (MS, 10 * MS);
        world.datagrams = Conditions { loss: 0.01, duplicate: 0.01, reorder: 0.01, ..world.datagrams };
        let members: Vec<Kind> = (0..MEMBERS).map(|_| Kind::drawn(&mut random)).collect();
        let span = 20 * MS * u32::try_from(messages / SAYS).unwrap_or(u32::MAX);
        let mut draw = |act: fn(usize) -> Act| {
            let at = span.mul_f64(random.random());
            Action { at, act: act(random.random_range(0..MEMBERS)) }
        };
        let mut actions: Vec<Action> =
            (0..messages / SAYS).map(|_| draw(|member| Act::Say(member, SAYS))).collect();
        for _ in 0..messages / 500 {
            actions.extend([draw(Act::Reset), draw(Act::Quit), draw(Act::Kick), draw(Act::Vanish)]);
            actions.extend((0..20).map(|_| draw(Act::Join)));
        }
        actions.extend((0..MEMBERS).map(|member| Action { at: Duration::ZERO, act: Act::Join(member) }));
        actions.sort_by_key(|action| action.at);
        Self { seed, world, members, actions }
    }

    pub(super) fn without_some(&self) -> Vec<Self> {
        let with = |actions| Self { actions, ..self.clone() };
        let without = |gone| {
            let kept = self.actions.iter().filter(|action| action.act.member() != Some(gone));
            with(kept.copied().collect())
        };
        let mut shorter: Vec<Self> = (0..self.members.len()).map(without).collect();
        shorter.retain(|script| script.actions.len() < self.actions.len());
        shorter.extend(self.without_parts());
        let count = self.members.len();
        let pairs = (0..count).flat_map(|gone| (0..count).map(move |other| (gone, other)));
        shorter.extend(pairs.filter_map(|(gone, other)| self.merged(gone, other)).map(with));
        shorter.extend(self.world.calmer().map(|world| Self { world, ..self.clone() }));
        for (index, action) in self.actions.iter().enumerate() {
            shorter.extend(action.act.less().map(|act| {
                let mut actions = self.actions.clone();
                actions[index].act = act;
                with(actions)
            }));
        }
        shorter
    }

    /// The actions if one member does what two members did. `None` if these are not fewer actions.
    fn merged(&self, gone: usize, other: usize) -> Option<Vec<Action>> {
        let mut actions = self.actions.clone();
        actions.retain(|action| action.act != Act::Join(gone));
        for member in actions.iter_mut().filter_map(|action| action.act.member_mut()) {
            *member = if *member == gone { other } else { *member };
        }
        (gone != other && actions.len() < self.actions.len()).then_some(actions)
    }

    /// Scripts without a part of the actions: each half, each quarter, and so on.
    pub(super) fn without_parts(&self) -> Vec<Self> {
        let parts = without_parts(&self.actions).into_iter();
        parts.map(|actions| Self { actions, ..self.clone() }).collect()
    }

    pub(super) fn room(&self) -> RoomConfig {
        let World { rate, lag_policy, members_max, .. } = self.world;
        RoomConfig::default()
            .with_log_bytes_max(RoomConfig::LOG_BYTES_MIN)
            .with_rate(rate)
            .with_lag_policy(lag_policy)
            .with_members_max(members_max)
            .with_members_per_address_max(usize::MAX)
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let World { threads, lateness, preempted, streams, datagrams, rate, .. } = self.world;
        let World { lag_policy, members_max, twins, loses_welcomes, grace, .. } = self.world;
        writeln!(
            f,
            "threads: {threads}, up to {lateness:?} late, interrupted at {preempted} of the system calls"
        )?;
        writeln!(f, "streams: {streams:?}")?;
        writeln!(f, "datagrams: {datagrams:?}")?;
        writeln!(
            f,
            "room: rate {rate:?}, lag policy {lag_policy:?}, {members_max} members, twins {twins}, welcomes lost {loses_welcomes}, {grace:?} to drain"
        )?;
        for Action { at, act } in &self.actions {
            let kind = act.member().map_or(String::new(), |member| format!("  {:?}", self.members[member]));
            writeln!(f, "{:>10.3} s  {act:?}{kind}", at.as_secs_f64())?;
        }
        Ok(())
    }
}
