//! The end of the room.

use std::time::Duration;

use chat_core::RoomConfig;

use super::slow::overtake;
use crate::conformance::fault::{Checked, expect, fault};
use crate::conformance::medium::{Heard, Medium};
use crate::conformance::stage::{Stage, small_log};

const FAREWELL: &str = "this was the kit";

pub(in crate::conformance) fn everyone<M: Medium>(medium: &M) -> Checked {
    let mut stage = Stage::new(medium, RoomConfig::default());
    let (running, address) = stage.open();
    let (mut ann, mut bob) = (stage.join(&address)?, stage.join(&address)?);
    for guest in [&mut ann, &mut bob] {
        stage.sync(guest)?;
    }
    let already = stage.said().len();
    for number in 0..50 {
        stage.say(&format!("accepted {number}"))?;
    }
    stage.room.close(FAREWELL, medium.patience());
    let said: Vec<_> = stage.said().split_off(already).into_iter().map(|(_, line)| line).collect();
    let farewell = Heard::Line(format!("[*] {FAREWELL}"));
    for mut guest in [ann, bob] {
        let mut heard = Vec::new();
        while heard.last() != Some(&farewell) {
            match guest.hear()? {
                end @ (Heard::Closed(_) | Heard::End) => {
                    return fault("the farewell comes before the end", format!("{end:?}"));
                }
                line => heard.push(line),
            }
        }
        stage.compare(&said, &heard)?;
        if stage.promises().reliable {
            let end = guest.hear()?;
            let is_end = matches!(end, Heard::Closed(_) | Heard::End);
            expect(is_end, "after the farewell comes the end", || format!("{end:?}"))?;
        }
    }
    stage.end([running])
}

pub(in crate::conformance) fn stuck<M: Medium>(medium: &M) -> Checked {
    let mut stage = Stage::new(medium, small_log());
    let (running, address) = stage.open();
    let (stuck, mut reader) = (stage.join(&address)?, stage.join(&address)?);
    if stage.promises().reliable {
        overtake(&mut stage, &mut reader)?;
    }
    stage.sync(&mut reader)?;
    stage.room.close(FAREWELL, Duration::from_millis(500));
    match reader.hear()? {
        Heard::Line(line) if line == format!("[*] {FAREWELL}") => {}
        other => return fault("the others hear the farewell", format!("{other:?}")),
    }
    // The patience is much longer than the grace. Only a transport that waits for the stuck peer exceeds it.
    stage.end([running])?;
    drop((stuck, reader));
    Ok(())
}
