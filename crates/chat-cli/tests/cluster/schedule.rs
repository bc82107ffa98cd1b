//! Schedules of faults, drawn from a seed.

use std::time::Duration;

use crossbeam_channel::{Receiver, bounded, never};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::Cluster;
use crate::checker::{Heard, check, listen, speak};
use crate::copies::filled;

const SPEAKERS: usize = 6;

/// How many messages each speaker says.
const MESSAGES: u64 = 400;

const FAULTS: u64 = 5;

/// The stream of the servers' only room.
pub(crate) const STREAM: &str = "chat_room";

/// The longest time that a server is away.
const AWAY_MS_MAX: u64 = 3_000;

/// The longest time that a link is cut: longer than it takes the server to give up its connection.
const CUT_MS_MAX: u64 = 8_000;

/// How long the speakers may take until enough messages are confirmed.
const PROGRESS_IN: Duration = Duration::from_secs(90);

#[derive(Clone, Copy, Debug)]
enum Fault {
    /// A NATS server is killed.
    NatsKilled(usize),
    /// A NATS server stops, and its connections stay open.
    NatsStopped(usize),
    /// The NATS server that decides the order is killed.
    LeaderKilled,
    /// The NATS server that decides the order is stopped.
    LeaderStopped,
    ChatKilled(usize),
    ChatStopped(usize),
    /// A chat server reaches no NATS server, and no connection is closed.
    CutOff(usize),
    /// A chat server does not reach the NATS server that decides the order.
    CutFromLeader(usize),
    /// A NATS server does not reach the others, but chat servers do.
    NatsCutOff(usize),
    /// The same happens to the one that decides the order.
    LeaderCutOff,
}

fn draw(random: &mut StdRng) -> Fault {
    let which = random.random_range(0..3);
    match random.random_range(0..10) {
        0 => Fault::NatsKilled(which),
        1 => Fault::NatsStopped(which),
        2 => Fault::LeaderKilled,
        3 => Fault::LeaderStopped,
        4 => Fault::ChatKilled(which),
        5 => Fault::ChatStopped(which),
        6 => Fault::CutOff(which),
        7 => Fault::CutFromLeader(which),
        8 => Fault::NatsCutOff(which),
        _ => Fault::LeaderCutOff,
    }
}

/// Lets members talk at all servers while the faults of this seed happen one after the other.
pub(crate) fn run(seed: u64, mut cluster: Cluster) {
    let mut random = StdRng::seed_from_u64(seed);
    let all = SPEAKERS as u64 * MESSAGES;
    let listeners: Vec<_> = (0..3).map(|number| listen(&cluster.addresses, number, all)).collect();
    let (progress, confirmed) = bounded(usize::try_from(all).unwrap());
    let speakers: Vec<_> =
        (0..SPEAKERS).map(|number| speak(&cluster.addresses, number, MESSAGES, &progress)).collect();
    for _ in 0..FAULTS {
        wait_for(&confirmed, all / (FAULTS + 1));
        let what = draw(&mut random);
        let is_cut = matches!(
            what,
            Fault::CutOff(_) | Fault::CutFromLeader(_) | Fault::NatsCutOff(_) | Fault::LeaderCutOff
        );
        let away_ms_max = if is_cut { CUT_MS_MAX } else { AWAY_MS_MAX };
        let away = Duration::from_millis(random.random_range(0..away_ms_max));
        println!("{what:?} for {away:?}");
        happen(&mut cluster, what, away);
    }
    let heard: Vec<Heard> =
        speakers.into_iter().chain(listeners).map(|member| member.join().unwrap()).collect();
    check(&heard, SPEAKERS, MESSAGES);
    // The copies of all servers have the same, each once.
    let said = filled(&cluster.copy(0), usize::try_from(all).unwrap());
    assert!(said.iter().eq(heard[heard.len() - 1].texts()), "the first copy has what a listener heard");
    (1..3).for_each(|index| assert!(filled(&cluster.copy(index), said.len()) == said, "copy {index}"));
}

fn happen(cluster: &mut Cluster, fault: Fault, away: Duration) {
    // The time for which a server is away is part of the fault.
    let pass = || {
        let _nothing = never::<()>().recv_timeout(away);
    };
    match fault {
        Fault::NatsKilled(index) => {
            cluster.nats.kill(index);
            pass();
            cluster.nats.restart(index);
        }
        Fault::NatsStopped(index) => {
            cluster.nats.stop(index);
            pass();
            cluster.nats.go_on(index);
        }
        Fault::LeaderKilled => {
            let leader = cluster.nats.leader(STREAM).unwrap_or(0);
            happen(cluster, Fault::NatsKilled(leader), away);
        }
        Fault::LeaderStopped => {
            let leader = cluster.nats.leader(STREAM).unwrap_or(0);
            happen(cluster, Fault::NatsStopped(leader), away);
        }
        Fault::ChatKilled(index) => {
            cluster.kill(index);
            pass();
            cluster.restart(index);
        }
        Fault::ChatStopped(index) => {
            let server = cluster.servers[index].as_ref().expect("it runs");
            server.process.signal("STOP");
            pass();
            server.process.signal("CONT");
        }
        Fault::CutOff(index) => {
            cluster.cut(index);
            pass();
            cluster.mend(index);
        }
        Fault::CutFromLeader(index) => {
            let link = &cluster.links[index][cluster.nats.leader(STREAM).unwrap_or(0)];
            link.cut();
            pass();
            link.mend();
        }
        Fault::NatsCutOff(index) => {
            cluster.cut_nats(index);
            pass();
            cluster.mend_nats(index);
        }
        Fault::LeaderCutOff => {
            let leader = cluster.nats.leader(STREAM).unwrap_or(0);
            happen(cluster, Fault::NatsCutOff(leader), away);
        }
    }
}

/// Waits until `count` more messages are confirmed.
fn wait_for(confirmed: &Receiver<()>, count: u64) {
    for there in 0..count {
        let result = confirmed.recv_timeout(PROGRESS_IN);
        assert!(result.is_ok(), "only {there} of {count} messages were confirmed since the last fault");
    }
}
