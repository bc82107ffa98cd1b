//! The pieces of work, and the systems that do each of them.

use super::system::{LIMIT_WEB, System};
use super::work::{Effort, Work};

/// One piece of work as the results list it.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// What `--only` and the results call it.
    pub(super) name: String,
    /// Its heading.
    pub(super) title: String,
    pub(super) work: Work,
    pub(super) effort: Effort,
    pub(super) rounds: usize,
    /// Whether it is only a point of a plot and has no table of its own.
    pub(super) is_point: bool,
}

/// Whether a system does a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Takes,
    /// The system does not take part, and the table says why.
    Excused(&'static str),
    /// The system does not take part, and the table does not mention it.
    None,
}

/// Deliveries per second of paced work. If a machine could deliver no more than this in a second, the figures would
/// show a queue and not the time that a message takes.
const PACED_DELIVERIES_PER_SECOND: usize = 50_000;
const PACED_PER_SECOND_MAX: usize = 50;

/// As many rooms as a server can have, but for the one in which members begin.
const ROOMS: usize = chat_core::limits::ROOMS_MAX - 1;

/// The systems that have a line in the plots: enough to see where we stand.
const PLOTTED: [&str; 10] = [
    "limit-batch",
    "tcp-plain-1",
    "tcp-framed-1",
    "tokio",
    "redis",
    "nats",
    "udp-limit-batch",
    "udp-limit-message",
    "udp-plain",
    "udp-framed",
];

impl Case {
    /// All pieces of work, in the order of the report. Work over UDP has a name that says so.
    pub(super) fn all(rounds: usize, is_quick: bool) -> Vec<Self> {
        let case = |name: &str, title: &str, work, seconds: f64| Self {
            name: name.to_owned(),
            title: title.to_owned(),
            work,
            effort: Effort { seconds: if is_quick { seconds * 0.4 } else { seconds }, counts_calls: false },
            rounds,
            is_point: false,
        };
        let fanout = |talkers, members| Work::Fanout { talkers, members };
        let idle = Work::Idle { members: 10_000 };
        let stalled = Work::Stalled { members: 1000 };
        let mut cases = vec![
            case("fanout_64x1x1000", "1 sender, 1,000 members, as fast as it goes", fanout(1, 1000), 1.0),
            case("fanout_64x1x10", "1 sender, 10 members, as fast as it goes", fanout(1, 10), 0.5),
            case("paced_64x1x1000", "1 sender, 1,000 members, 50 messages per second", paced(1000), 2.0),
            case("fanout_64x1x10000", "1 sender, 10,000 members, as fast as it goes", fanout(1, 10_000), 2.0)
                .at_most(3),
            case("fanout_64x16x1000", "16 senders, 1,000 members, as fast as it goes", fanout(16, 1000), 1.0)
                .at_most(3),
            case("idle_10000", "10,000 members come and are silent", idle, 0.0).at_most(3),
            case(
                "confirmed",
                "1 client says messages that are to survive, as fast as they are confirmed",
                Work::Confirmed { messages: 200_000 },
                0.0,
            ),
            case(
                "returning_1000",
                "1,000 members come back after a restart, each 10,000 messages behind",
                Work::Returning { members: 1000, behind: 10_000 },
                0.0,
            )
            .at_most(3),
            case("ping_pong", "2 members answer each other", Work::PingPong, 1.0).at_most(3),
            case(
                "stalled_1000",
                "1,000 members, 50 messages per second, every tenth member reads nothing",
                stalled,
                3.0,
            )
            .at_most(3),
            case(
                "rooms_1000x10",
                "1,000 rooms of 10 members, a message per second in each",
                Work::Rooms { rooms: ROOMS, members: 10 },
                5.0,
            ),
            case(
                "rooms_idle_1000",
                "1,000 rooms in which nothing happens",
                Work::IdleRooms { rooms: ROOMS },
                0.0,
            )
            .at_most(3),
            case(
                "udp_fanout_64x1x200",
                "UDP: 1 sender, 200 members, as fast as it goes",
                fanout(1, 200),
                1.0,
            ),
            case("udp_paced_64x1x200", "UDP: 1 sender, 200 members, 50 messages per second", paced(200), 2.0)
                .at_most(3),
            case("udp_idle_10000", "UDP: 10,000 members come and are silent", idle, 0.0).at_most(3),
            case("udp_ping_pong", "UDP: 2 members answer each other", Work::PingPong, 1.0).at_most(3),
        ];
        if is_quick {
            return cases;
        }
        cases.push(case("fanout_64x1x100", "", fanout(1, 100), 0.5).point());
        for members in [10, 100, 10_000] {
            cases.push(case(&format!("paced_64x1x{members}"), "", paced(members), 2.0).point());
        }
        for members in [10, 50, 1000] {
            cases.push(case(&format!("udp_fanout_64x1x{members}"), "", fanout(1, members), 0.5).point());
        }
        for (name, title, work) in [
            ("calls_64x1x1000", "System calls, as fast as it goes", fanout(1, 1000)),
            ("calls_paced_64x1x1000", "System calls, 50 messages per second", paced(1000)),
            ("udp_calls_64x1x200", "UDP: system calls, as fast as it goes", fanout(1, 200)),
            ("udp_calls_paced_64x1x200", "UDP: system calls, 50 messages per second", paced(200)),
        ] {
            cases.push(case(name, title, work, 0.5).counted());
        }
        cases
    }

