//! A room whose journal fails and whose process dies at any point.

use std::collections::HashMap;

use chat_sim::journal::{DeathPoint, Flaw, Journal};
use chat_sim::{Report, Scenario, run, shrink};

#[test]
fn nothing_is_lost_or_said_twice_over_300_runs_of_a_journal_that_fails_and_a_process_that_dies() {
    let mut all = Report::default();
    for seed in 0..300 {
        match run::<Journal>(seed) {
            Ok(report) => {
                all.messages += report.messages;
                all.deaths += report.deaths;
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    assert!(all.messages > 10_000 && all.deaths > 300, "{all:?}");
}

#[test]
fn nothing_is_lost_or_said_twice_whenever_the_process_comes_to_any_point_of_its_death() {
    let mut died = HashMap::new();
    for point in DeathPoint::ALL {
        for count in 0..30 {
            match Journal::dying_at(point, count).play() {
                Ok(report) => *died.entry(format!("{point:?}")).or_insert(0) += report.deaths,
                Err(fault) => panic!("{point:?} after {count} times: {fault}"),
            }
        }
    }
    assert!(died.len() == DeathPoint::ALL.len() && died.values().all(|&deaths| deaths > 0), "{died:?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [3, 77, 300] {
        assert_eq!(run::<Journal>(seed).unwrap(), run::<Journal>(seed).unwrap());
    }
}

#[test]
fn a_journal_that_breaks_its_promise_is_found_and_the_script_shrinks() {
    for flaw in [Flaw::LosesKept, Flaw::KeepsTwice] {
        let draw = |seed| Journal::draw(seed).with_flaw(flaw);
        let fault = |seed| draw(seed).play().err();
        let (seed, fault) = (0..100).find_map(|seed| Some((seed, fault(seed)?))).expect("it is found");
        let shortest = shrink(draw(seed), fault, 500);
        assert!(shortest.script.actions() <= 5, "{flaw:?}\n{}\n{}", shortest.script, shortest.fault);
    }
}
