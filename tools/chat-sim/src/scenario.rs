//! The trait of all scenarios: each draws a script from a seed and plays it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use thiserror::Error;

/// A conversation that is drawn from a seed. It can be played again, in full or in part.
pub trait Scenario: Sized + Clone + fmt::Display {
    /// Its name on the command line.
    const NAME: &'static str;

    /// Draws the script of `seed`.
    fn draw(seed: u64) -> Self;

    /// Plays the script to its end. The same script gives the same run.
    ///
    /// # Errors
    ///
    /// [`Fault`]: the first promise that is broken.
    fn play(&self) -> Result<Report, Fault>;

    /// Shorter scripts to try when this one has failed. The ones that leave out most come first.
    fn shorter(&self) -> Vec<Self>;
}

/// The numbers of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Messages that the room accepted.
    pub messages: u64,
    /// Messages that reached the checked members, summed over these members.
    pub delivered: u64,
    /// Messages that these members were told they missed, summed over these members.
    pub missed: u64,
    /// Connections or sessions that framed members needed. If none broke, there is one for each of these members.
    pub sessions: usize,
    /// Messages whose author is shown with a tag, because another member has the same address.
    pub tagged: u64,
    /// Renames that were announced.
    pub renamed: u64,
    /// Memberships of another room than the first.
    pub moved: u64,
    /// Private messages that arrived.
    pub private: usize,
    /// Peers that were not let in.
    pub refused: u64,
    /// Datagrams sent.
    pub datagrams: u64,
    /// How often the server's process died.
    pub deaths: u64,
    /// Virtual time that passed.
    pub time: Duration,
}

/// A promise that was broken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{what}: {detail}")]
pub struct Fault {
    /// Which promise was broken.
    pub what: &'static str,
    /// How it was broken.
    pub detail: String,
}

impl Fault {
    /// The promise `what` was broken, as `detail` explains.
    pub fn new(what: &'static str, detail: impl Into<String>) -> Self {
        Self { what, detail: detail.into() }
    }
}

/// A run that broke a promise.
#[derive(Clone, Debug, Error)]
#[error(
    "seed {seed} of {scenario}: {fault} (replay it with `cargo xtask sim --scenario {scenario} --seed {seed}`)"
)]
pub struct Failure {
    /// The name of the scenario.
    pub scenario: &'static str,
    /// The seed that replays the run.
    pub seed: u64,
    /// The promise that was broken.
    pub fault: Fault,
}

/// Plays the script of `seed`.
///
/// # Errors
///
/// [`Failure`] if a promise was broken or the code under test panicked.
pub fn run<S: Scenario>(seed: u64) -> Result<Report, Failure> {
    attempt(&S::draw(seed)).map_err(|fault| Failure { scenario: S::NAME, seed, fault })
}

/// Plays a script. A panic becomes a [`Fault`] too.
pub(crate) fn attempt<S: Scenario>(script: &S) -> Result<Report, Fault> {
    catch_unwind(AssertUnwindSafe(|| script.play())).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it said nothing");
        Err(Fault::new("panic", said))
    })
}
