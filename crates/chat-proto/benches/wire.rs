//! What a message costs on the wire: encoding an entry once per format, decoding what members send.

use std::hint::black_box;

use chat_proto::{
    Author, Entry, Event, FrameDecoder, Line, MemberFrame, MemberId, Origin, Spelling, Text, encode_entry,
};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

/// Messages in one read of a busy server.
const BATCH: usize = 256;

fn main() {
    divan::main();
}

fn text() -> Text {
    Text::one_line(&"x".repeat(64)).expect("64 bytes of ASCII")
}

fn author() -> Author {
    "127.0.0.1:57814".parse().expect("an address")
}

fn entry() -> Entry {
    Entry {
        seq: 123_456,
        at_ms: 7_890_123,
        event: Event::Said {
            from: Origin { member: MemberId::new(1_234), number: 567 },
            author: author(),
            text: text(),
        },
    }
}

#[divan::bench]
fn encode_entry_as_a_frame(bencher: Bencher<'_, '_>) {
    let entry = entry();
    let mut out = Vec::with_capacity(4096);
    let mut spelling = Spelling::default();
    bencher.bench_local(|| {
        out.clear();
        encode_entry(black_box(&entry), &mut spelling, &mut out);
        out.len()
    });
}

#[divan::bench]
fn encode_entry_as_a_line(bencher: Bencher<'_, '_>) {
    use std::io::Write;
    let line = Line { author: author(), text: text() };
    let mut out = Vec::with_capacity(4096);
    bencher.bench_local(|| {
        out.clear();
        writeln!(out, "{}", black_box(&line)).expect("writing to a Vec does not fail");
        out.len()
    });
}

#[divan::bench]
fn encode_say(bencher: Bencher<'_, '_>) {
    let say = MemberFrame::Say { number: 567, text: text() };
    let mut out = Vec::with_capacity(4096);
    bencher.bench_local(|| {
        out.clear();
        black_box(&say).encode(&mut out);
        out.len()
    });
}

/// Frames that are whole in the read, or that arrive in reads of this many bytes.
#[divan::bench(args = [65_536, 1460, 16])]
fn decode_256_says(bencher: Bencher<'_, '_>, read_bytes: usize) {
    let mut stream = Vec::new();
    (0..BATCH).for_each(|_| MemberFrame::Say { number: 567, text: text() }.encode(&mut stream));
    let bytes = BytesCount::new(stream.len());
    bencher.counter(bytes).counter(ItemsCount::new(BATCH)).bench_local(|| {
        let mut decoder = FrameDecoder::new();
        let mut frames = 0;
        for mut read in black_box(&stream).chunks(read_bytes) {
            while let Some(frame) = decoder.next::<MemberFrame>(&mut read).expect("well-formed frames") {
                black_box(frame);
                frames += 1;
            }
        }
        assert_eq!(frames, BATCH);
    });
}
