//! The cost of the splitter.

use super::PlainSplitter;
use crate::limits::PLAIN_LINE_BYTES_MAX;

fn drip(splitter: &mut PlainSplitter, bytes: &[u8]) -> usize {
    let mut lines = 0;
    for byte in bytes.chunks(1) {
        let mut input = byte;
        while splitter.next(&mut input).expect("short enough").is_some() {
            lines += 1;
        }
    }
    lines
}

#[test]
fn each_byte_of_a_dripped_line_is_examined_once() {
    let mut line = vec![b'x'; PLAIN_LINE_BYTES_MAX];
    line.extend(b"\r\n");
    let mut splitter = PlainSplitter::new();
    assert_eq!(drip(&mut splitter, &line), 1);
    assert_eq!(splitter.examined, line.len());

    let commands = [b"\xff\xfa".to_vec(), vec![b'x'; 60_000], b"\xff\xf0\xff\xf1".to_vec()].concat();
    let mut splitter = PlainSplitter::new();
    assert_eq!(drip(&mut splitter, &commands), 0);
    assert_eq!(splitter.examined, commands.len());
}

#[test]
fn each_byte_of_many_lines_at_once_is_examined_once() {
    let lines = b"hello\r\n".repeat(10_000);
    let mut splitter = PlainSplitter::new();
    let mut input = lines.as_slice();
    let mut count = 0;
    while splitter.next(&mut input).expect("short").is_some() {
        count += 1;
    }
    assert_eq!((count, splitter.examined), (10_000, lines.len()));
}

#[test]
fn no_memory_is_held_while_nothing_is_pending() {
    let mut splitter = PlainSplitter::new();
    drip(&mut splitter, &[b'x'; PLAIN_LINE_BYTES_MAX]);
    assert!(splitter.line.capacity() <= PLAIN_LINE_BYTES_MAX);
    drip(&mut splitter, b"\n");
    assert_eq!(splitter.line.capacity(), 0);

    drip(&mut splitter, b"left over");
    assert!(splitter.finish().is_some());
    assert_eq!(splitter.line.capacity(), 0);
}
