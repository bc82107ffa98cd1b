//! What a session does with the datagrams of its peer.

use chat_core::transport::Format;
use chat_proto::{Ack, LeaveReason, MemberDatagram, Traffic};

use super::{Context, Session};
use crate::session::phase::Phase;

impl Session {
    /// Takes in a datagram of this session, from its address.
    pub(crate) fn receive(&mut self, datagram: MemberDatagram, cx: &Context<'_>) {
        let is_bye = matches!(datagram, MemberDatagram::Bye { .. });
        match &self.phase {
            Phase::Opening(_) => {
                self.phase = Phase::Member;
                if let Some(member) = self.member {
                    cx.feed.attachment().set_unanswered(member, false);
                }
            }
            Phase::Member | Phase::Draining | Phase::Quitting(_) => {}
            Phase::Leaving(leaving) if is_bye => {
                self.phase = Phase::gone(leaving.reason.clone(), cx.now);
                self.owed.bye = false; // this is its answer to ours
                return;
            }
            Phase::Leaving(_) | Phase::Gone(_) => {
                self.owed.bye = true;
                return;
            }
        }
        self.heard = cx.now;
        match datagram {
            MemberDatagram::Traffic { traffic, .. } => self.traffic(traffic, cx),
            MemberDatagram::Who { .. } => self.owed.present = true,
            MemberDatagram::LookBack { number, question, .. } => {
                self.owed.ack = true;
                if let (Some(member), Phase::Member, false) = (self.member, &self.phase, self.lane_is_full())
                {
                    self.incoming.ask(number, question, member, cx.feed.attachment(), cx.now);
                }
            }
            MemberDatagram::Bye { .. } => {
                let reason = self.leave(LeaveReason::Quit, cx);
                self.phase = Phase::gone(reason, cx.now);
                self.owed.bye = true;
            }
            MemberDatagram::Hello { .. } | MemberDatagram::Path { .. } => {}
        }
    }

    fn traffic(&mut self, traffic: Traffic, cx: &Context<'_>) {
        let Traffic { ping, ack, direct, settled, first, says } = traffic;
        self.owed.ack |= ping || !says.is_empty();
        self.acknowledged(&ack, cx);
        let Some(member) = self.member else { return };
        if self.lane.as_mut().is_some_and(|lane| lane.acknowledged(direct)) {
            cx.feed.attachment().got(member, direct);
            self.outgoing.rtt().answered();
            self.lane.take_if(|lane| lane.is_empty());
        }
        if matches!(self.phase, Phase::Member) {
            self.incoming.settle(settled);
            // The peer repeats messages that are not taken now.
            if !self.lane_is_full()
                && self.incoming.receive(first, says, member, cx.feed.attachment(), cx.now)
            {
                self.quit(cx);
            }
        }
    }

    fn acknowledged(&mut self, ack: &Ack, cx: &Context<'_>) {
        let shared = cx.feed.log(Format::Framed);
        let Some(past) = &mut self.past else {
            return cx.count_missed(self.outgoing.acknowledged(ack, shared, cx.now));
        };
        let Some(ack) = past.ack(ack, self.outgoing.acked().slot()) else { return };
        let log = past.log().unwrap_or(shared);
        cx.count_missed(self.outgoing.acknowledged(&ack, log, cx.now));
        if past.log().is_some_and(|page| self.outgoing.has_all_messages(page)) {
            let begin = shared.right_after(self.outgoing.acked().seq());
            past.read_shared(begin, self.outgoing.unused());
            self.outgoing.go_on_at(begin);
        }
    }
}
