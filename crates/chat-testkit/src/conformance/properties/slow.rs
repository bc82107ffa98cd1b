//! Members that do not read.

use chat_core::{LagPolicy, RoomConfig};
use chat_proto::LeaveReason;

use crate::conformance::fault::{Checked, expect, fault};
use crate::conformance::guest::Guest;
use crate::conformance::medium::{Heard, Medium};
use crate::conformance::stage::{Stage, small_log};

/// How many messages are said before the readers read them. The log holds far more.
const BATCH: usize = 20;

/// Says so much that a member which does not read must lag, although the medium holds some of it. `reader` hears
/// everything.
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
    // The slow member's own messages are heard all the same. They count as missed only if the medium has an echo.
    let author = slow.author.clone();
    for number in 0..3 {
        slow.say(format!("from behind {number}"))?;
        reader.hears(&format!("[{author}] from behind {number}"))?;
    }
    overtake(&mut stage, &mut reader)?;
    let missed = account_for(&mut stage, &mut slow)?;
    expect(missed > 0, "nothing is buffered for a member that does not read: it lags", || {
        let held = stage.promises().unread_bytes_max;
        format!("all of it was kept for the member (is it true that the medium holds {held} bytes at most?)")
    })?;
    // Messages on their way to the member may have counted as lost before it received them.
    let counted = stage.room.stats().missed;
    expect(
        counted >= missed,
        "the messages that a member was told it missed are counted (Attachment::count_missed)",
        || format!("{missed} told, {counted} counted"),
    )?;
    drop((slow, reader));
    stage.close([running])
}

/// Checks that the messages a member heard and those it was told it missed make up everything that was said to it.
/// Returns how many it missed.
fn account_for<M: Medium>(stage: &mut Stage<'_, M>, guest: &mut Guest<M::Peer>) -> Checked<u64> {
    let heard = stage.sync(guest)?;
    let said = stage.said_to(&guest.author);
    let (mut place, mut missed) = (0, 0);
    for heard in &heard {
        match heard {
            Heard::Line(line) => {
                let expected = said.get(place).map_or("nothing more", String::as_str);
                expect(
                    line == expected,
                    "after the missed messages the member goes on with the very next one",
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
    expect(place == said.len(), "the member is told exactly how many messages it missed", || {
        format!(
            "it heard of {place} messages, told of {missed} missed ones among them, and {} were said",
            said.len()
        )
    })?;
    Ok(missed)
}

pub(in crate::conformance) fn gap<M: Medium>(medium: &M) -> Checked {
    /// More messages than the smallest log holds.
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
    expect(missed > 0, "messages that the log no longer holds are missed", || "nothing was missed".into())?;
    drop(ann);
    stage.close([running])
}

pub(in crate::conformance) fn tail<M: Medium>(medium: &M) -> Checked {
    /// Fewer messages than the log holds, and more than a small buffer holds.
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
    // Nothing more is said. If the transport kept bytes back, nothing would push them out.
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
    // The slow member reads again and finds that it was closed.
    let why = loop {
        match slow.hear()? {
            Heard::Line(_) => {}
            Heard::Closed(why) => break why,
            other => return fault("a lagged member is told why it is closed", format!("{other:?}")),
        }
    };
    expect(why.contains("behind"), "the reason is that it fell behind", || why)?;
    let reason = stage.wait_for_leave(&slow.author)?;
    expect(reason == LeaveReason::Lagged, "the member leaves for LeaveReason::Lagged", || {
        format!("{reason:?}")
    })?;
    stage.sync(&mut reader)?;
    drop((slow, reader));
    stage.close([running])
}
