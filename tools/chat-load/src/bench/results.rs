//! The results of a run of the bench, as a file keeps them and the reports read them.

use serde::{Deserialize, Serialize};

use super::figures::{self, Figures, Quantity};
use super::machine::Machine;
use super::plan::Case;
use super::system::System;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Results {
    pub(super) machine: Machine,
    pub(super) commit: String,
    pub(super) command: String,
    /// Systems that are not ours, and their versions.
    pub(super) versions: Vec<(String, String)>,
    pub(super) rows: Vec<Row>,
}

/// One system at one piece of work.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) work: String,
    pub(super) system: String,
    pub(super) label: String,
    /// Why there are no figures, or fewer.
    pub(super) note: Option<String>,
    pub(super) median: Figures,
    /// The figures of each round; `None` for a round that failed.
    pub(super) rounds: Vec<Option<Figures>>,
}

impl Row {
    pub(super) fn new(case: &Case, system: &System) -> Self {
        Self {
            work: case.name.clone(),
            system: system.key.clone(),
            label: system.label.clone(),
            note: None,
            median: Figures::default(),
            rounds: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, figures: Option<Figures>) {
        self.rounds.push(figures);
        let succeeded: Vec<Figures> = self.rounds.iter().flatten().cloned().collect();
        self.median = Figures::median(&succeeded);
    }
}

impl Results {
    /// The row of a system, by its key.
    pub(super) fn row(&self, work: &str, system: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.work == work && row.system == system)
    }

    pub(super) fn figure(&self, work: &str, system: &str, quantity: Quantity) -> Option<f64> {
        self.row(work, system)?.median.get(quantity)
    }

    /// The quantity of one system divided by that of the other: the median of the rounds' ratios. In each round both
    /// ran within seconds of each other, so whatever else the machine did at that time affects both.
    pub(super) fn ratio(&self, work: &str, quantity: Quantity, of: &str, to: &str) -> Option<f64> {
        ratio(self.row(work, of)?, self.row(work, to)?, quantity)
    }
}

/// The median of the rounds' ratios.
pub(super) fn ratio(of: &Row, to: &Row, quantity: Quantity) -> Option<f64> {
    let rounds = of.rounds.iter().zip(&to.rounds);
    let ratios =
        rounds.filter_map(|(of, to)| Some(of.as_ref()?.get(quantity)? / to.as_ref()?.get(quantity)?));
    let ratios: Vec<f64> = ratios.filter(|ratio| ratio.is_finite()).collect();
    (!ratios.is_empty()).then(|| figures::median(ratios))
}
