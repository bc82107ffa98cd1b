//! How members leave.

use std::num::NonZeroU32;

use chat_core::{Rate, RoomConfig};
use chat_proto::LeaveReason;

use crate::conformance::fault::{Checked, expect, fault};
use crate::conformance::medium::{Heard, Medium, Peer};
use crate::conformance::stage::Stage;

const PER_SECOND: NonZeroU32 = NonZeroU32::new(5).unwrap();

pub(in crate::conformance) fn once<M: Medium>(medium: &M) -> Checked {
    // The rate is so low that some of the last words still wait when their author leaves, if the rate limit applies.
    let rate = Rate { burst: NonZeroU32::MIN, per_second: PER_SECOND };
    let mut stage = Stage::new(medium, RoomConfig::default().with_rate(Some(rate)));
    let (running, address) = stage.open();
    let (mut ann, mut bob, mut eve) = (stage.join(&address)?, stage.join(&address)?, stage.join(&address)?);
    let (ann_was, bob_was) = (ann.author.clone(), bob.author.clone());
    stage.sync(&mut ann)?;
    if stage.promises().notices_end {
        for words in ["my", "last", "words"] {
            ann.say(words)?;
        }
        ann.peer.end();
        let reason = stage.wait_for_leave(&ann_was)?;
        expect(
            reason == LeaveReason::Quit,
            "a member that ends by its own choice leaves for LeaveReason::Quit",
            || format!("{reason:?}"),
        )?;
        let said: Vec<_> =
            stage.said().into_iter().filter(|(by, _)| *by == ann_was).map(|(_, line)| line).collect();
        let words = ["my", "last", "words"].map(|word| format!("[{ann_was}] {word}"));
        expect(said == words, "a peer's last words before its end are heard", || format!("{said:?}"))?;
    }
    stage.sync(&mut bob)?;
    if stage.promises().notices_loss {
        bob.peer.vanish();
        stage.wait_for_leave(&bob_was)?;
    }
    stage.sync(&mut eve)?;
    drop(eve);
    stage.close([running])
}

pub(in crate::conformance) fn kicked<M: Medium>(medium: &M) -> Checked {
    let mut stage = Stage::new(medium, RoomConfig::default());
    let (running, address) = stage.open();
    let (mut ann, mut bob) = (stage.join(&address)?, stage.join(&address)?);
    stage.sync(&mut ann)?;
    if let Err(error) = stage.room.kick(ann.author.clone(), "enough is enough") {
        return fault("a member can be kicked by the address that it joined with", error.to_string());
    }
    let why = match ann.hear()? {
        Heard::Closed(why) => why,
        other => return fault("a kicked member is told why", format!("{other:?}")),
    };
    expect(why.contains("enough is enough"), "the kicked member is told the exact reason", || why)?;
    let reason = stage.wait_for_leave(&ann.author)?;
    let is_kick = matches!(&reason, LeaveReason::Kicked { why } if why.as_str() == "enough is enough");
    expect(is_kick, "the member leaves for LeaveReason::Kicked", || format!("{reason:?}"))?;
    stage.say("calm again")?;
    bob.hears("[kit] calm again")?;
    bob.say("indeed")?;
    stage.wait_for_said(&bob.author, "indeed")?;
    drop((ann, bob));
    stage.close([running])
}

pub(in crate::conformance) fn broken<M: Medium>(medium: &M) -> Checked {
    const BROKEN: usize = 10;
    let mut stage = Stage::new(medium, RoomConfig::default());
    let (running, address) = stage.open();
    let (mut ann, mut bob) = (stage.join(&address)?, stage.join(&address)?);
    for number in 0..BROKEN {
        let mut peer = stage.join(&address)?;
        peer.say("I am")?;
        stage.say(&format!("the slow member does not read this line, number {number}"))?;
        peer.peer.vanish();
        stage.say("this finds nobody")?;
    }
    if stage.promises().notices_loss {
        stage.wait_for_members(2)?;
        // These peers vanish before they are members.
        for _ in 0..BROKEN {
            medium.connect(&address).vanish();
        }
    }
    running.goes_on()?;
    stage.sync(&mut ann)?;
    ann.say("are you still there?")?;
    let line = format!("[{}] are you still there?", ann.author);
    loop {
        match bob.hear()? {
            Heard::Line(heard) if heard == line => break,
            Heard::Line(_) => {}
            other => return fault("the others go on", format!("{other:?}")),
        }
    }
    if stage.promises().notices_loss {
        stage.wait_for_members(2)?;
    }
    drop((ann, bob));
    stage.close([running])
}

pub(in crate::conformance) fn dropped<M: Medium>(medium: &M) -> Checked {
    let mut stage = Stage::new(medium, RoomConfig::default());
    let (first, first_address) = stage.open();
    let (second, second_address) = stage.open();
    let (ann, bob) = (stage.join(&first_address)?, stage.join(&first_address)?);
    let mut eve = stage.join(&second_address)?;
    stage.sync(&mut eve)?;
    first.drop_after_turn();
    stage.say("this ends the turn")?;
    first.end(medium.patience())?;
    stage.wait_for_leave(&ann.author)?;
    stage.wait_for_leave(&bob.author)?;
    let members = stage.room.members();
    expect(members == [eve.author.clone()], "the members of the other transport stay", || {
        format!("{members:?}")
    })?;
    eve.hears("[kit] this ends the turn")?;
    drop((ann, bob, eve));
    stage.close([second])
}
