//! A roll call: is everyone there?

use std::time::Duration;

use super::{Crowd, PATIENCE, in_time};
use crate::clock;
use crate::failure::Result;
use crate::stamp::Scanner;

/// When nobody may have heard a message since not all were in, another one is sent.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// Stamps of messages that only ask whether everyone is there.
const ROLL_CALL: u64 = 1 << 63;

/// Says something until every member has heard it, and so all that was said before. `calls` counts what was said.
/// `remind` is told who has not heard a call.
pub(super) fn call<C: Crowd>(
    crowd: &mut C,
    calls: &mut u64,
    mut remind: impl FnMut(&mut C, usize) -> Result<()>,
) -> Result<()> {
    let deadline = clock::now() + PATIENCE;
    let mut scanners: Vec<Scanner> = (0..crowd.members()).map(|_| Scanner::default()).collect();
    let mut heard_call = vec![0; crowd.members()];
    loop {
        *calls += 1;
        let call = ROLL_CALL | *calls;
        crowd.say(0, call)?;
        crowd.send()?;
        let mut missing = crowd.members();
        let mut ask_again = clock::now() + ASK_AGAIN;
        while missing > 0 && clock::now() < ask_again {
            let before = missing;
            crowd.turn(ASK_AGAIN, &mut |heard| {
                scanners[heard.member].scan(heard.bytes, |stamp| {
                    if stamp == call && heard_call[heard.member] != call {
                        heard_call[heard.member] = call;
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
        for member in (0..crowd.members()).filter(|&member| heard_call[member] != call) {
            remind(crowd, member)?;
        }
    }
}
