//! An I/O thread's rooms: a feed for each room that has members on it.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use crate::room::Room;
use crate::rooms::Rooms;
use crate::rooms::pending_room::PendingRoom;
use crate::sync::Mutex;
use crate::transport::survey::Survey;
use crate::transport::{Deadlines, Feed, Lags, Listed};
use crate::waker::Waker;

/// A feed among the [`Feeds`] of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedId(NonZeroU32);

impl FeedId {
    /// The feed of the server's first room, where a peer begins. It always exists.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    fn place(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// The rooms of one I/O thread: a [`Feed`] for each room that has members on the thread, made when the first of them
/// comes and dropped when the last one leaves. The feed of the first room always exists.
///
/// A message costs only the members of its own room: [`pull`](Self::pull) looks at the rooms that have updates, and
/// [`members`](Self::members) lists the members of one of them.
///
/// ```
/// use chat_core::{Rooms, RoomsConfig, Waker};
/// use chat_core::transport::{FeedId, Feeds};
///
/// # #[expect(clippy::disallowed_methods)]
/// let now = std::time::Instant::now();
/// let rooms = Rooms::new(RoomsConfig::default().with_open_max(10))?;
/// let mut feeds = Feeds::new(&rooms, Waker::new(|| {}), false);
/// let dev = feeds.open(&rooms.open(&"dev".parse()?)?);
/// feeds.add_member(dev, 7);
/// assert_eq!(feeds.members(dev), [7]);
/// assert!(feeds.pull(now).is_empty(), "nothing is new");
/// feeds.feed(dev).attachment().room().notice("hello")?;
/// assert_eq!(feeds.pull(now), [dev]);
/// feeds.remove_member(dev, 7); // the last one: the room is gone
/// assert_eq!(rooms.list().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Feeds {
    rooms: Rooms,
    announce: bool,
    tag: Option<&'static str>,
    places: Vec<Option<Box<Place>>>,
    /// The position of each member in the list of its feed, by the member's key.
    positions: Vec<u32>,
    updated: Arc<Updated>,
    /// Feeds to pull next, besides those with updates.
    marked: Vec<FeedId>,
    deadlines: Deadlines,
    /// Questions that the thread has not answered.
    surveys: Vec<Survey>,
    /// The keys of peers whose rooms are open, or cannot be opened.
    opened: Vec<usize>,
}

#[derive(Debug)]
struct Place {
    feed: Feed,
    /// The transport's keys of its members, in no order.
    members: Vec<u32>,
    /// In the list of marked feeds.
    is_marked: bool,
    /// Nothing more is pulled.
    is_stopped: bool,
    /// The deadline of the next pull.
    listed: Listed,
}

/// Everything that the thread must look at in its next pull.
#[derive(Debug)]
pub(crate) struct Updated {
    waiting: Mutex<Waiting>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The feeds whose rooms have called for a pull.
    feeds: Vec<FeedId>,
    surveys: Vec<Survey>,
    opened: Vec<usize>,
}

