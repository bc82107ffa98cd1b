//! Which work there is, and which systems do it.

use crate::servers::limit::Sends;
use crate::system::{System, Tcp, Udp};
use crate::work::{Effort, Work};

/// One piece of work as it stands in results.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// What `--only` and the results call it.
    pub(crate) name: String,
    /// Its heading.
    pub(crate) title: String,
    pub(crate) work: Work,
    pub(crate) effort: Effort,
    pub(crate) rounds: usize,
    /// Whether it is only a point of a plot, without a table of its own.
    pub(crate) is_point: bool,
    /// Whether it is for the systems over UDP, or for the others.
    is_over_udp: bool,
}

/// Whether a system does a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Takes,
    /// Not, and the table says why.
    Excused(&'static str),
    /// Nobody would miss it.
    None,
}

/// Deliveries per second of paced work. A machine that delivers no more than this in a second would show a queue, not
/// the time that a message takes.
const PACED_DELIVERIES_PER_SECOND: usize = 50_000;
const PACED_PER_SECOND_MAX: usize = 50;

impl Case {
    /// Everything, in the order of the report.
    pub(crate) fn all(rounds: usize, is_quick: bool) -> Vec<Self> {
        let case = |name: &str, title: &str, work, seconds: f64| Self {
            name: name.to_owned(),
            title: title.to_owned(),
            work,
            effort: Effort { seconds: if is_quick { seconds * 0.4 } else { seconds }, counts_calls: false },
            rounds,
            is_point: false,
            is_over_udp: false,
        };
        let fanout = |talkers, members| Work::Fanout { talkers, members };
        let mut cases = vec![
            case("fanout_64x1x1000", "1 sender, 1,000 members, as fast as it goes", fanout(1, 1000), 1.0),
            case("paced_64x1x1000", "1 sender, 1,000 members, 50 messages per second", paced(1000), 2.0),
            case("fanout_64x1x10000", "1 sender, 10,000 members, as fast as it goes", fanout(1, 10_000), 2.0)
                .at_most(3),
            case("fanout_64x16x1000", "16 senders, 1,000 members, as fast as it goes", fanout(16, 1000), 1.0)
                .at_most(3),
            case("idle_10000", "10,000 members come and are silent", Work::Idle { members: 10_000 }, 0.0)
                .at_most(3),
            case("ping_pong", "2 members answer each other", Work::PingPong, 1.0).at_most(3),
            case(
                "stalled_1000",
                "1,000 members, 50 messages per second, every tenth member reads nothing",
                Work::Stalled { members: 1000 },
                3.0,
            )
            .at_most(3),
            case(
                "udp_fanout_64x1x200",
                "UDP: 1 sender, 200 members, as fast as it goes",
                fanout(1, 200),
                1.0,
            )
            .over_udp(),
            case("udp_paced_64x1x200", "UDP: 1 sender, 200 members, 50 messages per second", paced(200), 2.0)
                .over_udp()
                .at_most(3),
            case(
                "udp_idle_10000",
                "UDP: 10,000 members come and are silent",
                Work::Idle { members: 10_000 },
                0.0,
            )
            .over_udp()
            .at_most(3),
            case("udp_ping_pong", "UDP: 2 members answer each other", Work::PingPong, 1.0)
                .over_udp()
                .at_most(3),
        ];
        if is_quick {
            return cases;
        }
        for members in [10, 100] {
            cases.push(case(&format!("fanout_64x1x{members}"), "", fanout(1, members), 0.5).point());
        }
        for members in [10, 100, 10_000] {
            cases.push(case(&format!("paced_64x1x{members}"), "", paced(members), 2.0).point());
        }
        cases.push(
            case("calls_64x1x1000", "System calls, as fast as it goes", fanout(1, 1000), 0.5).counted(),
        );
        cases.push(
            case("calls_paced_64x1x1000", "System calls, 50 messages per second", paced(1000), 0.5).counted(),
        );
        for members in [10, 50, 1000] {
            let name = format!("udp_fanout_64x1x{members}");
            cases.push(case(&name, "", fanout(1, members), 0.5).over_udp().point());
        }
        cases.push(
            case("udp_calls_64x1x200", "UDP: system calls, as fast as it goes", fanout(1, 200), 0.5)
                .over_udp()
                .counted(),
        );
        cases.push(
            case("udp_calls_paced_64x1x200", "UDP: system calls, 50 messages per second", paced(200), 0.5)
                .over_udp()
                .counted(),
        );
        cases
    }

    fn over_udp(self) -> Self {
        Self { is_over_udp: true, ..self }
    }

    fn point(self) -> Self {
        Self { is_point: true, ..self }.at_most(2)
    }

    /// Where more rounds would take more time than they tell.
    fn at_most(self, rounds: usize) -> Self {
        Self { rounds: self.rounds.min(rounds), ..self }
    }

    fn counted(self) -> Self {
        Self { effort: Effort { counts_calls: true, ..self.effort }, ..self }.at_most(1)
    }

    pub(crate) fn part(&self, system: System) -> Part {
        if self.is_over_udp != system.is_over_udp() || self.is_point && !is_plotted(system) {
            return Part::None;
        }
        match (self.work, system) {
            // Beside a send per read batch it says nothing new there, and takes long.
            (Work::Stalled { .. } | Work::Idle { .. }, System::Limit(Sends::Message)) => Part::None,
            (Work::Idle { .. } | Work::PingPong, System::LimitUdp(Sends::Message)) => Part::None,
            // What a stalled member does not take it loses: nothing to compare with.
            (Work::Stalled { .. }, System::Limit(Sends::ReadBatch)) => Part::None,
            (Work::Fanout { talkers, members }, System::Limit(Sends::Message))
                if talkers > 1 || members > 1000 =>
            {
                Part::None
            }
            (Work::Fanout { members: 10_000, .. } | Work::Idle { members: 10_000 }, System::Ngircd) => {
                Part::Excused("tells every member of every join: 10,000 joins take minutes")
            }
            (Work::Fanout { members: 10_000, .. }, System::Mosquitto) => {
                Part::Excused("a send per message and member: one window takes minutes")
            }
            (Work::Stalled { .. }, System::Ngircd) => Part::Excused("closes members whose buffer is full"),
            (Work::Stalled { .. }, System::Mosquitto) => Part::Excused("too slow to fill the buffers"),
            _ => Part::Takes,
        }
    }
}

/// The systems whose lines the plots have: enough to see where we stand.
pub(crate) fn is_plotted(system: System) -> bool {
    let ours = [
        System::Tcp(Tcp::plain(1)),
        System::Tcp(Tcp::framed(1)),
        System::Udp(Udp::PLAIN),
        System::Udp(Udp::FRAMED),
    ];
    system == System::LIMIT
        || ours.contains(&system)
        || matches!(system, System::TokioBroadcast | System::Redis | System::Nats | System::LimitUdp(_))
}

fn paced(members: usize) -> Work {
    let per_second = (PACED_DELIVERIES_PER_SECOND / members).clamp(1, PACED_PER_SECOND_MAX);
    Work::Paced { members, per_second: u32::try_from(per_second).unwrap_or(u32::MAX) }
}
