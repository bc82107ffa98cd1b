//! A new server takes over from the running one, while a thousand members talk.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chat_core::{Client, ClientConfig, ClientEvent, TrySayError};
use chat_proto::Event;

use crate::clock;
use crate::failure::{Context, Failure, Result, ensure};
use crate::server::Server;
use crate::stamp::{Heard, Stamp};

const MEMBERS: usize = 1_000;
/// The first members of the room talk.
const TALKERS: usize = 10;
const PER_SECOND: f64 = 100.0;
/// How long they talk before and after the restart.
const LENGTH: Duration = Duration::from_secs(10);
const GAP_MAX: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(60);
/// How often to take what was heard. The measured gaps are this exact.
const LOOK: Duration = Duration::from_millis(2);

/// A directory for the history and the control socket, removed when this is dropped.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// The server that takes over. It is killed when this is dropped.
struct Next(Child);

impl Drop for Next {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

struct Member {
    client: Client,
    heard: Heard,
    last: Option<Instant>,
    longest_gap: Duration,
    welcomes: u64,
}

pub(super) fn run(chat: &Path) -> Result<()> {
    let directory = Directory(std::env::temp_dir().join(format!("chat-restart-{}", std::process::id())));
    std::fs::create_dir_all(&directory.0)?;
    let path = |name: &str| directory.0.join(name).to_string_lossy().into_owned();
    let flags = [
        "--history".to_owned(),
        path("chat.db"),
        "--socket".to_owned(),
        path("control"),
        "--take-over".to_owned(),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let server = Server::start(chat, &flags)?;
    let began = clock::now();
    let mut members = join(server.address, began)?;
    let mut said = vec![0; TALKERS];
    talk(&mut members, &mut said, began, clock::now() + LENGTH)?;
    let next = Next(start_next(chat, server.address, &flags)?);
    let restarted = clock::now();
    talk(&mut members, &mut said, began, clock::now() + LENGTH)?;
    let ended = server.ended()?.ok_or_else(|| Failure::new("the first server goes on"))?;
    ensure(ended.success(), || format!("the first server has ended with {ended}"))?;
    let deadline = clock::now() + PATIENCE;
    while members.iter().any(|member| member.heard.last() != said) && clock::now() < deadline {
        listen(&mut members)?;
        clock::pause(LOOK);
    }
    drop(next);
    report(&members, &said, restarted)
}

fn report(members: &[Member], said: &[u64], restarted: Instant) -> Result<()> {
    let messages: u64 = said.iter().sum();
    let behind = members.iter().filter(|member| member.heard.last() != said).count();
    let faults: u64 = members.iter().map(|member| member.heard.faults).sum();
    let longest = members.iter().map(|member| member.longest_gap).max().unwrap_or_default();
    let came_again = members.iter().filter(|member| member.welcomes > 1).count();
    println!(
        "{MEMBERS} members, {messages} messages: {behind} members lack some, {faults} lost, doubled or out of order, \
         {came_again} came again, longest gap {:.0} ms",
        longest.as_secs_f64() * 1000.0
    );
    ensure(members.iter().all(|member| member.last.is_some_and(|last| last > restarted)), || {
        "some hear nothing any more".to_owned()
    })?;
    ensure(behind == 0 && faults == 0, || "messages were lost or doubled".to_owned())?;
    ensure(longest < GAP_MAX, || format!("a gap of more than {GAP_MAX:?}"))
}

fn join(server: SocketAddr, began: Instant) -> Result<Vec<Member>> {
    let config = ClientConfig::default().with_reconnect(true);
    let mut members = Vec::new();
    for number in 0..MEMBERS {
        let client = chat_tcp::connect(server, &config).when(format!("member {number}"))?;
        while !matches!(client.events().recv_timeout(PATIENCE)?, ClientEvent::Connected { .. }) {}
        let heard = Heard::new(TALKERS, began);
        members.push(Member { client, heard, last: None, longest_gap: Duration::ZERO, welcomes: 1 });
        listen(&mut members)?;
    }
    // Gaps count from here on.
    members.iter_mut().for_each(|member| member.last = None);
    Ok(members)
}

/// Lets the talkers talk in turn while everyone listens.
fn talk(members: &mut [Member], said: &mut [u64], began: Instant, end: Instant) -> Result<()> {
    let mut next = clock::now();
    for talker in (0..TALKERS).cycle() {
        while clock::now() < next {
            listen(members)?;
            clock::pause(LOOK);
        }
        if clock::now() >= end {
            return Ok(());
        }
        next += Duration::from_secs_f64(1.0 / PER_SECOND);
        let stamp = Stamp { talker, number: said[talker] + 1, at: clock::now() - began };
        match members[talker].client.try_say(&String::from_utf8_lossy(&stamp.text())) {
            Ok(()) => said[talker] += 1,
            // While there is no server, the client keeps a limited number of messages.
            Err(TrySayError::Full(_)) => {}
            Err(TrySayError::Ended) => return Err(Failure::new("a talker has ended")),
        }
    }
    Ok(())
}

/// Takes what the members have heard.
fn listen(members: &mut [Member]) -> Result<()> {
    for member in members {
        let now = clock::now();
        for event in member.client.events().try_iter() {
            match event {
                ClientEvent::Connected { .. } => member.welcomes += 1,
                ClientEvent::Entry { entry, .. } => {
                    if let Event::Said { text, .. } = &entry.event
                        && member.heard.hear(text.as_str(), now).is_some()
                    {
                        let gap =
                            member.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
                        member.longest_gap = member.longest_gap.max(gap);
                        member.last = Some(now);
                    }
                }
                ClientEvent::Ended(end) => return Err(Failure::new(format!("a member has ended: {end}"))),
                _ => {}
            }
        }
    }
    Ok(())
}

fn start_next(chat: &Path, address: SocketAddr, flags: &[&str]) -> Result<Child> {
    let mut command = Command::new(chat);
    command.args(["server", "tcp", "udp", "--bind", &address.to_string()]).args(flags);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().when("the next server cannot be started")
}
