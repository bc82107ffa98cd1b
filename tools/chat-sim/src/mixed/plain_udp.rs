//! A plain member over UDP, like `nc -u`. Its network loses nothing, so it must get everything while its lease runs,
//! including its own messages.

use std::net::SocketAddr;
use std::time::Instant;

use super::follower::Follower;
use super::lines::{Ending, Lines};
use super::person::{Person, Surroundings};
use super::plan::{Act, World};
use super::truth::Truth;

pub(super) struct PlainUdp {
    who: String,
    address: Option<SocketAddr>,
    /// What it reads. Each datagram holds whole lines.
    lines: Lines,
    /// Follows the membership that it reads about.
    follower: Option<Follower>,
    says: usize,
    said: Vec<String>,
    delivered: u64,
    missed: u64,
}

impl PlainUdp {
    pub(super) fn new(who: String) -> Self {
        let lines = Lines::new(Ending::Lf, &who);
        Self { who, address: None, lines, follower: None, says: 0, said: Vec::new(), delivered: 0, missed: 0 }
    }

    fn say(&mut self, messages: usize, cx: &mut Surroundings<'_>) {
        let address = *self.address.get_or_insert_with(|| cx.new_address([10, 1]));
        self.lines.address = self.address;
        for number in self.says..self.says + messages {
            let text = format!("{}: {number}.", self.who);
            cx.network.send(address, cx.server, text.as_bytes(), cx.now);
            self.said.push(text);
        }
        self.says += messages;
    }

    fn follower(&mut self, truth: &Truth) -> Option<&mut Follower> {
        if self.follower.is_none() {
            let stay = self.lines.stay(truth)?;
            self.follower = Some(Follower::new(stay.room, stay.since, None));
        }
        self.follower.as_mut()
    }
}

impl Person for PlainUdp {
    fn act(&mut self, act: Act, cx: &mut Surroundings<'_>) {
        match act {
            Act::Join(_) if self.address.is_none() => self.say(1, cx),
            Act::Say(_, messages) if self.address.is_some() => self.say(messages.min(20), cx),
            _ => {}
        }
    }

    fn command(&mut self, line: &str, cx: &mut Surroundings<'_>) {
        if let Some(address) = self.address {
            if line.starts_with("/join") {
                self.lines.goes(cx.truth);
            }
            cx.network.send(address, cx.server, line.as_bytes(), cx.now);
        }
    }

    fn step(&mut self, _cx: &mut Surroundings<'_>) -> Result<(), String> {
        Ok(())
    }

    fn datagram(&mut self, to: SocketAddr, bytes: &[u8], cx: &mut Surroundings<'_>) -> Result<(), String> {
        if Some(to) != self.address {
            return Ok(());
        }
        let truth = cx.truth;
        let is_over = self.lines.stay(truth).is_some_and(|stay| stay.left.is_some());
        if bytes.starts_with(b"[*] Closed: ") && !is_over {
            // The server may refuse it before it is a member. By the time it reads the refusal, it may have become one.
            return Ok(());
        }
        if self.follower(truth).is_none() {
            return Err(format!("was sent {:?} as no member", String::from_utf8_lossy(bytes)));
        }
        let Some(follower) = &mut self.follower else { return Ok(()) };
        let before = (follower.delivered, follower.missed);
        self.lines.take(&[bytes, b"\n"].concat(), follower, truth)?;
        let (delivered, missed) = (follower.delivered - before.0, follower.missed - before.1);
        self.delivered += delivered;
        self.missed += missed;
        if self.lines.told().is_some() {
            self.follower = None;
            self.lines.begin_anew();
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn is_done(&mut self, truth: &Truth) -> bool {
        let last = self.address.and_then(|address| truth.last_membership(address.into(), &self.who));
        if last.is_none_or(|last| last.left.is_some()) {
            return true;
        }
        self.lines.has_arrived(truth)
            && self.follower(truth).is_none_or(|follower| follower.is_up_to_date(truth))
    }

    fn closing(&mut self, _cx: &mut Surroundings<'_>) {}

    fn check(&mut self, truth: &Truth, _world: &World) -> Result<(), String> {
        // The server ignores a member that exceeds its rate limit. So some messages may be missing, but none may be
        // there twice or in another order.
        let mut taken: Vec<_> =
            truth.said(&self.who).into_iter().map(|texts| texts.iter().peekable()).collect();
        for text in &self.said {
            let _missing =
                taken.iter_mut().any(|taken| taken.next_if(|taken| taken.as_str() == text).is_some());
        }
        taken
            .iter_mut()
            .find_map(Iterator::next)
            .map_or(Ok(()), |text| Err(format!("{text:?} was said twice, or in another order")))
    }

    fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    fn has_ended(&self) -> bool {
        false
    }

    fn tally(&self) -> (u64, u64, usize) {
        (self.delivered, self.missed, 0)
    }
}
