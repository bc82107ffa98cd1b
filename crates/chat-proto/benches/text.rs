//! What it costs to cut what plain members send into lines, and to clean it.

use std::hint::black_box;

use chat_proto::{PlainSplitter, Text};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

/// Messages in one read of a busy server.
const BATCH: usize = 256;

fn main() {
    divan::main();
}

/// Lines that are whole in the read, or that arrive in reads of this many bytes.
#[divan::bench(args = [65_536, 1460, 16])]
fn split_256_lines(bencher: Bencher<'_, '_>, read_bytes: usize) {
    let stream = format!("{}\n", "x".repeat(64)).repeat(BATCH).into_bytes();
    let bytes = BytesCount::new(stream.len());
    bencher.counter(bytes).counter(ItemsCount::new(BATCH)).bench_local(|| {
        let mut splitter = PlainSplitter::new();
        let mut lines = 0;
        for mut read in black_box(&stream).chunks(read_bytes) {
            while let Some(line) = splitter.next(&mut read).expect("short lines") {
                black_box(line);
                lines += 1;
            }
        }
        assert_eq!(lines, BATCH);
    });
}

/// What people write, and what somebody may send to do harm or to waste our time.
#[divan::bench(args = ["ascii", "umlauts", "emoji", "controls", "invalid"])]
fn clean_64_bytes(bencher: Bencher<'_, '_>, kind: &str) {
    let line: Vec<u8> = match kind {
        "ascii" => b"The quick brown fox jumps over the lazy dog and then takes a nap".to_vec(),
        "umlauts" => "Größere Bäume wären schön, außer für Vögel über Öfen".into(),
        "emoji" => "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 ok then".into(),
        "controls" => b"\x1b[2J\x07".repeat(13)[..64].to_vec(),
        _ => vec![0xff; 64],
    };
    bencher.counter(BytesCount::new(line.len())).bench_local(|| Text::split(black_box(&line)).count());
}

/// A paste of 64 KiB, which becomes several messages.
#[divan::bench(args = ["ascii", "umlauts", "controls"])]
fn split_a_long_line(bencher: Bencher<'_, '_>, kind: &str) {
    let line = match kind {
        "ascii" => "lorem ipsum ".repeat(5000),
        "umlauts" => "Äpfel öfter ".repeat(4200),
        _ => "\u{1b}[0m".repeat(16_000),
    };
    let line = line.as_bytes();
    bencher.counter(BytesCount::new(line.len())).bench_local(|| Text::split(black_box(line)).count());
}
