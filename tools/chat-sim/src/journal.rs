//! A room whose journal is late, full or fails, and whose process dies at any point and is started again. The room, the
//! connections and the sessions are the real ones. Streams, datagrams, time and the journal are simulated.
//!
//! These promises are checked:
//!
//! - The journal has every message that was said and not refused, once, in the order in which its author said it. It
//!   has no message that its author knows to be refused.
//!   One thing may be missing without a word: a message that the journal has refused, if the process died before its
//!   author was told so, and a later message of this author was kept.
//! - Every member reads what the journal has from its join on: without a gap, once, in that order.
//! - A session goes on after the process was started again. Its member is told that the room does not know what became of a
//!   message only if the journal has refused some.

mod client;
mod link;
mod process;
mod run;
mod script;

use std::fmt;

pub use self::script::{DeathPoint, Flaw};

use self::run::Run;
use self::script::Script;
use crate::scenario::{Fault, Report, Scenario};

/// Framed members over TCP and UDP that talk while their room's journal fails and its process dies.
#[derive(Clone, Debug)]
pub struct Journal(Script);

impl Journal {
    /// Two members, one over TCP and one over UDP, say a few messages, and the process dies the `count`th time that it
    /// comes to this point. If it never does, [`Report::deaths`] is 0.
    #[must_use]
    pub fn dying_at(point: DeathPoint, count: usize) -> Self {
        Self(Script::dying_at(point, count))
    }

    /// The same script with a journal that breaks a promise.
    #[must_use]
    pub fn with_flaw(self, flaw: Flaw) -> Self {
        Self(Script { flaw: Some(flaw), ..self.0 })
    }

    /// How many actions the script has.
    #[must_use]
    pub fn actions(&self) -> usize {
        self.0.actions.len()
    }
}

impl Scenario for Journal {
    const NAME: &'static str = "journal";

    fn draw(seed: u64) -> Self {
        Self(Script::drawn(seed))
    }

    fn play(&self) -> Result<Report, Fault> {
        Run::new(&self.0).play()
    }

    fn shorter(&self) -> Vec<Self> {
        self.0.shorter().into_iter().map(Self).collect()
    }
}

impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
