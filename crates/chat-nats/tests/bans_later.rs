//! A ban that cannot be stored. It has a program of its own, because the log is that of the whole process.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::io::{self, Write};
use std::sync::Mutex;

use chat_core::{Ban, Text};
use support::{Server, nats, until};
use tracing_subscriber::filter::LevelFilter;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Writes to [`LOG`].
struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(what: &str) -> usize {
    String::from_utf8_lossy(&LOG.lock().unwrap()).matches(what).count()
}

#[test]
fn a_ban_that_cannot_be_stored_is_told_to_the_operator_once_and_tried_again() {
    tracing_subscriber::fmt().with_max_level(LevelFilter::INFO).with_ansi(false).with_writer(|| Log).init();
    let Some(mut nats) = nats("bans-later", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    let ban = |who: &str| Ban { who: who.parse().unwrap(), why: Text::default(), until_unix_ms: None };
    one.room.ban(&ban("ann")).unwrap();
    until("it holds at both", || other.room.bans().len() == 1);
    assert_eq!(logged("bans cannot be stored now"), 0);
    nats.kill(0);
    one.room.ban(&ban("eve")).unwrap();
    until("the operator is told", || logged("bans cannot be stored now") > 0);
    assert_eq!(other.room.bans().len(), 1);
    nats.restart(0);
    until("it holds at both", || other.room.bans().len() == 2);
    until("the operator is told that too", || logged("know of all bans again") > 0);
    assert_eq!(logged("bans cannot be stored now"), 1, "once, however often it was tried");
}
