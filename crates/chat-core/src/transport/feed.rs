//! An I/O thread's view of a room: its attachment, and the room's log in each format that its peers read.

use std::collections::VecDeque;
use std::io::Write;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Instant;

use chat_proto::{Entry, Event, Line, MemberId, Spelling, encode_entry};
#[cfg(feature = "web")]
use chat_proto::{WebSocketFrame, json::Report};

use crate::config::RoomConfig;
use crate::encoded::EncodedLog;
use crate::limits::PAGES_ASKED_MAX;
use crate::room::Room;
use crate::state::members::Membership;
use crate::transport::attachment::Attachment;
use crate::transport::said_by::SaidBy;
use crate::transport::update::{CaughtUp, Dismissed, Told, Update};
use crate::waker::Waker;

/// How a peer reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Frames, as [`encode_entry`] writes them.
    Framed,
    /// `[author] text` lines that end in LF.
    Lf,
    /// `[author] text` lines that end in CR LF.
    CrLf,
    /// Messages of WebSocket with an object in each, as [`Report`](chat_proto::json::Report) writes it.
    #[cfg(feature = "web")]
    WebSocketText,
    /// Messages of WebSocket with a frame in each, as [`encode_entry`] writes it.
    #[cfg(feature = "web")]
    WebSocketFramed,
}

impl Format {
    const ALL: &[Self] = &[
        Self::Framed,
        Self::Lf,
        Self::CrLf,
        #[cfg(feature = "web")]
        Self::WebSocketText,
        #[cfg(feature = "web")]
        Self::WebSocketFramed,
    ];

    const COUNT: usize = Self::ALL.len();

    /// What ends a line; nothing for frames.
    #[must_use]
    pub fn line_break(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::CrLf => "\r\n",
            Self::Framed => "",
            #[cfg(feature = "web")]
            Self::WebSocketText | Self::WebSocketFramed => "",
        }
    }

    /// Whether its peers read lines, not frames.
    #[must_use]
    pub fn is_plain(self) -> bool {
        matches!(self, Self::Lf | Self::CrLf)
    }
}

/// The place of one I/O thread at a room: an [`Attachment`], and an [`EncodedLog`] for each [`Format`] that its peers
/// read.
///
/// An entry is encoded once per format, when it is pulled. [`pull`](Self::pull) may be called at any moment, even
/// between two peers of one turn: everything except entries is kept until the transport asks for it.
///
/// ```
/// use chat_core::{Room, RoomConfig, Waker};
/// use chat_core::transport::{Feed, Format, Pending};
///
/// let room = Room::new(RoomConfig::default());
/// let mut feed = Feed::new(&room, Waker::new(|| {}), false);
/// feed.pull();
/// let member = feed.open(Format::Lf).head();
/// room.notice("hello")?;
/// feed.pull();
/// assert!(feed.take_grown());
/// assert_eq!(feed.log(Format::Lf).pending(member), Pending::Bytes(b"[*] hello\n", b""));
/// # Ok::<(), chat_core::SayError>(())
/// ```
#[derive(Debug)]
pub struct Feed {
    attachment: Attachment,
    config: Arc<RoomConfig>,
    /// On the heap, for most rooms have readers of one or two formats.
    logs: [Option<Box<EncodedLog>>; Format::COUNT],
    encoder: Encoder,
    /// `None` while there is nothing: most rooms are idle.
    waiting: Option<Box<Waiting>>,
    pull_by: Option<Instant>,
    closing: Option<Instant>,
    began_unix_ms: u64,
    /// A log has grown since the last query.
    grown: bool,
    /// The authors of messages, once a member of this thread does not want to read all of them.
    said_by: Option<Box<SaidBy>>,
}

/// What was pulled for single members and not taken yet, and the pages that they ask for.
#[derive(Debug, Default)]
struct Waiting {
    dismissed: Vec<Dismissed>,
    told: VecDeque<Told>,
    /// Pages that have come for members that catch up.
    caught_up: VecDeque<CaughtUp>,
    /// Members that wait until they may ask for a page.
    behind: VecDeque<(usize, Membership, u64)>,
    /// Pages that the journal was asked for.
    asked: usize,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        let Self { dismissed, told, caught_up, behind, asked } = self;
        dismissed.is_empty() && told.is_empty() && caught_up.is_empty() && behind.is_empty() && *asked == 0
    }
}

