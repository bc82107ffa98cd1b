//! The client in a pipe: one line in is one message, one message is one line out.

pub(crate) mod answers;
pub(crate) mod json;
mod refusals;
pub(crate) mod stdin;

use std::collections::HashSet;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::Arc;
use std::thread::Builder;
use std::time::{Duration, Instant};

use chat_core::{Client, ClientEnd, ClientEvent};
use chat_proto::{DirectItem, Event, MemberId, Text, Welcome};
use crossbeam_channel::{Receiver, bounded, never, select};

use crate::args::ClientArgs;
use crate::counted::counted;
use crate::failure::causes;
use crate::stdio;
use answers::Answers;
use json::Reporter;
use refusals::Refusals;
use stdin::Expected;

/// Lines are collected up to here before they are written.
const BATCH_BYTES: usize = 64 * 1024;

/// Requests of `--json` on their way to the code that answers them.
const REQUESTS_MAX: usize = 64;

/// How long it may take to say what was read, once nobody reads our output any more.
const FINISH_TIMEOUT: Duration = Duration::from_secs(2);

/// How the filter ended.
pub(super) struct Filtered {
    pub(super) end: ClientEnd,
    /// What did not become of the input as it should have.
    pub(super) faults: Vec<String>,
}

/// Says what comes from stdin and prints what is heard, until the client ends.
///
/// # Errors
///
/// If stdout cannot be written to. That nobody reads it is not an error.
pub(super) fn run(client: &Arc<Client>, args: &ClientArgs) -> io::Result<Filtered> {
    let (expected, requests) = bounded(REQUESTS_MAX);
    let (failed, failure) = bounded(1);
    let (speaker, stay, is_json, is_plain) = (Arc::clone(client), args.stay, args.json, args.plain);
    // Not joined: it may wait for input that never comes.
    Builder::new().name("chat-stdin".to_owned()).spawn(move || {
        let spoken = if is_json {
            stdin::requests(&speaker, is_plain, &expected).map(|()| 0)
        } else {
            stdin::lines(&speaker, io::stdin().is_terminal())
        };
        let is_over = spoken.is_err() || !stay;
        let fault = match spoken {
            Ok(0) => None,
            Ok(refused) => Some(format!("{} of the input refused", counted(refused, "line"))),
            Err(error) => Some(format!("cannot read stdin: {error}")),
        };
        if let Some(fault) = fault {
            let _there_is_room = failed.send(fault);
        }
        if is_over {
            let _ended = speaker.finish();
        }
    })?;
    Listener {
        client,
        output: if is_json { Output::Json(Reporter::default()) } else { Output::Lines },
        answers: Answers::new(is_plain),
        batch: String::new(),
        was_connected: false,
        room: None,
        ignored: HashSet::new(),
        unsure: 0,
        not_said: 0,
        refusals: Refusals::default(),
    }
    .run(requests, &failure)
}

/// How messages of the room are written.
enum Output {
    /// What the others say.
    Lines,
    Json(Reporter),
}

/// Prints what happens.
struct Listener<'a> {
    client: &'a Arc<Client>,
    output: Output,
    answers: Answers,
    /// To be written.
    batch: String,
    was_connected: bool,
    /// Where it is, if the server has several rooms.
    room: Option<Text>,
    /// Whose messages are hidden. The room bounds how many there are.
    ignored: HashSet<MemberId>,
    /// Messages of which it is not known whether the room has them.
    unsure: usize,
    /// Messages that the room has refused.
    not_said: usize,
    refusals: Refusals,
}

