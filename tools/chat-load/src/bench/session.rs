//! One session: all the work on all the systems, one after the other, with a line of progress.

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use super::plan::{Case, Part};
use super::results::Row;
use super::system::{Programs, System};
use crate::clock;

/// Runs `cases` and returns a row for each system in each of them. Every system has its turn in a round, and every
/// second round has the opposite order. So whatever else happens on the machine affects all systems alike.
pub(super) fn run(cases: &[Case], systems: &[System], programs: &Programs) -> Vec<Row> {
    let mut progress = Progress::new(cases, systems);
    let mut rows = Vec::new();
    for case in cases {
        rows.extend(run_case(case, systems, programs, &mut progress));
    }
    progress.end();
    rows
}

fn run_case(case: &Case, systems: &[System], programs: &Programs, progress: &mut Progress) -> Vec<Row> {
    let parts = systems.iter().map(|system| (system, case.part(system), Row::new(case, system)));
    let mut rows: Vec<(&System, Part, Row)> = parts.filter(|(_, part, _)| *part != Part::None).collect();
    for round in 0..case.rounds {
        let mut order: Vec<_> = rows.iter_mut().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (system, part, row) in order {
            progress.next(case, round, system);
            // Once a system has failed, waiting for it again would only take time.
            let has_failed = row.note.is_some();
            match part {
                Part::Takes if !has_failed => row_after(case, system, programs, row),
                Part::Takes | Part::None => row.add(None),
                Part::Excused(why) => row.note = Some((*why).to_owned()),
            }
        }
    }
    rows.into_iter().map(|(_, _, row)| row).collect()
}

fn row_after(case: &Case, system: &System, programs: &Programs, row: &mut Row) {
    match case.work.run(system, programs, case.effort) {
        Ok(figures) => row.add(Some(figures)),
        Err(failure) => {
            row.note = Some(failure.to_string());
            row.add(None);
        }
    }
}

/// Shows the progress on stderr: on a terminal as one line that is overwritten, elsewhere as one line per piece of
/// work.
struct Progress {
    began: Instant,
    done: usize,
    all: usize,
    is_terminal: bool,
    last_case: String,
}

impl Progress {
    fn new(cases: &[Case], systems: &[System]) -> Self {
        let steps = |case: &Case| {
            let takes = systems.iter().filter(|system| case.part(system) != Part::None).count();
            takes * case.rounds
        };
        Self {
            began: clock::now(),
            done: 0,
            all: cases.iter().map(steps).sum(),
            is_terminal: io::stderr().is_terminal(),
            last_case: String::new(),
        }
    }

    fn next(&mut self, case: &Case, round: usize, system: &System) {
        let line = format!(
            "[{:3} of {}, {:3} s] {}, round {} of {}: {}",
            self.done + 1,
            self.all,
            self.began.elapsed().as_secs(),
            case.name,
            round + 1,
            case.rounds,
            system.label
        );
        self.done += 1;
        let mut stderr = io::stderr().lock();
        // The bench goes on even if nobody can read the progress.
        let _told = if self.is_terminal {
            write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush())
        } else if self.last_case == case.name {
            Ok(())
        } else {
            writeln!(stderr, "{line}")
        };
        self.last_case.clone_from(&case.name);
    }

    fn end(&self) {
        if self.is_terminal {
            eprint!("\r\x1b[K");
        }
        eprintln!("measured for {} s", self.began.elapsed().as_secs());
    }
}
