//! A roll call finds out whether every member is in.

use std::time::Duration;

use super::{Crowd, PATIENCE, in_time};
use crate::clock;
use crate::failure::Result;
use crate::stamp::{ROLL_CALL, Scanner, Stamp};

/// If no further member has heard a call for this long, another call is sent, because not all members were in at the
/// time of this one.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Lets the first talker say something until every member has heard it, and therefore everything that was said
/// before. `calls` counts these messages. `remind` is called with each member that has not heard a call.
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
