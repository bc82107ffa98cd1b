//! Messages, and which members hear them.

use std::num::NonZeroU32;
use std::thread;

use chat_core::{Moderator, Rate, RoomConfig, Verdict, Waker};
use chat_proto::{Author, Entry, Event, Text};

use crate::MemoryTransport;
use crate::conformance::fault::{Checked, expect};
use crate::conformance::medium::{Heard, Medium};
use crate::conformance::running::run;
use crate::conformance::stage::{Stage, small_log};

pub(in crate::conformance) fn everything_in_order<M: Medium>(medium: &M) -> Checked {
    let mut stage = Stage::new(medium, RoomConfig::default());
    let (running, address) = stage.open();
    let mut guests = [stage.join(&address)?, stage.join(&address)?, stage.join(&address)?];
    for number in 0..10 {
        guests[0].say(format!("one {number}"))?;
        guests[1].say(format!("two {number}"))?;
        guests[1].say(format!("two {number} again"))?;
        stage.say(&format!("a seat {number}"))?;
    }
    for guest in &mut guests[..2] {
        guest.say("done")?;
        stage.wait_for_said(&guest.author, "done")?;
    }
    let heard = stage.sync_all(&mut guests)?;
    for (guest, heard) in guests.iter().zip(&heard) {
        let lines = stage.said_to(&guest.author);
        stage.compare(&lines, heard)?;
    }
    let (all, lines) = (10 * 4 + 2, stage.said().len());
    expect(lines == all, "each line is one message", || format!("{lines} messages of {all} lines"))?;
    drop(guests);
    stage.close([running])
}

