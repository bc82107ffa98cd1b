//! What every scenario has: a script drawn from a seed, and a way to play it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use thiserror::Error;

/// A conversation that is drawn from a seed and can be played again, in full or in part.
pub trait Scenario: Sized + Clone + fmt::Display {
    /// Its name on the command line.
    const NAME: &'static str;

    /// The script of `seed`.
    fn draw(seed: u64) -> Self;

    /// Plays the script to its end. The same script gives the same run.
    ///
    /// # Errors
    ///
    /// The first promise that is broken.
    fn play(&self) -> Result<Report, Fault>;

    /// Shorter scripts to try in its place when it has failed, those that leave out most first.
    fn shorter(&self) -> Vec<Self>;
}

/// What a run was like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Messages that the room took.
    pub messages: u64,
    /// Messages that members got whose runs are checked, all together.
    pub delivered: u64,
    /// Messages that those members were told they missed, all together.
    pub missed: u64,
    /// Connections or sessions that framed members needed; as many as members if none broke.
    pub sessions: usize,
    /// Messages whose author is shown with a tag, since another member has its address.
    pub tagged: u64,
    /// Datagrams sent.
    pub datagrams: u64,
    /// Time that passed in the room.
    pub time: Duration,
}

/// A promise that was broken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{what}: {detail}")]
pub struct Fault {
    /// Which promise.
    pub what: &'static str,
    /// How.
    pub detail: String,
}

impl Fault {
    /// A broken promise.
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
    /// What was played.
    pub scenario: &'static str,
    /// What replays it.
    pub seed: u64,
    /// What was wrong.
    pub fault: Fault,
}

/// Plays the script of `seed`.
///
/// # Errors
///
/// [`Failure`] if a promise was broken, or the code under test has panicked.
pub fn run<S: Scenario>(seed: u64) -> Result<Report, Failure> {
    attempt(&S::draw(seed)).map_err(|fault| Failure { scenario: S::NAME, seed, fault })
}

/// Plays a script; a panic is a fault as any other.
pub(crate) fn attempt<S: Scenario>(script: &S) -> Result<Report, Fault> {
    catch_unwind(AssertUnwindSafe(|| script.play())).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it said nothing");
        Err(Fault::new("panic", said))
    })
}
