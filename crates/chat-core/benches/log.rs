//! The cost of fan-out without the system call: appending to the encoded log once, slicing it for each member.

use std::hint::black_box;

use chat_core::transport::{Cursor, EncodedLog, Pending};
use chat_proto::{Author, Entry, Event, Origin, Spelling, Text, encode_entry};
use divan::Bencher;
use divan::counter::ItemsCount;

const LOG_BYTES: usize = 4 * 1024 * 1024;
/// Enough messages that the log is full and its tail moves.
const FULL: u64 = 100_000;
const MEMBERS: usize = 1000;

fn main() {
    divan::main();
}

fn entry(seq: u64) -> Entry {
    let author: Author = "127.0.0.1:57814".parse().expect("an address");
    let text = Text::one_line(&"x".repeat(64)).expect("64 bytes of ASCII");
    Entry { seq, at_ms: seq, event: Event::Said { from: Origin::default(), author, text } }
}

fn full_log() -> EncodedLog {
    let mut log = EncodedLog::new(LOG_BYTES);
    let mut entry = entry(0);
    let mut spelling = Spelling::default();
    for seq in 1..=FULL {
        entry.seq = seq;
        log.push(&entry, |entry, out| encode_entry(entry, &mut spelling, out));
    }
    log
}

#[divan::bench]
fn append_to_a_full_log(bencher: Bencher<'_, '_>) {
    let mut log = full_log();
    let mut entry = entry(FULL);
    let mut spelling = Spelling::default();
    bencher.bench_local(|| {
        entry.seq += 1;
        log.push(black_box(&entry), |entry, out| encode_entry(entry, &mut spelling, out));
    });
}

/// The work of a turn for each member that is this many messages behind, except the write itself.
#[divan::bench(args = [1, 16, 256])]
fn slice_and_advance_1000_members(bencher: Bencher<'_, '_>, behind: u64) {
    let log = full_log();
    let cursors = vec![log.after(FULL - behind); MEMBERS];
    bencher.counter(ItemsCount::new(MEMBERS)).bench_local(|| {
        for &cursor in black_box(&cursors) {
            black_box(slice_and_advance(&log, cursor));
        }
    });
}

/// A member's socket took one byte less than all.
#[divan::bench]
fn advance_after_a_short_write(bencher: Bencher<'_, '_>) {
    let log = full_log();
    let cursor = log.after(FULL - 256);
    let Pending::Bytes(a, b) = log.pending(cursor) else { panic!("256 messages are pending") };
    let written = a.len() + b.len() - 1;
    bencher.bench_local(|| log.advance(black_box(cursor), black_box(written)).cursor);
}

/// A member said one of the messages itself: its slice ends before that message.
#[divan::bench]
fn slice_before_an_own_message(bencher: Bencher<'_, '_>) {
    let log = full_log();
    let cursor = log.after(FULL - 256);
    bencher.bench_local(|| match log.pending_before(black_box(cursor), black_box(FULL - 100)) {
        Pending::Bytes(a, b) => a.len() + b.len(),
        _ => 0,
    });
}

fn slice_and_advance(log: &EncodedLog, cursor: Cursor) -> Cursor {
    match log.pending(cursor) {
        Pending::Bytes(a, b) => log.advance(cursor, a.len() + b.len()).cursor,
        _ => cursor,
    }
}