impl Updated {
    /// Wakes the thread, unless another room has already done so since the last pull.
    fn add(&self, feed: FeedId) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.feeds.push(feed);
        let is_first = waiting.feeds.len() == 1;
        drop(waiting);
        if is_first {
            self.waker.wake();
        }
    }

    /// Asks the thread a question.
    pub(crate) fn survey(&self, survey: Survey) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).surveys.push(survey);
        self.waker.wake();
    }

    /// The room that this peer waits for is open, or cannot be opened.
    fn opened(&self, key: usize) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).opened.push(key);
        self.waker.wake();
    }

    fn take(&self) -> Waiting {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Feeds {
    /// The rooms, of which only the first has a feed. `waker` is called when the thread must [`pull`](Self::pull).
    /// With `announce`, plain members read who joins and who leaves.
    #[must_use]
    pub fn new(rooms: impl Into<Rooms>, waker: Waker, announce: bool) -> Self {
        let rooms = rooms.into();
        let first = rooms.first();
        let updated = Arc::new(Updated { waiting: Mutex::default(), waker });
        rooms.admission().surveyed().add(Arc::downgrade(&updated));
        let mut feeds = Self {
            rooms,
            announce,
            tag: None,
            places: Vec::new(),
            positions: Vec::new(),
            updated,
            marked: Vec::new(),
            deadlines: Deadlines::default(),
            surveys: Vec::new(),
            opened: Vec::new(),
        };
        feeds.open(&first);
        feeds
    }

    /// Sets the tag of the transport, as [`Attachment::with_tag`](crate::transport::Attachment::with_tag) does. Call it
    /// before any other room is opened.
    #[must_use]
    pub fn with_tag(mut self, tag: &'static str) -> Self {
        self.tag = Some(tag);
        if let Some(Some(mut first)) = self.places.pop() {
            first.feed = first.feed.with_tag(tag);
            self.places.push(Some(first));
        }
        self
    }

    /// The rooms that the thread serves.
    #[must_use]
    pub fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    // ---- feeds ---------------------------------------------------------------------------------

    /// The feed of a room, made if there is none. It exists until its last member is removed. O(rooms of the thread).
    pub fn open(&mut self, room: &Room) -> FeedId {
        let is_of_room = |place: &Option<Box<Place>>| {
            place.as_ref().is_some_and(|place| place.feed.attachment().room() == room)
        };
        if let Some(place) = self.places.iter().position(is_of_room) {
            return id(place);
        }
        let free = self.places.iter().position(Option::is_none).unwrap_or(self.places.len());
        let (feed_id, updated) = (id(free), Arc::clone(&self.updated));
        let mut feed = Feed::new(room, Waker::new(move || updated.add(feed_id)), self.announce);
        if let Some(tag) = self.tag {
            feed = feed.with_tag(tag);
        }
        let place = Some(Box::new(Place {
            feed,
            members: Vec::new(),
            is_marked: false,
            is_stopped: false,
            listed: Listed::default(),
        }));
        match self.places.get_mut(free) {
            Some(vacant) => *vacant = place,
            None => self.places.push(place),
        }
        feed_id
    }

    /// Drops a feed that was opened for a member that could not join.
    pub fn close_if_empty(&mut self, feed: FeedId) {
        if feed != FeedId::FIRST
            && let Some(place) = self.places.get_mut(feed.place())
            && let Some(place) = place.take_if(|place| place.members.is_empty()).as_mut()
        {
            self.deadlines.remove(&mut place.listed);
        }
    }

    /// Whether there is such a feed. The last member of one may just have left.
    #[must_use]
    pub fn is_open(&self, feed: FeedId) -> bool {
        self.places.get(feed.place()).is_some_and(Option::is_some)
    }

    /// A feed that has members, or [`FeedId::FIRST`].
    ///
    /// # Panics
    ///
    /// If the feed was closed.
    #[must_use]
    pub fn feed(&self, feed: FeedId) -> &Feed {
        let place = self.places.get(feed.place()).and_then(Option::as_deref);
        &place.expect("a feed exists while it has members").feed
    }

    /// A feed that has members, or [`FeedId::FIRST`], to open a log of it.
    ///
    /// # Panics
    ///
    /// If the feed was closed.
    pub fn feed_mut(&mut self, feed: FeedId) -> &mut Feed {
        &mut self.place_mut(feed).expect("a feed exists while it has members").feed
    }

    fn place_mut(&mut self, feed: FeedId) -> Option<&mut Place> {
        self.places.get_mut(feed.place())?.as_deref_mut()
    }

    /// All feeds.
    pub fn iter(&self) -> impl Iterator<Item = &Feed> {
        self.places.iter().flatten().map(|place| &place.feed)
    }

    /// The ids of all feeds.
    #[must_use]
    pub fn ids(&self) -> Vec<FeedId> {
        let places = self.places.iter().enumerate();
        places.filter(|(_, place)| place.is_some()).map(|(place, _)| id(place)).collect()
    }

    // ---- rooms that are being opened -----------------------------------------------------------

    /// Wakes the thread once the room is open or cannot be opened: [`take_opened`](Self::take_opened) returns `key`.
    pub fn wait_for(&self, opening: &PendingRoom, key: usize) {
        let updated = Arc::clone(&self.updated);
        opening.wake_when_done(Waker::new(move || updated.opened(key)));
    }

    /// A peer that [waited for a room](Self::wait_for), after a [`pull`](Self::pull). It may have gone meanwhile, and
    /// its key may be another's.
    pub fn take_opened(&mut self) -> Option<usize> {
        self.opened.pop()
    }

    // ---- members -------------------------------------------------------------------------------

    /// A peer of the thread is a member of this feed's room from now on.
    ///
    /// # Panics
    ///
    /// If the feed was closed.
    pub fn add_member(&mut self, feed: FeedId, key: usize) {
        let members = &mut self.place_mut(feed).expect("a member joins an open feed").members;
        let position = small(members.len());
        members.push(small(key));
        if self.positions.len() <= key {
            self.positions.resize(key + 1, 0);
        }
        self.positions[key] = position;
    }

    /// A member has left this feed's room. The feed is dropped with its last member.
    pub fn remove_member(&mut self, feed: FeedId, key: usize) {
        let position = self.positions[key] as usize;
        let Some(place) = self.place_mut(feed) else { return };
        place.members.swap_remove(position);
        if let Some(&moved) = place.members.get(position) {
            self.positions[moved as usize] = small(position);
        }
        self.close_if_empty(feed);
    }

    /// The keys of a feed's members, in no order.
    #[must_use]
    pub fn members(&self, feed: FeedId) -> &[u32] {
        let place = self.places.get(feed.place()).and_then(Option::as_deref);
        place.map_or(&[], |place| &place.members)
    }

    // ---- pulling -------------------------------------------------------------------------------

    /// The next [`pull`](Self::pull) takes this feed's updates, too: members of the thread have joined, spoken or left
    /// there, which wakes nobody.
    pub fn mark(&mut self, feed: FeedId) {
        if let Some(place) = self.place_mut(feed)
            && !std::mem::replace(&mut place.is_marked, true)
        {
            self.marked.push(feed);
        }
    }

    /// Pulls every feed that has updates, is marked, or is due, and returns them. Costs nothing for the others.
    pub fn pull(&mut self, now: Instant) -> Vec<FeedId> {
        let mut pulled = std::mem::take(&mut self.marked);
        let Waiting { feeds, mut surveys, mut opened } = self.updated.take();
        self.surveys.append(&mut surveys);
        self.opened.append(&mut opened);
        for feed in feeds {
            self.mark(feed);
        }
        while let Some(place) = self.deadlines.pop_due(now) {
            if let Some(place) = self.place_mut(id(place)) {
                place.listed = Listed::default();
            }
            self.mark(id(place));
        }
        pulled.append(&mut self.marked);
        for &feed in &pulled {
            let Some(Some(place)) = self.places.get_mut(feed.place()) else { continue };
            place.is_marked = false;
            if place.is_stopped {
                place.feed.pull_pages();
                continue;
            }
            place.feed.pull();
            self.deadlines.remove(&mut place.listed);
            if let Some(pull_by) = place.feed.pull_by() {
                self.deadlines.list(feed.place(), &mut place.listed, pull_by);
            }
        }
        pulled.retain(|feed| self.places.get(feed.place()).is_some_and(Option::is_some));
        pulled
    }

    /// Answers how far behind the members of the thread are, if that was asked before the last [`pull`](Self::pull).
    /// `read` is the number of the last message that a member has, by its key.
    pub fn survey(&mut self, read: impl Fn(usize) -> Option<u64>) {
        for survey in self.surveys.drain(..) {
            for place in self.places.iter().flatten() {
                let Place { feed, members, .. } = &**place;
                let (attachment, mut lags) = (feed.attachment(), Lags::default());
                let newest = attachment.room().newest_seq();
                let read = members.iter().filter_map(|&key| read(key as usize));
                read.for_each(|read| lags.count(newest.saturating_sub(read)));
                survey.answer(attachment.room(), attachment.tag(), lags);
            }
        }
    }

    /// Pulls nothing more from a room that is closing. False if that was so already.
    pub fn stop(&mut self, feed: FeedId) -> bool {
        let Some(Some(place)) = self.places.get_mut(feed.place()) else { return false };
        self.deadlines.remove(&mut place.listed);
        !std::mem::replace(&mut place.is_stopped, true)
    }

    /// Whether nothing more is pulled from this room, because it is closing.
    #[must_use]
    pub fn is_stopped(&self, feed: FeedId) -> bool {
        let place = self.places.get(feed.place()).and_then(Option::as_deref);
        place.is_some_and(|place| place.is_stopped)
    }

    /// Whether a feed is marked, so that a [`pull`](Self::pull) is due.
    #[must_use]
    pub fn is_marked(&self) -> bool {
        !self.marked.is_empty()
    }

    /// When a [`pull`](Self::pull) is due even if the waker is not called and no feed is marked.
    #[must_use]
    pub fn pull_by(&self) -> Option<Instant> {
        self.deadlines.next()
    }
}

impl fmt::Debug for Feeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feeds").field("places", &self.places).finish_non_exhaustive()
    }
}

fn id(place: usize) -> FeedId {
    FeedId(FeedId::FIRST.0.saturating_add(small(place)))
}

fn small(number: usize) -> u32 {
    u32::try_from(number).expect("2^32 of them do not fit into memory")
}
