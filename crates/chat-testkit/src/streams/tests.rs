//! Tests of streams: how bytes move, and how streams break and end.

use std::io::ErrorKind;

use super::*;

fn pass(time: &VirtualTime, streams: &Streams) -> Vec<StreamEvent> {
    let mut all = Vec::new();
    while let Some(next) = streams.next_event() {
        time.advance_to(next);
        all.extend(streams.events());
    }
    all
}

fn read_all(end: &mut StreamEnd) -> (Vec<u8>, Result<(), ErrorKind>) {
    let (mut got, mut buffer) = (Vec::new(), [0; 64]);
    loop {
        match end.read(&mut buffer) {
            Ok(0) => return (got, Ok(())),
            Ok(count) => got.extend_from_slice(&buffer[..count]),
            Err(error) => return (got, Err(error.kind())),
        }
    }
}

#[test]
fn bytes_arrive_in_order_however_few_are_moved_at_once() {
    let time = VirtualTime::default();
    let streams = Streams::new(3, &time);
    let conditions = StreamConditions {
        delay: (Duration::ZERO, Duration::from_millis(50)),
        bite_bytes_max: 3,
        buffer_bytes: 7,
        ..StreamConditions::default()
    };
    let (mut ann, mut bob) = streams.connect(conditions);
    let (sent, mut got) = ((0..200).collect::<Vec<u8>>(), Vec::new());
    let mut left = &sent[..];
    while got.len() < sent.len() {
        while let Ok(count) = ann.write(left)
            && count > 0
        {
            left = &left[count..];
        }
        assert!(!pass(&time, &streams).is_empty(), "each end that would have blocked gets its event");
        got.extend(read_all(&mut bob).0);
    }
    assert_eq!(got, sent);
}

#[test]
fn an_event_comes_once_after_reading_would_have_blocked() {
    let time = VirtualTime::default();
    let streams = Streams::new(1, &time);
    let (mut ann, mut bob) = streams.connect(StreamConditions::default());
    ann.write_all(b"one").unwrap();
    assert_eq!(pass(&time, &streams).len(), 1);
    ann.write_all(b"two").unwrap();
    assert_eq!(pass(&time, &streams), [], "nobody has read, so nobody waits");
    assert_eq!(read_all(&mut bob), (b"onetwo".to_vec(), Err(ErrorKind::WouldBlock)));
    ann.write_all(b"three").unwrap();
    assert!(pass(&time, &streams).iter().any(|event| event.end == bob.id() && event.readable));
}

#[test]
fn where_a_short_read_is_all_each_arrival_makes_an_event() {
    let time = VirtualTime::default();
    let streams = Streams::new(1, &time);
    let (mut ann, mut bob) = streams.connect(StreamConditions {
        short_read_is_all: true,
        bite_bytes_max: 2,
        ..StreamConditions::default()
    });
    let mut sent = 0;
    for _ in 0..9 {
        sent += ann.write(b"four").unwrap();
        assert!(pass(&time, &streams).iter().any(|event| event.end == bob.id() && event.readable));
    }
    assert_eq!(bob.read(&mut [0; 64]).unwrap(), sent, "and it returns all");
    ann.shutdown_write().unwrap();
    assert!(pass(&time, &streams).iter().any(|event| event.end == bob.id() && event.ended));
}

#[test]
fn a_side_that_has_ended_still_reads() {
    let time = VirtualTime::default();
    let streams = Streams::new(1, &time);
    let (mut ann, mut bob) = streams.connect(StreamConditions::default());
    ann.write_all(b"last").unwrap();
    ann.shutdown_write().unwrap();
    pass(&time, &streams);
    assert_eq!(read_all(&mut bob), (b"last".to_vec(), Ok(())));
    bob.write_all(b"answer").unwrap();
    pass(&time, &streams);
    assert_eq!(read_all(&mut ann), (b"answer".to_vec(), Err(ErrorKind::WouldBlock)));
    bob.shutdown_write().unwrap();
    assert!(pass(&time, &streams).iter().all(|event| event.hung_up), "both sides have ended");
}

#[test]
fn closing_with_unread_bytes_or_writing_to_a_closed_peer_is_a_reset() {
    for (unread, destroys) in [(true, false), (true, true), (false, false)] {
        let time = VirtualTime::default();
        let streams = Streams::new(1, &time);
        let (mut ann, mut bob) =
            streams.connect(StreamConditions { reset_destroys: destroys, ..StreamConditions::default() });
        bob.write_all(b"news").unwrap();
        if unread {
            ann.write_all(b"unread").unwrap();
            pass(&time, &streams);
            drop(bob);
        } else {
            drop(bob);
            ann.write_all(b"too late").unwrap();
        }
        pass(&time, &streams);
        let update: &[u8] = if destroys { b"" } else { b"news" };
        assert_eq!(read_all(&mut ann), (update.to_vec(), Err(ErrorKind::ConnectionReset)));
    }
}

#[test]
fn a_vanished_peer_takes_what_fits_and_is_noticed_late() {
    let time = VirtualTime::default();
    let streams = Streams::new(1, &time);
    let (ann, mut bob) = streams.connect(StreamConditions { buffer_bytes: 4, ..StreamConditions::default() });
    ann.vanish(Duration::from_secs(100));
    assert_eq!(bob.write(b"hello").unwrap(), 4);
    assert_eq!(bob.write(b"o").unwrap_err().kind(), ErrorKind::WouldBlock);
    let events = pass(&time, &streams);
    assert!(matches!(events[..], [StreamEvent { hung_up: true, .. }]), "{events:?}");
    assert_eq!(time.passed(), Duration::from_secs(100));
    assert_eq!(bob.write(b"o").unwrap_err().kind(), ErrorKind::TimedOut);
}
