//! What must hold during a run and at its end.

use std::collections::HashSet;
use std::rc::Rc;

use chat_core::{Heard, Room, Stats};
use chat_proto::Author;

use super::Run;
use crate::mixed::follower::Follower;
use crate::scenario::{Fault, Report};

impl<const QUICK: bool> Run<'_, QUICK> {
    /// The local member that is seldom read hears everything, or how much it missed; and there is a token when there
    /// is something to hear. While a page of the journal is being read for it, it need not hear anything.
    pub(super) fn read_local(&mut self) -> Result<(), Fault> {
        let (local, follower) = &mut self.lazy;
        let truth = self.truth.borrow();
        let wrong = |detail: String| Fault::new("local member", detail);
        let is_behind = |follower: &mut Follower| !follower.is_up_to_date(&truth) && !self.keeper.is_asked();
        if is_behind(follower) && local.ready().try_recv().is_err() {
            return Err(wrong("there is something to hear, and no token".to_owned()));
        }
        while let Ok(heard) = local.try_recv() {
            match heard {
                Heard::Entry(entry) => follower.entry(&entry, &truth).map_err(wrong)?,
                Heard::Missed(messages) => follower.missed(messages, &truth).map_err(wrong)?,
                other => return Err(wrong(format!("nobody tells a local member anything: {other}"))),
            }
        }
        if is_behind(follower) { Err(wrong("has not heard everything".to_owned())) } else { Ok(()) }
    }

    /// No two members are shown alike.
    pub(super) fn check_authors(&self) -> Result<(), Fault> {
        if !self.script.world.twins {
            return Ok(());
        }
        for room in self.rooms.all() {
            let authors = room.members();
            let distinct: HashSet<&Author> = authors.iter().collect();
            if distinct.len() < authors.len() {
                return Err(Fault::new("authors", format!("two are shown alike: {authors:?}")));
            }
        }
        Ok(())
    }

    pub(super) fn check(&mut self) -> Result<(), Fault> {
        loop {
            self.truth.borrow_mut().listen();
            self.read_local()?;
            if !self.keeper.is_asked() {
                break;
            }
            self.keeper.answer();
        }
        let truth = Rc::clone(&self.truth);
        let truth = truth.borrow();
        if let Some(fault) = truth.fault() {
            return Err(Fault::new("log", fault));
        }
        let stats: Vec<Stats> = self.rooms.all().iter().map(Room::stats).collect();
        let (present, joined) = (truth.present(), stats.iter().map(|stats| stats.joined).sum::<u64>());
        let is_over = |stats: &Stats| stats.members == 0 && stats.joined == stats.left;
        if present != 0 || !stats.iter().all(is_over) || joined != truth.joined() {
            return Err(Fault::new("leaves", format!("{present} have not left: {stats:?}")));
        }
        self.forger.check().map_err(|detail| Fault::new("amplification", detail))?;
        for index in 0..self.people.len() {
            let checked = self.people[index].check(&truth, &self.script.world);
            checked.map_err(|detail| self.fault("end", index, &detail))?;
        }
        Ok(())
    }

    pub(super) fn report(&self) -> Report {
        let tallies = self.people.iter().map(|person| person.tally());
        let (delivered, missed, sessions) = tallies
            .fold((0, 0, 0), |(a, b, c), (delivered, missed, sessions)| {
                (a + delivered, b + missed, c + sessions)
            });
        let truth = self.truth.borrow();
        Report {
            messages: truth.messages(),
            delivered,
            missed,
            sessions,
            tagged: truth.tagged(),
            renamed: truth.renamed(),
            moved: truth.moved(),
            private: truth.whispers().delivered(),
            refused: self.rooms.all().iter().map(|room| room.stats().refused).sum(),
            datagrams: self.datagrams,
            deaths: 0,
            time: self.time.passed(),
        }
    }
}
