//! Members that listen to everything, check it, and note how long each message took.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use chat_core::{Client, ClientConfig, ClientEvent};
use chat_proto::Event;

use crate::clock;
use crate::failure::{Result, ensure};
use crate::latency::Latencies;
use crate::stamp::Heard;

/// How long the last messages may take.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    FramedTcp,
    FramedUdp,
    PlainTcp,
}

#[derive(Debug)]
pub(crate) struct Listener {
    kind: Kind,
    notes: Arc<Mutex<Notes>>,
}

#[derive(Debug)]
struct Notes {
    heard: Heard,
    latencies: Latencies,
    /// How often its client was connected.
    welcomes: u64,
    /// Messages that it was told it had missed.
    missed: u64,
    /// Why its membership has ended, if it has ended, and other notices.
    troubles: Vec<String>,
}

impl Listener {
    /// Lets one listener of each kind join before anyone talks.
    pub(crate) fn join_all(
        kinds: &[Kind],
        server: SocketAddr,
        talkers: usize,
        began: Instant,
    ) -> Result<Vec<Self>> {
        kinds.iter().map(|&kind| Self::join(kind, server, talkers, began)).collect()
    }

    fn join(kind: Kind, server: SocketAddr, talkers: usize, began: Instant) -> Result<Self> {
        let notes = Notes {
            heard: Heard::new(talkers, began),
            latencies: Latencies::default(),
            welcomes: 1,
            missed: 0,
            troubles: Vec::new(),
        };
        let notes = Arc::new(Mutex::new(notes));
        let shared = Arc::clone(&notes);
        let client = match kind {
            Kind::FramedTcp => Some(chat_tcp::connect(server, &ClientConfig::default())?),
            Kind::FramedUdp => Some(chat_udp::connect(server, &ClientConfig::default())?),
            Kind::PlainTcp => None,
        };
        match client {
            Some(client) => {
                while !matches!(client.events().recv_timeout(PATIENCE)?, ClientEvent::Connected { .. }) {}
                thread::spawn(move || follow(&client, &shared));
            }
            None => {
                let socket = TcpStream::connect(server)?;
                thread::spawn(move || read_lines(socket, &shared));
            }
        }
        Ok(Self { kind, notes })
    }

    /// The latencies of all `listeners` since the last call.
    pub(crate) fn take_latencies(listeners: &[Self]) -> Latencies {
        let mut all = Latencies::default();
        listeners
            .iter()
            .for_each(|listener| all.merge(&std::mem::take(&mut lock(&listener.notes).latencies)));
        all
    }

    /// How many messages it was told it had missed.
    pub(crate) fn missed(&self) -> u64 {
        lock(&self.notes).missed
    }

    /// Waits until it has heard all messages: this many of each talker.
    pub(crate) fn has_heard(&self, said: &[u64]) -> Result<()> {
        let deadline = clock::now() + PATIENCE;
        while lock(&self.notes).heard.last() != said && clock::now() < deadline {
            clock::pause(Duration::from_millis(10));
        }
        let notes = lock(&self.notes);
        ensure(notes.troubles.is_empty(), || format!("{:?}: {}", self.kind, notes.troubles.join(", ")))?;
        ensure(notes.missed == 0, || format!("{:?}: missed {} messages", self.kind, notes.missed))?;
        ensure(notes.heard.faults == 0, || {
            format!(
                "{:?}: {} messages were lost, doubled or out of order; the first: {}; welcomed {} times",
                self.kind,
                notes.heard.faults,
                notes.heard.first_fault(),
                notes.welcomes
            )
        })?;
        ensure(notes.heard.last() == said, || {
            format!("{:?}: heard {:?} of {said:?}", self.kind, notes.heard.last())
        })
    }
}

fn follow(client: &Client, notes: &Mutex<Notes>) {
    for event in client.events() {
        match event {
            ClientEvent::Entry { entry, .. } => {
                if let Event::Said { text, .. } = &entry.event {
                    lock(notes).hear(text.as_str());
                }
            }
            ClientEvent::Connected { .. } => lock(notes).welcomes += 1,
            ClientEvent::Missed(messages) => lock(notes).missed += messages,
            ClientEvent::Ended(end) => lock(notes).troubles.push(format!("ended: {end}")),
            _ => {}
        }
    }
}

fn read_lines(socket: TcpStream, notes: &Mutex<Notes>) {
    for line in BufReader::new(socket).lines() {
        let Ok(line) = line else { break };
        match line.strip_prefix("[*] ") {
            Some(notice) => lock(notes).hear_notice(notice),
            None => lock(notes).hear(line.split_once("] ").map_or("", |(_, text)| text)),
        }
    }
    lock(notes).troubles.push("the connection has ended".to_owned());
}

impl Notes {
    fn hear(&mut self, text: &str) {
        if let Some(age) = self.heard.hear(text, clock::now()) {
            self.latencies.add(age);
        }
    }

    fn hear_notice(&mut self, notice: &str) {
        let missed =
            notice.strip_prefix("You missed ").and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
        match missed {
            Some(messages) => self.missed += messages,
            None => self.troubles.push(notice.to_owned()),
        }
    }
}

fn lock(notes: &Mutex<Notes>) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}
