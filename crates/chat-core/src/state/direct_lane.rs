//! A member's direct lane: the items for it alone, until the member has acknowledged them.

use std::collections::VecDeque;
use std::sync::Arc;

use chat_proto::limits::{DIRECT_BYTES_MAX, DIRECT_ITEMS_MAX};
use chat_proto::{Direct, DirectItem, Event, MemberId};

use crate::limits::UNPULLED_MAX;
use crate::state::profile::Profile;

/// Items that are not acknowledged, in the order of their numbers, of which some may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Items {
    list: VecDeque<Arc<Direct>>,
    bytes: usize,
}

impl Items {
    fn has_room_for(&self, item: &DirectItem) -> bool {
        self.list.len() < DIRECT_ITEMS_MAX && self.bytes + cost(item) <= DIRECT_BYTES_MAX
    }

    fn keep(&mut self, direct: Arc<Direct>) {
        self.bytes += cost(&direct.item);
        self.list.push_back(direct);
    }

    fn forget(&mut self, at: usize) {
        if let Some(direct) = self.list.remove(at) {
            self.bytes -= cost(&direct.item);
        }
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Direct>> {
        self.list.iter()
    }
}

impl FromIterator<Arc<Direct>> for Items {
    fn from_iter<I: IntoIterator<Item = Arc<Direct>>>(directs: I) -> Self {
        let mut items = Self::default();
        directs.into_iter().for_each(|direct| items.keep(direct));
        items
    }
}

/// The content of a lane. Exists only while the lane is not empty.
#[derive(Debug)]
pub(crate) struct Lane {
    items: Items,
    /// The transport has pulled the items up to this number.
    pulled: u64,
}

impl Lane {
    fn new(pulled: u64) -> Self {
        Self { items: Items::default(), pulled }
    }

    /// Who sent the private messages in it.
    pub(crate) fn senders(&self) -> impl Iterator<Item = MemberId> {
        self.items.iter().filter_map(|direct| match direct.item {
            DirectItem::Private { from, .. } => Some(from),
            _ => None,
        })
    }

    /// The items that its member must be told if the session goes on later. Senders of private messages learn at once
    /// that these were not delivered, and a question about the past is asked again.
    fn kept_for_resume(&self) -> Unread {
        let is_kept = |item: &DirectItem| {
            !matches!(
                item,
                DirectItem::Private { .. } | DirectItem::OldMessage { .. } | DirectItem::OldEnd { .. }
            )
        };
        let kept = self.items.iter().filter(|direct| is_kept(&direct.item)).map(Arc::clone);
        Unread { items: kept.collect(), ..Unread::default() }
    }
}

/// The direct lane of a session while it has no connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unread {
    /// The number of the newest item that the lane has had.
    direct: u64,
    /// As [`Profile::lost`].
    lost: u64,
    /// As [`Profile::goes_after`].
    goes_after: u64,
    items: Items,
}

impl Unread {
    /// Items in it.
    pub(crate) fn len(&self) -> usize {
        self.items.list.len()
    }

    /// Forgets the items: there is no room for them.
    pub(crate) fn clear(&mut self) {
        let lost = self.items.iter().rev().find(|direct| needs_telling(&direct.item));
        self.lost = self.lost.max(lost.map_or(0, |direct| direct.number));
        self.items = Items::default();
    }

    /// Puts another item into it; false if it is full.
    pub(crate) fn push(&mut self, item: DirectItem) -> bool {
        self.direct = self.direct.saturating_add(1);
        if !self.has_room_for(&item) {
            if needs_telling(&item) {
                self.lost = self.direct;
            }
            return false;
        }
        self.items.keep(Arc::new(Direct { number: self.direct, item }));
        true
    }

    /// Whether it is not full.
    pub(crate) fn has_room_for(&self, item: &DirectItem) -> bool {
        self.items.has_room_for(item)
    }

    /// Whether a member that has the items up to `got` will never get one of those after it.
    pub(crate) fn has_lost_after(&self, got: u64) -> bool {
        self.lost > got
    }
}

impl Profile {
    /// The part of the lane that the session keeps.
    pub(crate) fn unread(&self) -> Unread {
        let unread = self.lane.as_ref().map_or_else(Unread::default, |lane| lane.kept_for_resume());
        // Undelivered private messages are not counted one by one here: the resume only says that something was lost.
        let lost = if self.untold > 0 { self.direct } else { self.lost };
        Unread { direct: self.direct, lost, goes_after: self.goes_after, ..unread }
    }

    /// The session goes on, and has the items up to `got`.
    pub(crate) fn resume(&mut self, unread: &Unread, got: u64) {
        self.direct = unread.direct.max(got);
        (self.got, self.lost, self.goes_after) = (got, unread.lost, unread.goes_after);
        let items: Items = unread.items.iter().filter(|direct| direct.number > got).map(Arc::clone).collect();
        let has_items = !items.list.is_empty();
        self.lane = has_items.then(|| Box::new(Lane { items, pulled: got }));
        self.goes_on();
    }

    /// The session goes on over another connection. It stays in this room if its client will not be told that it was
    /// sent to another one.
    pub(crate) fn goes_on(&mut self) {
        let goes_after = self.goes_after;
        let is_told =
            |direct: &Arc<Direct>| matches!(direct.item, DirectItem::Done { number } if number == goes_after);
        let will_learn =
            self.taken < goes_after || self.lane.as_ref().is_some_and(|lane| lane.items.iter().any(is_told));
        if !will_learn {
            self.goes_after = 0;
        }
    }

