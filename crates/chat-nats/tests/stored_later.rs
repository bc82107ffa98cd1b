//! Values that cannot be stored at once. This test has a program of its own, because its log is that of the whole
//! process.
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use std::io::{self, Write};
use std::sync::{Mutex, Once};
use std::time::Duration;

use chat_core::Text;
use chat_core::access::Ban;
use support::{Server, nats, until, welcome};
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

fn listen_to_log() {
    static LISTENS: Once = Once::new();
    LISTENS.call_once(|| {
        let log = tracing_subscriber::fmt().with_max_level(LevelFilter::DEBUG);
        log.with_ansi(false).with_writer(|| Log).init();
    });
}

fn logged(what: &str) -> usize {
    String::from_utf8_lossy(&LOG.lock().unwrap()).matches(what).count()
}

#[test]
fn a_ban_that_cannot_be_stored_is_told_to_the_operator_once_and_tried_again() {
    listen_to_log();
    let Some(mut nats) = nats("bans-later", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    let ban = |who: &str| Ban { who: who.parse().unwrap(), why: Text::default(), until_unix_ms: None };
    one.room.ban(&ban("ann")).unwrap();
    until("it holds at both", || other.room.bans().len() == 1);
    // A NATS server that is slow on a busy machine may have made the first one late already.
    until("nothing is to be stored", || {
        logged("bans cannot be stored now") == logged("know of all bans again")
    });
    let before = logged("bans cannot be stored now");
    nats.kill(0);
    one.room.ban(&ban("eve")).unwrap();
    until("the operator is told", || logged("bans cannot be stored now") > before);
    assert_eq!(other.room.bans().len(), 1);
    nats.restart(0);
    until("it holds at both", || other.room.bans().len() == 2);
    until("the operator is told that too", || logged("know of all bans again") > before);
    assert_eq!(logged("bans cannot be stored now"), before + 1, "once, however often it was tried");
}

#[test]
fn a_late_write_does_not_undo_what_another_server_has_changed_since() {
    listen_to_log();
    let Some(nats) = nats("settings-later", 1) else { return };
    let (one, other) = (Server::new(&nats), Server::new(&nats));
    let carrier = one.carrier();
    let ann = welcome(&carrier, None).unwrap();
    let pause = Some(Duration::from_secs(5));
    nats.stop(0);
    one.room.set_slow(pause);
    until("it is not answered in time", || logged("unnamed.slow") > 0);
    // NATS has it all the same, and takes it now. The server does not know that, and tries again after a second.
    nats.go_on(0);
    until("slow mode is on", || other.room.slow() == pause);
    other.room.set_slow(None);
    until("slow mode is off", || one.room.slow().is_none());
    // A server stores one change after the other.
    one.room.mute(&ann.welcome.you).unwrap();
    until("what comes after the second attempt is heard", || other.room.mutes().len() == 1);
    assert_eq!((one.room.slow(), other.room.slow()), (None, None));
}