pub(in crate::conformance) fn one_order<M: Medium>(medium: &M) -> Checked {
    const EACH: usize = 40;
    let mut stage = Stage::new(medium, RoomConfig::default());
    let (first, first_address) = stage.open();
    let (second, second_address) = stage.open();
    let (memory, door) = MemoryTransport::new(&stage.room);
    let memory = run(memory);
    let mut guests = [stage.join(&first_address)?, stage.join(&second_address)?, stage.join(&first_address)?];
    let mut other = door.connect();
    let is_other = |event: &Event| matches!(event, Event::Joined { author, .. } if author.address() == Some(other.address().into()));
    stage.wait_for("the kit's own transport takes peers in", |event| is_other(event).then_some(()))?;
    let deadline = stage.deadline();
    thread::scope(|scope| {
        let threads: Vec<_> = guests
            .iter_mut()
            .zip(["one", "two", "three"])
            .map(|(guest, name)| {
                scope.spawn(move || (0..EACH).try_for_each(|number| guest.say(format!("{name} {number}"))))
            })
            .collect();
        for number in 0..EACH {
            stage.say(&format!("a seat {number}"))?;
            assert!(
                other.say_by(format!("other {number}").as_bytes(), deadline),
                "the kit's own transport takes it"
            );
        }
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    // Wait until everything is in the log. The markers must come after it.
    let mut said = 0;
    stage.wait_for("what peers say reaches the room", |event| {
        said += usize::from(event.is_message());
        (said == 5 * EACH).then_some(())
    })?;
    let heard = stage.sync_all(&mut guests)?;
    for (guest, heard) in guests.iter().zip(&heard) {
        let lines = stage.said_to(&guest.author);
        stage.compare(&lines, heard)?;
    }
    let other_author = Author::Peer(other.address().into());
    let said = stage.said().into_iter();
    for (_, line) in said.filter(|(author, _)| *author != other_author) {
        let heard = other.hear_by(deadline);
        expect(
            heard.as_ref() == Some(&line),
            &format!("members of another transport hear {line:?}"),
            || format!("{heard:?}"),
        )?;
    }
    drop((guests, other));
    stage.close([first, second, memory])
}

pub(in crate::conformance) fn clean_texts<M: Medium>(medium: &M) -> Checked {
    let long = "long ".repeat(1000);
    let lines: [&[u8]; 7] = [
        b"a tab\there",
        b"an escape \x1b[2J and a bell \x07",
        b"a delete \x7f and a nul \0",
        b"not UTF-8 \xc3(",
        "a name \u{202e}reversed, and a line\u{2028}separator".as_bytes(),
        "caf\u{e9} \u{1f44b}".as_bytes(),
        long.as_bytes(),
    ];
    let mut stage = Stage::new(medium, RoomConfig::default());
    let (running, address) = stage.open();
    let (mut ann, mut bob) = (stage.join(&address)?, stage.join(&address)?);
    for line in lines {
        ann.say(line)?;
    }
    let texts: Vec<_> = lines.into_iter().flat_map(Text::split).collect();
    let (author, last) = (ann.author.clone(), texts[texts.len() - 1].clone());
    stage.wait_for_said(&ann.author, last.as_str())?;
    let heard = stage.sync(&mut bob)?;
    let clean: Vec<_> = texts.iter().map(|text| format!("[{author}] {text}")).collect();
    stage.compare(&clean, &heard)?;
    drop((ann, bob));
    stage.close([running])
}

pub(in crate::conformance) fn moderator<M: Medium>(medium: &M) -> Checked {
    let moderator = Moderator::new(|offer| match offer.text.as_str() {
        "damn" => Verdict::Change(Text::one_line("dear").unwrap_or_default()),
        "spam" => Verdict::Refuse(Text::one_line("no spam in here").unwrap_or_default()),
        _ => Verdict::Accept,
    });
    let mut stage = Stage::new(medium, RoomConfig::default().with_moderator(moderator));
    let (running, address) = stage.open();
    let (mut ann, mut bob) = (stage.join(&address)?, stage.join(&address)?);
    for line in ["damn", "spam", "fine"] {
        ann.say(line)?;
    }
    let author = ann.author.clone();
    stage.wait_for_said(&ann.author, "fine")?;
    let said: Vec<_> = ["dear", "fine"].iter().map(|text| format!("[{author}] {text}")).collect();
    let heard = stage.sync(&mut bob)?;
    stage.compare(&said, &heard)?;
    let heard = stage.sync(&mut ann)?;
    let is_reason =
        |heard: &&Heard| matches!(heard, Heard::Line(line) if line == "[*] Not said: no spam in here");
    let reasons = heard.iter().filter(is_reason).count();
    let told_once = reasons == 1 || (reasons == 0 && !stage.promises().reliable);
    expect(told_once, "the author of a refused message is told why, once", || {
        format!("{reasons} times, in {heard:?}")
    })?;
    let rest: Vec<_> = heard.iter().filter(|heard| !is_reason(heard)).cloned().collect();
    let said = stage.said_to(&ann.author);
    stage.compare(&said, &rest)?;
    drop((ann, bob));
    stage.close([running])
}

pub(in crate::conformance) fn pause<M: Medium>(medium: &M) -> Checked {
    const BURST: u32 = 10;
    const PER_SECOND: u32 = 100;
    const LINES: u32 = 60;
    /// Entries that fill more than half of the smallest log.
    const CROWD: usize = 200;
    if !medium.promises().reliable {
        return Ok(()); // messages that arrive too fast may be lost
    }
    let rate = |number| NonZeroU32::new(number).expect("not zero");
    let rate = Rate { burst: rate(BURST), per_second: rate(PER_SECOND) };
    let mut stage = Stage::new(medium, small_log().with_rate(Some(rate)));
    // A transport that does not pull makes every speaker pause, even on loopback.
    let idle = stage.room.attach(Waker::new(|| {}));
    let (running, address) = stage.open();
    let mut ann = stage.join(&address)?;
    for _ in 0..CROWD {
        stage.say("x")?;
    }
    stage.sync(&mut ann)?;
    for number in 0..LINES {
        ann.say(format!("{number}"))?;
    }
    let author = ann.author.clone();
    stage.wait_for_said(&ann.author, &(LINES - 1).to_string())?;
    let lines = stage.said().into_iter().filter(|(by, _)| *by == author).map(|(_, line)| line);
    let expected: Vec<_> = (0..LINES).map(|number| Heard::Line(format!("[{author}] {number}"))).collect();
    let found: Vec<_> = lines.map(Heard::Line).collect();
    expect(found == expected, "each line is heard once and in order", || {
        format!("{} lines of {LINES}", found.len())
    })?;
    if !ann.is_exempt() {
        let is_own = |entry: &Entry| matches!(&entry.event, Event::Said { author: by, .. } if *by == author);
        let times: Vec<_> =
            stage.seen().iter().filter(|entry| is_own(entry)).map(|entry| entry.at_ms).collect();
        let took = times[times.len() - 1] - times[0];
        // The medium may deliver several messages in one unit, and all of them may be taken before the pause begins.
        // Allow half of the burst for that.
        let least = u64::from((LINES - BURST - BURST / 2) * 1000 / PER_SECOND);
        expect(took >= least, "nothing is taken from a member until its pause is over", || {
            format!("{LINES} lines took {took} ms, {least} would have been the least")
        })?;
    }
    let heard = stage.sync(&mut ann)?;
    if stage.promises().echo {
        let own = heard.iter().filter(|heard| expected.contains(heard)).count();
        expect(own == expected.len(), "the member hears all its own lines", || {
            format!("{own} lines of {LINES}")
        })?;
    }
    drop((idle, ann));
    stage.close([running])
}