impl Feed {
    /// A place at `room`, which calls `waker` when the thread must [`pull`](Self::pull). With `announce`, plain
    /// members read who joins and who leaves.
    #[must_use]
    pub fn new(room: &Room, waker: Waker, announce: bool) -> Self {
        Self {
            attachment: room.attach(waker),
            config: room.config(),
            logs: [const { None }; Format::COUNT],
            encoder: Encoder {
                announce,
                #[cfg(feature = "web")]
                began_unix_ms: room.began_unix_ms(),
                spelling: Spelling::default(),
            },
            waiting: None,
            pull_by: None,
            closing: None,
            began_unix_ms: room.began_unix_ms(),
            grown: false,
            said_by: None,
        }
    }

    /// Sets the tag of the transport, as [`Attachment::with_tag`] does.
    #[must_use]
    pub fn with_tag(mut self, tag: &'static str) -> Self {
        self.attachment = self.attachment.with_tag(tag);
        self
    }

    /// Where the members of this thread join, speak and leave.
    pub fn attachment(&self) -> &Attachment {
        &self.attachment
    }

    /// The configuration of the room.
    #[must_use]
    pub fn config(&self) -> &RoomConfig {
        &self.config
    }

    /// Pulls the room's updates and encodes the entries.
    pub fn pull(&mut self) {
        let mut update = Update::default();
        self.attachment.pull(&mut update);
        (self.pull_by, self.closing) = (update.pull_by, update.closing);
        if !update.dismissed.is_empty() || !update.direct.is_empty() {
            let waiting = self.waiting.get_or_insert_default();
            waiting.dismissed.append(&mut update.dismissed);
            waiting.told.extend(update.direct);
        }
        self.came(update.caught_up);
        let encoder = &mut self.encoder;
        self.grown |= update.missed_up_to.is_some();
        if let Some(said_by) = &mut self.said_by {
            for entry in &update.entries {
                if let Event::Said { from, .. } = entry.event {
                    said_by.push(entry.seq, from.member);
                }
            }
        }
        for (log, &format) in self.logs.iter_mut().zip(Format::ALL) {
            let Some(log) = log else { continue };
            if let Some(seq) = update.missed_up_to {
                log.restart_after(seq);
            }
            let head = log.head().slot();
            for entry in &update.entries {
                log.push(entry, |entry, out| encoder.encode(entry, format, out));
            }
            self.grown |= log.head().slot() != head;
        }
    }

    /// Takes the pages for members that catch up, and pulls nothing else: the room is closing.
    pub(crate) fn pull_pages(&mut self) {
        let pages = self.attachment.take_pages();
        self.came(pages);
    }

    fn came(&mut self, pages: Vec<CaughtUp>) {
        if let Some(waiting) = &mut self.waiting {
            waiting.asked = waiting.asked.saturating_sub(pages.len());
            waiting.caught_up.extend(pages);
            self.ask();
        }
    }

    /// The log in `format`, made from the room's log if this is its first reader. Contains what was pulled so far.
    pub fn open(&mut self, format: Format) -> &EncodedLog {
        let Self { attachment, config, encoder, logs, .. } = self;
        logs[format as usize].get_or_insert_with(|| {
            let mut log = EncodedLog::new(config.log_bytes_max);
            let mut entries = Vec::new();
            let seq = attachment.replay(|entry| entries.push(entry.clone()));
            log.restart_after(seq);
            for entry in &entries {
                log.push(entry, |entry, out| encoder.encode(entry, format, out));
            }
            Box::new(log)
        })
    }

    /// The log in `format`.
    ///
    /// # Panics
    ///
    /// If it was never [opened](Self::open).
    #[must_use]
    pub fn log(&self, format: Format) -> &EncodedLog {
        self.logs[format as usize]
            .as_ref()
            .expect("a format is opened before anyone reads it, and never closed")
    }

    /// Notes from now on who said the messages that are pulled: a member of this thread ignores somebody.
    pub fn note_authors(&mut self) {
        self.said_by.get_or_insert_default();
    }

    /// The first message after `seq` that one of these members has said, which must be sorted. Only messages that were
    /// pulled after [`note_authors`](Self::note_authors) are known. Costs nothing without members, otherwise O(messages
    /// after `seq`).
    #[must_use]
    pub fn next_said_by(&self, members: &[MemberId], seq: u64) -> Option<u64> {
        self.said_by.as_ref().filter(|_| !members.is_empty())?.next(members, seq)
    }

    /// How many of these messages one of these members has said, as [`next_said_by`](Self::next_said_by) finds them.
    #[must_use]
    pub fn count_said_by(&self, members: &[MemberId], seqs: RangeInclusive<u64>) -> u64 {
        let said_by = self.said_by.as_ref().filter(|_| !members.is_empty());
        said_by.map_or(0, |said_by| said_by.count(members, seqs))
    }

    /// Whether pulls since the last call have brought entries that members of this thread get.
    pub fn take_grown(&mut self) -> bool {
        std::mem::take(&mut self.grown)
    }

