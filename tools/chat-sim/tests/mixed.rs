//! Members of every kind in one room, with every kind of fault.

use std::fmt;

use chat_sim::mixed::{Crowd, Drain, Mixed};
use chat_sim::{Fault, Report, Scenario, run, shrink};

#[test]
fn every_promise_is_kept_to_members_of_every_kind_over_300_runs() {
    let mut all = Report::default();
    for seed in 0..300 {
        match run::<Mixed>(seed) {
            Ok(report) => {
                all.delivered += report.delivered;
                all.missed += report.missed;
                all.sessions += report.sessions;
                all.tagged += report.tagged;
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    // The events that these runs are meant to check have really occurred.
    assert!(
        all.delivered > 100_000 && all.missed > 10_000 && all.sessions > 800 && all.tagged > 100,
        "{all:?}"
    );
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [3, 77, 300] {
        assert_eq!(run::<Mixed>(seed).unwrap(), run::<Mixed>(seed).unwrap());
    }
}

#[test]
fn fifty_members_that_come_and_go_and_break_off_have_one_order() {
    let report = Crowd::of(1, 5_000).play().unwrap();
    assert!(report.messages > 2_000 && report.delivered > 30 * report.messages / 2, "{report:?}");
}

#[test]
fn a_thousand_members_get_what_they_are_owed_and_a_goodbye_when_the_room_closes() {
    let report = run::<Drain>(1).unwrap();
    // Nine tenths of the members read. They must get everything.
    assert!(report.delivered >= report.messages * 850, "{report:?}");
}

/// A real run that is checked for a false promise: no member is ever told that it missed something.
#[derive(Clone)]
struct Planted(Mixed);

impl fmt::Display for Planted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Scenario for Planted {
    const NAME: &'static str = "planted";

    fn draw(seed: u64) -> Self {
        Self(Mixed::draw(seed))
    }

    fn play(&self) -> Result<Report, Fault> {
        let report = self.0.play()?;
        if report.missed > 0 {
            return Err(Fault::new("planted", format!("{} missed", report.missed)));
        }
        Ok(report)
    }

    fn shorter(&self) -> Vec<Self> {
        self.0.shorter().into_iter().map(Self).collect()
    }
}

#[test]
fn a_run_that_fails_is_shrunk_to_a_few_actions() {
    let fails = |seed: &u64| Planted::draw(*seed).0.actions() > 20 && run::<Planted>(*seed).is_err();
    let seed = (0..).find(fails).unwrap();
    let failure = run::<Planted>(seed).unwrap_err();
    let shortest = shrink(Planted::draw(seed), failure.fault, 500);
    // A member joins, does not read, and misses something.
    assert!(shortest.script.0.actions() <= 5, "{}", shortest.script);
    assert_eq!(shortest.script.play(), Err(shortest.fault));
    assert!(shortest.tries <= 500);
}
