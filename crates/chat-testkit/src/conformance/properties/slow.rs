//! Who does not read.

use chat_core::{LagPolicy, RoomConfig};
use chat_proto::{Author, LeaveReason};

use crate::conformance::medium::{Heard, Medium};
use crate::conformance::stage::{Checked, Guest, Stage, expect, fault, small_log};

/// Messages said before those who read have read them: much less than the log holds.
const BATCH: usize = 20;

/// Says so much that the log overtakes who does not read, however much the medium holds for him. `reader` hears it
/// all.
pub(super) fn overtake<M: Medium>(stage: &mut Stage<'_, M>, reader: &mut Guest<M::Peer>) -> Checked {
    let text = "x".repeat(900);
    let bytes = stage.promises().unread_bytes_max + 4 * RoomConfig::LOG_BYTES_MIN;
    for batch in 0..bytes / (BATCH * text.len()) {
        for number in 0..BATCH {
            stage.say(&format!("{batch}.{number} {text}"))?;
        }
        for number in 0..BATCH {
            reader.hears(&format!("[kit] {batch}.{number} {text}"))?;
        }
        stage.listen();
    }
    Ok(())
}

pub(in crate::conformance) fn told<M: Medium>(medium: &M) -> Checked {
    if !medium.promises().reliable {
        return Ok(());
    }
    let mut stage = Stage::new(medium, small_log());
    let (running, address) = stage.open();
    let (mut slow, mut reader) = (stage.join(&address)?, stage.join(&address)?);
    overtake(&mut stage, &mut reader)?;
    // What he says is heard all the same. Whether it is among what he missed depends on the echo.
    let author = Author::Peer(slow.address);
    for number in 0..3 {
        slow.say(format!("from behind {number}"))?;
        reader.hears(&format!("[{author}] from behind {number}"))?;
    }
    overtake(&mut stage, &mut reader)?;
    let missed = account_for(&mut stage, &mut slow)?;
    expect(missed > 0, "who does not read is not buffered for: the log passes him", || {
        let held = stage.promises().unread_bytes_max;
        format!("all of it was kept for him (is it true that the medium holds {held} bytes at most?)")
    })?;
    // What was on its way to him may have counted as lost before he had it.
    let counted = stage.room.stats().missed;
    expect(counted >= missed, "what a member was told he missed is counted (Port::count_missed)", || {
        format!("{missed} told, {counted} counted")
    })?;
    drop((slow, reader));
    stage.close([running])
}

/// Checks that what a member hears and what he is told he missed is everything that was said to him, and returns how
/// much he missed.
fn account_for<M: Medium>(stage: &mut Stage<'_, M>, guest: &mut Guest<M::Peer>) -> Checked<u64> {
    let heard = stage.sync(guest)?;
    let said = stage.said_to(guest.address);
    let (mut place, mut missed) = (0, 0);
    for heard in &heard {
        match heard {
            Heard::Line(line) => {
                let expected = said.get(place).map_or("nothing more", String::as_str);
                expect(
                    line == expected,
                    "after what he missed he goes on with the very next message",
                    || {
                        format!(
                            "message {place} ({missed} missed before) should be {expected:.40?} and is {line:.40?}"
                        )
                    },
                )?;
                place += 1;
            }
            Heard::Missed(messages) => {
                missed += messages;
                place += usize::try_from(*messages).unwrap_or(usize::MAX);
            }
            other => return fault("a slow member goes on", format!("{other:?}")),
        }
    }
    expect(place == said.len(), "he is told exactly how many messages he missed", || {
        format!(
            "he heard of {place} messages, told of {missed} missed ones among them, and {} were said",
            said.len()
        )
    })?;
    Ok(missed)
}

pub(in crate::conformance) fn gap<M: Medium>(medium: &M) -> Checked {
    /// More than the smallest log holds.
    const MESSAGES: usize = 1000;
    if !medium.promises().reliable {
        return Ok(());
    }
    let mut stage = Stage::new(medium, small_log());
    let (running, address) = stage.open();
    let mut ann = stage.join(&address)?;
    running.hold();
    stage.say("the last that is pulled in time")?;
    running.wait_until_held(medium.patience())?;
    for number in 0..MESSAGES {
        stage.say(&format!("{number}"))?;
        stage.listen();
    }
    running.release();
    let missed = account_for(&mut stage, &mut ann)?;
    expect(missed > 0, "what the log no longer holds is missed", || "nothing was missed".into())?;
    drop(ann);
    stage.close([running])
}

pub(in crate::conformance) fn tail<M: Medium>(medium: &M) -> Checked {
    /// Less than the log holds, and more than a small buffer.
    const MESSAGES: usize = 500;
    if !medium.promises().reliable {
        return Ok(());
    }
    let mut stage = Stage::new(medium, RoomConfig::default());
    let (running, address) = stage.open();
    let mut slow = stage.join(&address)?;
    for number in 0..MESSAGES {
        stage.say(&format!("{number} {}", "long ".repeat(20)))?;
        stage.listen();
    }
    // Nothing follows that could push out what is kept back.
    for (_, line) in stage.said() {
        slow.hears(&line)?;
    }
    drop(slow);
    stage.close([running])
}

pub(in crate::conformance) fn closed<M: Medium>(medium: &M) -> Checked {
    if !medium.promises().reliable {
        return Ok(());
    }
    let mut stage = Stage::new(medium, small_log().with_lag_policy(LagPolicy::Close));
    let (running, address) = stage.open();
    let (mut slow, mut reader) = (stage.join(&address)?, stage.join(&address)?);
    overtake(&mut stage, &mut reader)?;
    // He reads on, and finds that he is out.
    let why = loop {
        match slow.hear()? {
            Heard::Line(_) => {}
            Heard::Closed(why) => break why,
            other => return fault("who was overtaken is told why he is closed", format!("{other:?}")),
        }
    };
    expect(why.contains("behind"), "the reason is that he fell behind", || why)?;
    let reason = stage.wait_for_leave(slow.address)?;
    expect(reason == LeaveReason::Lagged, "he leaves for LeaveReason::Lagged", || format!("{reason:?}"))?;
    stage.sync(&mut reader)?;
    drop((slow, reader));
    stage.close([running])
}
