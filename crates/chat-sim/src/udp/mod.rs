//! The room over UDP on a bad network: real room, real sessions, virtual time.

mod check;
mod member;
mod plan;
mod run;

use std::time::Duration;

use thiserror::Error;

use self::run::Run;

/// What a run was like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Messages that the room took.
    pub messages: u64,
    /// Messages that framed members got, all together.
    pub delivered: u64,
    /// Messages that framed members were told they missed, all together.
    pub missed: u64,
    /// Sessions that framed members needed; as many as members if none broke.
    pub sessions: usize,
    /// Datagrams sent.
    pub datagrams: u64,
    /// Time that passed in the room.
    pub time: Duration,
}

/// A run that broke a promise.
#[derive(Clone, Debug, Error)]
#[error("seed {seed}: {what}: {detail} (replay it with `cargo xtask sim --seed {seed}`)")]
pub struct Failure {
    /// What replays it.
    pub seed: u64,
    /// Which promise.
    pub what: &'static str,
    /// How.
    pub detail: String,
}

/// Runs a conversation drawn from `seed` to its end: framed and plain members and an in-process seat in one
/// room, on a network of the matrix loss 0 to 30 %, duplicates 0 to 50 %, reordering 0 to 4 %, round trips
/// of 1, 100 and 500 ms; some with members that change their address, with a slow rate, with a flood that
/// overtakes everyone; all with forged datagrams.
///
/// # Errors
///
/// [`Failure`] if a framed member did not get each message once and in order, or was told a wrong number
/// of missed ones; if something was said twice or never; if something forged was taken; if an address that
/// proved nothing was sent more than it sent; or if the run came to no end.
pub fn run(seed: u64) -> Result<Report, Failure> {
    let mut run = Run::new(seed);
    let fail = |what| move |detail| Failure { seed, what, detail };
    run.talk().map_err(fail("no end"))?;
    run.close().map_err(fail("no end after closing"))?;
    run.check().map_err(|(what, detail)| Failure { seed, what, detail })?;
    Ok(run.report())
}
