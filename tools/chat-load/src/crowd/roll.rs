//! A roll call: is everyone there?

use std::time::Duration;

use super::{Crowd, PATIENCE, in_time};
use crate::clock;
use crate::failure::Result;
use crate::stamp::{ROLL_CALL, Scanner, Stamp};

/// When no further member has heard a call for so long, another one is sent: not all were in at the time of this one.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// The first talker says something until every member has heard it, and so everything that was said before. `calls`
/// counts what was said. `remind` is told which member has not heard a call.
pub(super) fn call<C: Crowd>(
    crowd: &mut C,
    calls: &mut u64,
    mut remind: impl FnMut(&mut C, usize) -> Result<()>,
) -> Result<()> {
    let deadline = clock::now() + PATIENCE;
    let mut scanners = vec![Scanner::default(); crowd.peers()];
    loop {
        *calls += 1;
        let call = Stamp { number: ROLL_CALL | *calls, ..Stamp::default() };
        crowd.say(call)?;
        crowd.send()?;
        let mut is_missing = vec![true; crowd.peers()];
        is_missing[..crowd.talkers()].fill(false);
        let mut missing = crowd.peers() - crowd.talkers();
        let mut ask_again = clock::now() + ASK_AGAIN;
        while missing > 0 && clock::now() < ask_again {
            let before = missing;
            crowd.turn(ASK_AGAIN, &mut |peer, bytes| {
                scanners[peer].scan(bytes, |stamp| {
                    if stamp == call && std::mem::replace(&mut is_missing[peer], false) {
                        missing -= 1;
                    }
                });
            })?;
            if missing < before {
                ask_again = clock::now() + ASK_AGAIN;
            }
        }
        if missing == 0 {
            return Ok(());
        }
        in_time(deadline, &format!("{missing} members hear nothing"))?;
        for peer in (0..crowd.peers()).filter(|&peer| is_missing[peer]) {
            remind(crowd, peer)?;
        }
    }
}
