//! Members that speak and listen, and a check of everything that they have heard.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chat_core::{Client, ClientConfig, ClientEvent, Event};
use crossbeam_channel::Sender;

use crate::support;

/// How many messages of a speaker may be unconfirmed.
const WINDOW: u64 = 8;

/// How long a message may take to be confirmed: several elections, on a busy machine.
const CONFIRMED_IN: Duration = Duration::from_secs(90);

/// The texts that one member has heard, by their numbers.
#[derive(Default)]
pub(crate) struct Heard {
    who: String,
    texts: BTreeMap<u64, String>,
}

fn connect(addresses: &[SocketAddr], first: usize) -> Client {
    let mut addresses = addresses.to_vec();
    let count = addresses.len();
    addresses.rotate_left(first % count);
    let config = ClientConfig::default().with_reconnect(true).with_retry_first(true);
    chat_tcp::connect(RoundRobin(addresses), &config).unwrap()
}

/// Several addresses that a client takes as one.
struct RoundRobin(Vec<SocketAddr>);

impl std::net::ToSocketAddrs for RoundRobin {
    type Iter = std::vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> std::io::Result<Self::Iter> {
        Ok(self.0.clone().into_iter())
    }
}

impl Heard {
    /// In order.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &String> {
        self.texts.values()
    }

    /// Takes an event. Returns the text if it is a message of this member, which is thereby confirmed.
    fn take(&mut self, event: ClientEvent, is_first: &mut bool) -> Option<String> {
        let who = &self.who;
        match event {
            ClientEvent::Connected { welcome, .. } => {
                assert!(welcome.resumed || std::mem::take(is_first), "{who}: its session has ended");
                assert!(welcome.taken.is_some(), "{who}: the server does not know what it took");
                None
            }
            ClientEvent::Entry { entry, own } => {
                let Event::Said { text, .. } = &entry.event else { return None };
                if let Some((&newest, _)) = self.texts.last_key_value() {
                    assert_eq!(entry.seq, newest + 1, "{who}: numbers follow each other");
                }
                self.texts.insert(entry.seq, text.as_str().to_owned());
                own.then(|| text.as_str().to_owned())
            }
            ClientEvent::Direct(_) | ClientEvent::Lost { .. } | ClientEvent::Present(_) => None,
            other => panic!("{who}: {other:?}"),
        }
    }
}

/// Says `count` messages, a few at a time, and ends when all are confirmed. Reports each confirmation to `progress`.
pub(crate) fn speak(
    addresses: &[SocketAddr],
    number: usize,
    count: u64,
    progress: &Sender<()>,
) -> JoinHandle<Heard> {
    let client = connect(addresses, number);
    let progress = progress.clone();
    thread::spawn(move || {
        let mut heard = Heard { who: format!("speaker {number}"), ..Heard::default() };
        let (mut said, mut confirmed, mut is_first) = (0, 0, true);
        let mut by = support::now() + CONFIRMED_IN;
        while confirmed < count {
            while said < count.min(confirmed + WINDOW) {
                said += 1;
                client.say(&format!("{number}/{said}")).unwrap();
            }
            let left = by.saturating_duration_since(support::now());
            let event = client.events().recv_timeout(left);
            let event =
                event.unwrap_or_else(|_| panic!("speaker {number}: {confirmed} of {said} are confirmed"));
            if let Some(text) = heard.take(event, &mut is_first) {
                confirmed += 1;
                assert_eq!(text, format!("{number}/{confirmed}"), "its own messages come in order");
                progress.send(()).unwrap();
                by = support::now() + CONFIRMED_IN;
            }
        }
        heard
    })
}

/// Listens until it has heard `count` messages.
pub(crate) fn listen(addresses: &[SocketAddr], number: usize, count: u64) -> JoinHandle<Heard> {
    let client = connect(addresses, number);
    let (joined, has_joined) = crossbeam_channel::bounded(1);
    let listening = thread::spawn(move || {
        let mut heard = Heard { who: format!("listener {number}"), ..Heard::default() };
        let mut is_first = true;
        while (heard.texts.len() as u64) < count {
            let event = client.events().recv_timeout(2 * CONFIRMED_IN);
            let event = event.unwrap_or_else(|_| panic!("listener {number} has heard {}", heard.texts.len()));
            if matches!(event, ClientEvent::Connected { .. }) {
                let _nobody_waits = joined.try_send(());
            }
            heard.take(event, &mut is_first);
        }
        heard
    });
    has_joined.recv_timeout(CONFIRMED_IN).unwrap();
    listening
}

/// Checks that all members have heard the same order: `count` messages of each of `speakers`, each once, and nothing
/// else.
pub(crate) fn check(heard: &[Heard], speakers: usize, count: u64) {
    let mut all: BTreeMap<u64, &str> = BTreeMap::new();
    for (heard, (&seq, text)) in
        heard.iter().flat_map(|heard| heard.texts.iter().map(move |text| (heard, text)))
    {
        let there = *all.entry(seq).or_insert(text);
        assert_eq!(there, text, "{} has heard something else as number {seq}", heard.who);
    }
    for speaker in 0..speakers {
        let prefix = format!("{speaker}/");
        let said: Vec<u64> =
            all.values().filter_map(|text| text.strip_prefix(&prefix)?.parse().ok()).collect();
        assert!(said.iter().copied().eq(1..=count), "speaker {speaker}, each once and in order: {said:?}");
    }
    assert_eq!(all.len() as u64, speakers as u64 * count, "nothing else was said");
}