    /// A member of this thread that has already left the room, and whose peer must be told so. Each is returned once;
    /// ask after every [`pull`](Self::pull), before a key can belong to another peer.
    pub fn take_dismissed(&mut self) -> Option<Dismissed> {
        self.take_waiting(|waiting| waiting.dismissed.pop())
    }

    /// An item of a direct lane, for a member of this thread. Each is returned once, those of each member in the order
    /// of their numbers; ask after every [`pull`](Self::pull), before a key can belong to another peer.
    pub fn take_told(&mut self) -> Option<Told> {
        self.take_waiting(|waiting| waiting.told.pop_front())
    }

    /// Reads the page after message `after` for a member whose cursor the log's tail has passed, or notes it if too
    /// many read at once. Only in a room with a journal: see [`Attachment::has_journal`].
    pub fn catch_up(&mut self, key: usize, member: Membership, after: u64) {
        self.waiting.get_or_insert_default().behind.push_back((key, member, after));
        self.ask();
    }

    fn ask(&mut self) {
        let Some(waiting) = &mut self.waiting else { return };
        while waiting.asked < PAGES_ASKED_MAX
            && let Some((key, member, after)) = waiting.behind.pop_front()
        {
            waiting.asked += 1;
            self.attachment.read_for(key, member, after);
        }
    }

    fn take_waiting<T>(&mut self, take: impl FnOnce(&mut Waiting) -> Option<T>) -> Option<T> {
        let taken = take(self.waiting.as_mut()?);
        self.waiting.take_if(|waiting| waiting.is_empty());
        taken
    }

    /// A page that was asked for with [`catch_up`](Self::catch_up). Each is returned once; ask after every
    /// [`pull`](Self::pull).
    pub fn take_caught_up(&mut self) -> Option<CaughtUp> {
        self.take_waiting(|waiting| waiting.caught_up.pop_front())
    }

    /// As [`Room::began_unix_ms`](crate::Room::began_unix_ms).
    #[must_use]
    pub fn began_unix_ms(&self) -> u64 {
        self.began_unix_ms
    }

    /// When [`pull`](Self::pull) is due even if the waker is not called.
    #[must_use]
    pub fn pull_by(&self) -> Option<Instant> {
        self.pull_by
    }

    /// The room is closing: all pending output must be written by then.
    #[must_use]
    pub fn closing(&self) -> Option<Instant> {
        self.closing
    }

    /// Bytes that the largest of the logs holds, its index included: at most
    /// [`RoomConfig::with_log_bytes_max`](crate::RoomConfig::with_log_bytes_max).
    #[must_use]
    pub fn log_bytes_most(&self) -> usize {
        self.logs.iter().flatten().map(|log| log.bytes_held()).max().unwrap_or(0)
    }
}

/// Writes entries in the formats of the peers.
#[derive(Debug)]
struct Encoder {
    /// Joins and leaves are shown to plain members.
    announce: bool,
    #[cfg(feature = "web")]
    began_unix_ms: u64,
    spelling: Spelling,
}

impl Encoder {
    /// Appends `entry` in this format; nothing if members of this format do not get it.
    fn encode(&mut self, entry: &Entry, format: Format, out: &mut Vec<u8>) {
        let event = &entry.event;
        if event.is_crowd() {
            return; // a join or leave in a large room: it costs more than it tells
        }
        match (format, event) {
            (Format::Framed, _) => return encode_entry(entry, &mut self.spelling, out),
            #[cfg(feature = "web")]
            (Format::WebSocketText, _) => return self.encode_object(entry, out),
            #[cfg(feature = "web")]
            (Format::WebSocketFramed, _) => {
                return WebSocketFrame::Binary
                    .encode(out, |out| encode_entry(entry, &mut self.spelling, out));
            }
            (_, Event::Said { author, text, .. }) => {
                for part in Line::parts(self.spelling.of(author), text.as_str()) {
                    out.extend_from_slice(part.as_bytes());
                }
            }
            (_, Event::Topic { .. }) => write!(out, "{event}").expect("writing to a Vec does not fail"),
            _ if self.announce && event.is_presence() => {
                write!(out, "{event}").expect("writing to a Vec does not fail");
            }
            _ => return,
        }
        out.extend_from_slice(format.line_break().as_bytes());
    }

    #[cfg(feature = "web")]
    fn encode_object(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        let author = match &entry.event {
            Event::Said { author, .. } => Some(self.spelling.of(author)),
            _ => None,
        };
        if let Some(report) = Report::entry(entry, author, self.began_unix_ms) {
            WebSocketFrame::Text.encode(out, |out| report.write(out));
        }
    }
}
