//! How a connection goes to a room that may have to be opened first.

use std::time::Instant;

use chat_core::Room;
use chat_core::transport::Moved;
use chat_proto::LeaveReason;

use super::{Connection, Context, Phase, Who};
use crate::speaker::Speaker;

impl Connection {
    /// A newcomer joins the room of its hello, or a plain member goes to the room that it asked for, once it has
    /// everything of the one that it is in. False if the room is not open yet.
    pub(super) fn enter_room(&mut self, cx: &mut Context<'_>) -> bool {
        let goal = match &mut self.who {
            Who::Member(speaker) => speaker.goal().cloned(),
            Who::Newcomer(newcomer) => newcomer.hello.as_ref().map(|hello| hello.1.clone()),
            Who::Stranger => None,
        };
        let Some(room) = goal.and_then(|goal| goal.room()) else { return false };
        (self.phase, self.due) = (Phase::Member, None);
        match &mut self.who {
            Who::Newcomer(newcomer) => {
                if let Some(waited) = newcomer.hello.take() {
                    self.welcome(&waited.0, room, cx);
                }
            }
            Who::Member(_) => match room {
                Ok(room) => self.move_to(&room, cx),
                Err(error) => self.stay(&error.to_string(), cx.now),
            },
            Who::Stranger => {}
        }
        true
    }

    /// A plain member cannot go to the room that it asked for.
    fn stay(&mut self, why: &str, now: Instant) {
        if let Who::Member(speaker) = &mut self.who {
            speaker.forget_goal();
            self.outgoing.push_notice(why, now);
        }
    }

    fn move_to(&mut self, room: &Room, cx: &mut Context<'_>) {
        let Who::Member(speaker) = &mut self.who else { return };
        let (old, new) = (cx.at, cx.feeds.open(room));
        let (from, to) = (cx.feeds.feed(old).attachment(), cx.feeds.feed(new).attachment());
        match from.move_to(speaker.member(), to, cx.key, cx.now) {
            Some(Ok(moved)) => {
                let Moved { joined, left_after, .. } = moved;
                cx.feed_mut().pull(); // the member gets what others have said since the last time
                self.outgoing.skip_to(left_after, speaker, cx);
                self.who = Who::Member(Speaker::new(joined.member));
                cx.at = new;
                cx.feed_mut().pull(); // the log must reach the start of the member
                let cursor = cx.feed_mut().open(self.outgoing.format()).after(joined.seq);
                self.outgoing.go_on_at(cursor);
            }
            Some(Err(error)) => {
                let stays = from.is_member(speaker.member());
                cx.feeds.close_if_empty(new);
                if stays {
                    return self.stay(&error.advice(room.name()), cx.now);
                }
                self.end(LeaveReason::from(error), cx);
            }
            None => cx.feeds.close_if_empty(new), // it was dismissed, and is about to be told so
        }
    }
}