    fn point(self) -> Self {
        Self { is_point: true, ..self }.at_most(2)
    }

    /// Limits the rounds where more of them would take time and tell nothing new.
    fn at_most(self, rounds: usize) -> Self {
        Self { rounds: self.rounds.min(rounds), ..self }
    }

    fn counted(self) -> Self {
        Self { effort: Effort { counts_calls: true, ..self.effort }, ..self }.at_most(1)
    }

    pub(super) fn part(&self, system: &System) -> Part {
        if self.name.starts_with("udp_") != system.is_over_udp() || self.is_point && !is_plotted(system) {
            return Part::None;
        }
        if system.has_rooms() != matches!(self.work, Work::Rooms { .. } | Work::IdleRooms { .. }) {
            return Part::None;
        }
        if (system.has_layer() || system.key == "tcp-plain-1-tls-web")
            && !matches!(self.work, Work::Fanout { talkers: 1, members: 1000 } | Work::Idle { .. })
        {
            return Part::None;
        }
        if let Work::Confirmed { .. } = self.work {
            let takes = system.keeps() || system.key == "tcp-framed-1-history";
            return if takes { Part::Takes } else { Part::None };
        }
        if system.keeps() {
            return Part::None;
        }
        if matches!(self.work, Work::Returning { .. }) {
            // The others keep nothing.
            return if system.key == "tcp-framed-1-history" { Part::Takes } else { Part::None };
        }
        match (self.work, system.key.as_str()) {
            // Here it tells nothing that a send per read batch does not tell, and it takes long.
            (Work::Stalled { .. } | Work::Idle { .. }, "limit-message") | (Work::Idle { .. }, LIMIT_WEB) => {
                Part::None
            }
            (Work::Idle { .. } | Work::PingPong, "udp-limit-message") => Part::None,
            // It drops the messages that a stalled member does not take, so there is nothing to compare with.
            (Work::Stalled { .. }, "limit-batch") => Part::None,
            // It has nothing to keep for a room.
            (Work::IdleRooms { .. }, "limit-rooms") => Part::None,
            (Work::Fanout { talkers, members }, "limit-message") if talkers > 1 || members > 1000 => {
                Part::None
            }
            (Work::Fanout { members: 10_000, .. } | Work::Idle { members: 10_000 }, "ngircd") => {
                Part::Excused("tells every member of every join: 10,000 joins take minutes")
            }
            (Work::Fanout { members: 10_000, .. }, "mosquitto") => {
                Part::Excused("a send per message and member: one window takes minutes")
            }
            (Work::Stalled { .. }, "ngircd") => Part::Excused("closes members whose buffer is full"),
            (Work::Stalled { .. }, "mosquitto") => Part::Excused("too slow to fill the buffers"),
            _ => Part::Takes,
        }
    }
}

pub(super) fn is_plotted(system: &System) -> bool {
    PLOTTED.contains(&system.key.as_str())
}

fn paced(members: usize) -> Work {
    let per_second = (PACED_DELIVERIES_PER_SECOND / members).clamp(1, PACED_PER_SECOND_MAX);
    Work::Paced { members, per_second: u32::try_from(per_second).unwrap_or(u32::MAX) }
}
