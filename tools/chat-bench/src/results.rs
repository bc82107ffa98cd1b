//! What a run of the bench found, as it is kept in a file and read by the reports.

use serde::{Deserialize, Serialize};

use crate::figures::{self, Figures, Quantity};
use crate::machine::Machine;
use crate::plan::Case;
use crate::system::System;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) commit: String,
    pub(crate) command: String,
    /// Systems that are not ours, and their versions.
    pub(crate) versions: Vec<(String, String)>,
    pub(crate) rows: Vec<Row>,
}

/// One system at one piece of work.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) work: String,
    pub(crate) system: String,
    pub(crate) label: String,
    /// Why there are no figures, or fewer.
    pub(crate) note: Option<String>,
    pub(crate) median: Figures,
    /// The figures of each round; nothing for one that failed.
    pub(crate) rounds: Vec<Option<Figures>>,
}

impl Row {
    pub(crate) fn new(case: &Case, system: System) -> Self {
        Self {
            work: case.name.clone(),
            system: system.key(),
            label: system.label(),
            note: None,
            median: Figures::default(),
            rounds: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, figures: Option<Figures>) {
        self.rounds.push(figures);
        let succeeded: Vec<Figures> = self.rounds.iter().flatten().cloned().collect();
        self.median = Figures::median(&succeeded);
    }
}

impl Results {
    pub(crate) fn row(&self, work: &str, system: System) -> Option<&Row> {
        let key = system.key();
        self.rows.iter().find(|row| row.work == work && row.system == key)
    }

    pub(crate) fn figure(&self, work: &str, system: System, quantity: Quantity) -> Option<f64> {
        self.row(work, system)?.median.get(quantity)
    }

    /// How much one system has of a quantity for each one that the other has: the median of the rounds' ratios. Both
    /// ran within seconds of each other in a round, so what else the machine did then weighs on both.
    pub(crate) fn ratio(&self, work: &str, quantity: Quantity, of: System, to: System) -> Option<f64> {
        ratio(self.row(work, of)?, self.row(work, to)?, quantity)
    }
}

/// The median of the rounds' ratios.
pub(crate) fn ratio(of: &Row, to: &Row, quantity: Quantity) -> Option<f64> {
    let rounds = of.rounds.iter().zip(&to.rounds);
    let ratios =
        rounds.filter_map(|(of, to)| Some(of.as_ref()?.get(quantity)? / to.as_ref()?.get(quantity)?));
    let ratios: Vec<f64> = ratios.filter(|ratio| ratio.is_finite()).collect();
    (!ratios.is_empty()).then(|| figures::median(ratios))
}