impl Listener<'_> {
    fn run(mut self, mut requests: Receiver<Expected>, failure: &Receiver<String>) -> io::Result<Filtered> {
        let mut stdout = stdio::stdout()?;
        let mut closed = stdio::stdout_closed()?;
        // Once nobody reads our output: when to leave at the latest.
        let mut leave_at = never();
        let mut is_read = true;
        let end = loop {
            let mut next = None;
            let (no_room, refusals_due) = (never(), self.refusals.due());
            let more_requests = if self.answers.have_room() { &requests } else { &no_room };
            select! {
                recv(self.client.events()) -> event => match event {
                    Ok(event) => next = Some(event),
                    Err(_) => break super::failed(),
                },
                recv(more_requests) -> request => match request {
                    Ok(request) => self.answers.expect(request, &mut self.batch),
                    // The end of input.
                    Err(_) => requests = never(),
                },
                recv(closed) -> _ => {
                    closed = never();
                    leave_at = self.unread();
                    is_read = false;
                },
                recv(leave_at) -> _ => self.client.leave(),
                recv(refusals_due) -> _ => self.refusals.on_due(),
            }
            let mut end = None;
            while let Some(event) = next {
                // Whatever this answers was expected before it was asked for.
                while self.answers.have_room()
                    && let Ok(request) = requests.try_recv()
                {
                    self.answers.expect(request, &mut self.batch);
                }
                if matches!(event, ClientEvent::Ended(_)) {
                    self.answers.end(&mut self.batch);
                    requests.try_iter().for_each(|request| self.answers.expect(request, &mut self.batch));
                    self.answers.end(&mut self.batch);
                }
                self.on_event(&event);
                if let ClientEvent::Ended(ended) = event {
                    end = Some(ended);
                    break;
                }
                next =
                    if self.batch.len() < BATCH_BYTES { self.client.events().try_recv().ok() } else { None };
            }
            if is_read {
                match stdout.write_all(self.batch.as_bytes()).and_then(|()| stdout.flush()) {
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                        closed = never();
                        leave_at = self.unread();
                        is_read = false;
                    }
                    result => result?,
                }
            }
            self.batch.clear();
            if let Some(end) = end {
                break end;
            }
        };
        self.refusals.tell();
        Ok(Filtered { end, faults: self.faults(failure) })
    }

    /// The reader of our output has gone: says the lines that were read from stdin, and leaves.
    fn unread(&self) -> Receiver<Instant> {
        super::ask(self.client, |client| client.finish());
        crossbeam_channel::after(FINISH_TIMEOUT)
    }

    fn on_event(&mut self, event: &ClientEvent) {
        match event {
            ClientEvent::Connected { welcome, resumed } => {
                let has_moved = self.was_connected && self.room != welcome.room;
                self.was_connected = true;
                self.room.clone_from(&welcome.room);
                if has_moved && matches!(self.output, Output::Lines) {
                    self.entered(welcome);
                }
                if !resumed {
                    self.ignored.clear();
                }
            }
            ClientEvent::Unsure(texts) => self.unsure += texts.len(),
            ClientEvent::Refused { .. } => self.not_said += 1,
            _ => {}
        }
        match &mut self.output {
            Output::Json(reporter) => {
                reporter.event(&mut self.batch, event);
                self.answers.on_event(event, &mut self.batch);
            }
            Output::Lines => self.line(event),
        }
    }

    /// Tells of another room what a plain peer would read there.
    fn entered(&mut self, welcome: &Welcome) {
        let room = welcome.room.as_ref().map_or("another room", Text::as_str);
        self.batch.push_str(&format!("[*] You are in {room} now: {} present\n", welcome.members));
        if let Some(topic) = &welcome.topic {
            self.batch.push_str(&format!("[*] The topic is: {topic}\n"));
        }
    }

    fn line(&mut self, event: &ClientEvent) {
        match event {
            ClientEvent::Entry { entry, own } => match &entry.event {
                Event::Said { from, author, text } if !own && !self.ignored.contains(&from.member) => {
                    self.batch.push_str(&format!("[{author}] {text}\n"));
                }
                _ => {}
            },
            ClientEvent::Refused { why, .. } => self.refusals.add(why),
            ClientEvent::Direct(DirectItem::Ignoring { member, is_ignored: true }) => {
                self.ignored.insert(*member);
            }
            ClientEvent::Direct(DirectItem::Ignoring { member, .. }) => drop(self.ignored.remove(member)),
            ClientEvent::Direct(item) => {
                let line = item.to_string();
                if !line.is_empty() {
                    self.batch.push_str(&(line + "\n"));
                }
            }
            ClientEvent::Line(text) => self.batch.push_str(&format!("{text}\n")),
            ClientEvent::Missed(messages) => {
                self.tell(&format!("You missed {}", counted(*messages, "message")));
            }
            ClientEvent::Unsure(texts) => {
                let messages = counted(texts.len(), "message");
                self.tell(&format!("Not known whether the room has the last {messages}"));
            }
            ClientEvent::Lost { error, retry_in } => {
                let what = if self.was_connected { "Connection lost" } else { "Not connected yet" };
                let seconds = retry_in.as_secs_f32();
                self.tell(&format!("{what}: {}. Trying again in {seconds:.1} s", causes(error)));
            }
            _ => {}
        }
    }

    /// Tells the user something, after the refusals that came before.
    fn tell(&mut self, text: &str) {
        self.refusals.tell();
        tell(text);
    }

    /// What did not become of the input as it should have.
    fn faults(&self, failure: &Receiver<String>) -> Vec<String> {
        let mut faults: Vec<String> = failure.try_iter().collect();
        if self.answers.refused() > 0 {
            faults.push(format!("{} of the input refused", counted(self.answers.refused(), "line")));
        }
        if self.not_said > 0 {
            faults.push(format!("{} refused by the room", counted(self.not_said, "message")));
        }
        if self.unsure > 0 {
            let messages = counted(self.unsure, "message");
            faults.push(format!("it is not known whether the room has {messages}"));
        }
        faults
    }
}

/// Tells the user something that is not a message.
pub(super) fn tell(text: &str) {
    // If stderr is gone there is nobody to tell.
    let _nobody = writeln!(io::stderr(), "[*] {text}");
}
