//! Names, private messages, and other rooms.

use std::time::Duration;

use chat_core::{RoomConfig, Rooms, RoomsConfig};
use chat_proto::{Event, LeaveReason};

use crate::conformance::fault::{Checked, expect};
use crate::conformance::medium::{Heard, Medium, Peer};
use crate::conformance::stage::{Stage, now};

/// How long to wait for a message to be taken if it need not be taken.
const TAKEN_WITHIN: Duration = Duration::from_millis(500);

/// How many private messages follow each other. A direct lane holds more.
const PRIVATE: usize = 20;

/// How many messages a member has to get before it goes to another room.
const BEFORE: usize = 100;

pub(in crate::conformance) fn names<M: Medium>(medium: &M) -> Checked {
    let mut stage = Stage::new(medium, RoomConfig::default());
    let (running, address) = stage.open();
    let (mut ann, mut bob) = (stage.join(&address)?, stage.join(&address)?);
    ann.say("/nick ann")?;
    let named = stage.wait_for("a name that is taken is an entry", |event| match event {
        Event::Renamed { to, .. } => Some(to.clone()),
        _ => None,
    })?;
    bob.say("/nick ANN")?;
    bob.say("I am still here")?;
    stage.wait_for_said(&bob.author, "I am still here")?;
    ann.say("hi")?;
    stage.wait_for("what a member with a name says is shown with it", |event| match event {
        Event::Said { author, text, .. } => (*author == named && text.as_str() == "hi").then_some(()),
        _ => None,
    })?;
    let heard = stage.sync(&mut bob)?;
    let refused = "[*] The name ANN is taken. ANN-2 is free.";
    hears_once(&stage, &heard, refused, "the second member that wants a name is told that it is taken")?;
    hears_once(&stage, &heard, "[ann] hi", "others hear a member by its name")?;
    let said = stage.said();
    let commands = said.iter().filter(|(_, line)| line.contains("/nick")).count();
    expect(commands == 0, "a command is not said", || format!("{said:?}"))?;
    drop((ann, bob));
    stage.close([running])
}

pub(in crate::conformance) fn lane_order<M: Medium>(medium: &M) -> Checked {
    let mut stage = Stage::new(medium, RoomConfig::default());
    let (running, address) = stage.open();
    let (mut ann, mut bob, mut eve) = (stage.join(&address)?, stage.join(&address)?, stage.join(&address)?);
    let (from, to) = (ann.author.clone(), bob.author.clone());
    for number in 0..PRIVATE {
        ann.say(format!("/msg {to} psst {number}"))?;
        stage.say(&format!("aloud {number}"))?;
    }
    ann.say("done")?;
    stage.wait_for_said(&ann.author, "done")?;
    for (guest, prefix) in [(&mut bob, format!("[{from} -> you] ")), (&mut ann, format!("[you -> {to}] "))] {
        let heard = stage.sync(guest)?;
        let is_private = |heard: &&Heard| matches!(heard, Heard::Line(line) if line.starts_with(&prefix));
        let private: Vec<Heard> = heard.iter().filter(is_private).cloned().collect();
        let sent: Vec<String> = (0..PRIVATE).map(|number| format!("{prefix}psst {number}")).collect();
        stage.compare(&sent, &private)?;
    }
    let heard = stage.sync(&mut eve)?;
    let leaked = heard.iter().find(|heard| matches!(heard, Heard::Line(line) if line.contains("psst")));
    expect(leaked.is_none(), "nobody else hears a private message", || format!("{leaked:?}"))?;
    drop((ann, bob, eve));
    stage.close([running])
}

pub(in crate::conformance) fn refusal<M: Medium>(medium: &M) -> Checked {
    let mut stage = Stage::new(medium, RoomConfig::default());
    let (running, address) = stage.open();
    let (mut ann, mut bob) = (stage.join(&address)?, stage.join(&address)?);
    bob.say(format!("/ignore {}", ann.author))?;
    bob.say("ready")?;
    stage.wait_for_said(&bob.author, "ready")?;
    ann.say(format!("/msg {} psst", bob.author))?;
    ann.say("/msg nobody psst")?;
    ann.say("done")?;
    stage.wait_for_said(&ann.author, "done")?;
    let heard = stage.sync(&mut ann)?;
    for why in ["[*] Not delivered: the member ignores you", "[*] nobody is not here. /who tells who is."] {
        hears_once(&stage, &heard, why, "the sender of a private message that is not delivered is told why")?;
    }
    let heard = stage.sync(&mut bob)?;
    let leaked = heard.iter().find(|heard| matches!(heard, Heard::Line(line) if line.contains("psst")));
    expect(leaked.is_none(), "what was refused is not heard", || format!("{leaked:?}"))?;
    drop((ann, bob));
    stage.close([running])
}

pub(in crate::conformance) fn another_room<M: Medium>(medium: &M) -> Checked {
    if !medium.promises().moves {
        return Ok(());
    }
    let name = |name: &str| name.parse().expect("invariant: it is a name");
    let rooms = Rooms::new(RoomsConfig::default().with_room(name("lobby")).with_room(name("dev")));
    let rooms = rooms.expect("two names");
    let dev = rooms.get(&name("dev")).expect("it is configured");
    let local = dev.join("kit").expect("a name that nobody has there");
    let mut stage = Stage::of(medium, rooms.first());
    let (running, address) = stage.open();
    let (mut ann, mut bob) = (stage.join(&address)?, stage.join(&address)?);
    for number in 0..BEFORE {
        stage.say(&format!("before {number}"))?;
    }
    let before = stage.said_to(&ann.author);
    ann.say("/join dev")?;
    // Over a medium with sessions, this session may have ended already and take nothing more.
    let _taken = ann.peer.say(b"hello dev", now() + TAKEN_WITHIN);
    // After this the peer is in the other room, or it has to join that room over another connection.
    let (heard, arrives) = stage.wait_for_arrival(&mut ann, "[*] You are in dev now: 1 present")?;
    stage.compare(&before, &heard)?;
    let reason = stage.wait_for_leave(&ann.author)?;
    expect(reason == LeaveReason::Quit, "a member leaves the room that it goes from", || {
        format!("{reason:?}")
    })?;
    stage.say("in the lobby")?;
    stage.sync(&mut bob)?;
    let said = stage.said();
    let strayed = said.iter().find(|(_, line)| line.contains("hello dev"));
    expect(strayed.is_none(), "what follows the command is not said in the old room", || {
        format!("{strayed:?}")
    })?;
    if arrives {
        local.say("in dev").expect("the room is open");
        let own = format!("[{}] hello dev", ann.author);
        let heard = loop {
            match ann.hear()? {
                Heard::Line(line) if line == own => {}
                heard => break heard,
            }
        };
        let is_of_dev = heard == Heard::Line("[kit] in dev".to_owned());
        expect(is_of_dev, "a member hears the room that it is in, and no other", || format!("{heard:?}"))?;
    }
    drop((ann, bob, local));
    rooms.close("the kit is done", Duration::from_millis(200));
    stage.end([running])
}

/// Checks that a line was heard exactly once, or at most once if the medium may lose it.
fn hears_once<M: Medium>(stage: &Stage<'_, M>, heard: &[Heard], line: &str, expected: &str) -> Checked {
    let times = heard.iter().filter(|heard| **heard == Heard::Line(line.to_owned())).count();
    let holds = times == 1 || (times == 0 && !stage.promises().reliable);
    expect(holds, expected, || format!("{line:?} {times} times, in {heard:?}"))
}
