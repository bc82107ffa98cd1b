//! The private messages of a run, as their senders and recipients note them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The recipient of a private message.
#[derive(Clone, Debug)]
pub(super) struct Meant {
    pub(super) who: String,
    /// It acknowledges what it got.
    pub(super) is_framed: bool,
}

/// Texts of private messages are `SENDER~NUMBER.`, so that everyone can tell whose they are.
#[derive(Debug, Default)]
pub(super) struct Whispers {
    /// How many each member has sent.
    sent: HashMap<String, usize>,
    /// Whom each is for. Only a framed member tells the room what it got.
    meant: BTreeMap<(String, usize), Meant>,
    /// Those that the room has taken charge of, while their sender is the same member of the room.
    taken: BTreeSet<(String, usize)>,
    /// For each pair of sender and recipient, the numbers that arrived, in that order.
    arrived: BTreeMap<(String, String), Vec<usize>>,
    /// How many of its messages each sender was told to be undelivered.
    undelivered: HashMap<String, usize>,
}

impl Whispers {
    /// The text of the next private message of `who`.
    pub(super) fn text(&mut self, who: &str, to: Meant) -> String {
        let sent = self.sent.entry(who.to_owned()).or_default();
        *sent += 1;
        self.meant.insert((who.to_owned(), *sent), to);
        format!("{who}~{sent}.")
    }

    /// The sender was told that this is on its way.
    pub(super) fn taken(&mut self, text: &str) -> Result<(), String> {
        if self.taken.insert(parsed(text)?) {
            return Ok(());
        }
        Err(format!("was told twice that {text:?} is on its way"))
    }

    /// `who` is another member from now on, and is told nothing more about earlier private messages.
    pub(super) fn begins_anew(&mut self, who: &str) {
        self.taken.retain(|(from, _)| from != who);
        self.undelivered.remove(who);
    }

    /// `who` was told that one of its private messages did not arrive.
    pub(super) fn undelivered(&mut self, who: &str) {
        *self.undelivered.entry(who.to_owned()).or_default() += 1;
    }

    /// `who` got a private message.
    pub(super) fn arrived(&mut self, who: &str, text: &str) -> Result<(), String> {
        let (from, number) = parsed(text)?;
        let numbers = self.arrived.entry((from, who.to_owned())).or_default();
        if numbers.last().is_some_and(|&last| last >= number) {
            return Err(format!("got {text:?} after number {:?} of the same sender", numbers.last()));
        }
        numbers.push(number);
        Ok(())
    }

    /// Private messages of `from` that the room took charge of, that did not arrive, and of which `from` was not told.
    pub(super) fn lost(&self, from: &str) -> Option<String> {
        let is_missing = |key: &&(String, usize)| {
            let Some(to) = self.meant.get(*key).filter(|to| to.is_framed) else { return false };
            // If the recipient has left meanwhile, the address may be that of the sender itself, over another transport.
            ![&to.who, from].iter().any(|who| {
                let arrived = self.arrived.get(&(from.to_owned(), (*who).to_owned()));
                arrived.is_some_and(|numbers| numbers.contains(&key.1))
            })
        };
        let mine = self.taken.iter().filter(|(sender, _)| sender == from);
        let missing: Vec<_> = mine.filter(is_missing).collect();
        let told = self.undelivered.get(from).copied().unwrap_or(0);
        (missing.len() > told).then(|| format!("{missing:?} did not arrive, and it was told of {told}"))
    }

    /// How many arrived.
    pub(super) fn delivered(&self) -> usize {
        self.arrived.values().map(Vec::len).sum()
    }
}

fn parsed(text: &str) -> Result<(String, usize), String> {
    let parts = text.strip_suffix('.').and_then(|text| text.split_once('~'));
    let parsed = parts.and_then(|(from, number)| Some((from.to_owned(), number.parse().ok()?)));
    parsed.ok_or_else(|| format!("{text:?} is no private message of this run"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(whispers: &mut Whispers) -> String {
        whispers.text("m1", Meant { who: "m2".to_owned(), is_framed: true })
    }

    #[test]
    fn a_private_message_that_comes_twice_or_before_an_earlier_one_is_a_fault() {
        let mut whispers = Whispers::default();
        let (one, two) = (told(&mut whispers), told(&mut whispers));
        assert_eq!(whispers.arrived("m2", &two), Ok(()));
        assert!(whispers.arrived("m2", &two).is_err());
        assert!(whispers.arrived("m2", &one).is_err());
        assert_eq!(whispers.taken(&one), Ok(()));
        assert!(whispers.taken(&one).is_err());
        assert!(whispers.arrived("m2", "m1: 7.").is_err(), "it is no private message");
    }

    #[test]
    fn a_private_message_that_is_lost_without_a_word_is_a_fault() {
        let mut whispers = Whispers::default();
        let (one, two) = (told(&mut whispers), told(&mut whispers));
        assert!(whispers.taken(&one).is_ok() && whispers.taken(&two).is_ok());
        assert!(whispers.arrived("m2", &one).is_ok());
        assert!(whispers.lost("m1").is_some());
        whispers.undelivered("m1");
        assert_eq!(whispers.lost("m1"), None, "its sender was told");
    }
}