    /// Puts an item into the lane; `None` if it is full. The caller must hand the item to the transport.
    pub(crate) fn push_direct(&mut self, item: DirectItem) -> Option<Arc<Direct>> {
        let is_full = self.lane.as_ref().is_some_and(|lane| !lane.items.has_room_for(&item));
        (!is_full).then(|| self.push(item, true))
    }

    /// Puts the answer to a message into the lane, which finds room for it: a member that says much, of which much is
    /// refused, cannot acknowledge in between. If the lane is full, this drops an older answer that the transport
    /// already has, as a stream delivers what it was handed. Only a connection that breaks at this moment loses that
    /// answer; its client is then told that something is unknown.
    pub(crate) fn push_confirmation(&mut self, item: DirectItem) -> Arc<Direct> {
        let mut has_room = true;
        if let Some(lane) = &mut self.lane {
            while !lane.items.has_room_for(&item) {
                let is_old = |direct: &Arc<Direct>| direct.number <= lane.pulled && is_answer(&direct.item);
                let Some(at) = lane.items.list.iter().position(is_old) else {
                    has_room = false;
                    break;
                };
                let forgotten = &lane.items.list[at];
                if needs_telling(&forgotten.item) {
                    self.lost = self.lost.max(forgotten.number);
                }
                lane.items.forget(at);
            }
        }
        self.push(item, has_room)
    }

    fn push(&mut self, item: DirectItem, is_kept: bool) -> Arc<Direct> {
        let lane = self.lane.get_or_insert_with(|| Box::new(Lane::new(self.direct)));
        self.direct = self.direct.saturating_add(1);
        let direct = Arc::new(Direct { number: self.direct, item });
        if is_kept {
            lane.items.keep(Arc::clone(&direct));
        } else if needs_telling(&direct.item) {
            self.lost = self.direct;
        }
        direct
    }

    /// The transport has pulled the items up to this number.
    pub(crate) fn direct_pulled(&mut self, number: u64) {
        if let Some(lane) = &mut self.lane {
            lane.pulled = lane.pulled.max(number);
        }
        self.let_lane_go();
    }

    /// The member has the items up to this number.
    pub(crate) fn direct_got(&mut self, number: u64) {
        let number = number.min(self.direct);
        self.got = self.got.max(number);
        if let Some(lane) = &mut self.lane {
            while lane.items.list.front().is_some_and(|direct| direct.number <= number) {
                lane.items.forget(0);
            }
        }
        self.let_lane_go();
    }

    /// Whether the transport should pull before this member says more.
    pub(crate) fn is_lane_crowded(&self) -> bool {
        self.lane.as_ref().is_some_and(|lane| self.direct - lane.pulled >= UNPULLED_MAX)
    }

    /// /// Whether the member has not acknowledged so many items that its transport must get no more than it asks for.
    pub(crate) fn is_lane_choked(&self) -> bool {
        self.direct - self.got >= 2 * DIRECT_ITEMS_MAX as u64
    }

    /// How many undelivered private messages it has not been told of; 0 while there is no room to say so.
    pub(crate) fn take_untold(&mut self) -> u32 {
        if self.is_lane_choked() { 0 } else { std::mem::take(&mut self.untold) }
    }

    /// The items of the lane, for another transport.
    pub(crate) fn unacknowledged(&mut self) -> Vec<Arc<Direct>> {
        let Some(lane) = &mut self.lane else { return Vec::new() };
        lane.pulled = lane.items.list.front().map_or(self.direct, |first| first.number - 1);
        lane.items.iter().map(Arc::clone).collect()
    }

    fn let_lane_go(&mut self) {
        let direct = self.direct;
        self.lane.take_if(|lane| lane.items.list.is_empty() && lane.pulled == direct);
    }
}

/// Whether losing this item must be reported. `Done` and `Sent` need no report: `taken` in the welcome says the same.
fn needs_telling(item: &DirectItem) -> bool {
    !matches!(item, DirectItem::Done { .. } | DirectItem::Sent { .. })
}

/// Whether this answers a message of the member itself.
fn is_answer(item: &DirectItem) -> bool {
    use DirectItem::{Done, Notice, OldEnd, OldMessage, Refused, Sent};
    matches!(
        item,
        Refused { .. } | Done { .. } | Sent { .. } | Notice { .. } | OldMessage { .. } | OldEnd { .. }
    )
}

fn cost(item: &DirectItem) -> usize {
    match item {
        DirectItem::Private { text, .. } | DirectItem::Notice { text } | DirectItem::Sent { text, .. } => {
            text.as_str().len()
        }
        DirectItem::Refused { why, .. } | DirectItem::Undelivered { why, .. } => why.as_str().len(),
        DirectItem::OldMessage { entry, .. } => text_bytes(&entry.event),
        _ => 0,
    }
}

/// Bytes of text in an event.
pub(crate) fn text_bytes(event: &Event) -> usize {
    match event {
        Event::Said { text, .. } | Event::Topic { text, .. } => text.as_str().len(),
        _ => 0,
    }
}
