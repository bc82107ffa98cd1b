//! The room over UDP on a bad network: real room, real sessions, virtual time.

mod check;
mod member;
mod plan;
mod run;

use std::fmt;

use self::plan::Plan;
use self::run::Run;
use crate::scenario::{Fault, Report, Scenario};

/// Framed and plain members and an in-process local member in one room, on a network of the matrix loss 0 to 30 %,
/// duplicates 0 to 50 %, reordering 0 to 4 %, round trips of 1, 100 and 500 ms; some with members that change
/// their address, with a slow rate, with a flood that overtakes everyone; all with forged datagrams.
///
/// What must hold: a framed member gets each message once and in order, and is told the right number of missed
/// ones; nothing is said twice or never; nothing forged is taken; no address that proved nothing is sent more
/// than it sent; and the run comes to an end.
#[derive(Clone, Debug)]
pub struct Udp(Plan);

impl Scenario for Udp {
    const NAME: &'static str = "udp";

    fn draw(seed: u64) -> Self {
        Self(Plan::drawn(seed))
    }

    fn play(&self) -> Result<Report, Fault> {
        let mut run = Run::new(self.0.clone());
        run.talk().map_err(|detail| Fault::new("no end", detail))?;
        run.close().map_err(|detail| Fault::new("no end after closing", detail))?;
        run.check().map_err(|(what, detail)| Fault::new(what, detail))?;
        Ok(run.report())
    }

    fn shorter(&self) -> Vec<Self> {
        self.0.with_less().into_iter().map(Self).collect()
    }
}

impl fmt::Display for Udp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#?}", self.0)
    }
}
