//! Names, private messages and lists of members: the services of a room besides passing on messages.

use chat_proto::{Author, DirectItem, MemberId, Name, Text};

use crate::access::identity::Identity;
use crate::error::{IgnoreError, NickError, TellError};
use crate::presence::Presence;
use crate::room::Room;

impl Room {
    /// A member takes a name, changes it, or with `None` gives it up. Returns how it is shown from then on. Every
    /// member reads it in the log ([`Event::Renamed`](chat_proto::Event::Renamed)). Costs the same however many members
    /// there are.
    ///
    /// # Errors
    ///
    /// [`NickError`]; then nothing has changed.
    pub fn rename(&self, member: MemberId, name: Option<Name>) -> Result<Author, NickError> {
        let origin = match &name {
            Some(_) => Some(self.lock().origin_of(member).ok_or(NickError::NotPresent)?),
            None => None,
        };
        // The gate is asked about a remote member that takes a name.
        let request = origin.and_then(|(peer, transport)| Some((peer?, transport, name.clone()?)));
        if let Some((peer, transport, name)) = &request {
            self.admit(peer, transport, Some(name)).map_err(|why| NickError::Refused { why })?;
        }
        let now = self.now();
        let result = self.lock().rename(member, name, now);
        let (author, wakes) = result?;
        wakes.wake();
        if let Some((peer, transport, name)) = &request {
            self.enforce_bans(peer, transport, Some(name));
        }
        Ok(author)
    }

    /// The member that is shown like this: by its name, in any case of letters, or by its address.
    #[must_use]
    pub fn find(&self, who: &str) -> Option<MemberId> {
        self.lock().find(&Author::from_shown(who))
    }

    /// How many members are here, and the first `max` of them, local ones included.
    #[must_use]
    pub fn presence(&self, max: usize) -> (usize, Vec<Presence>) {
        let now = self.now();
        self.lock().presence(max, now)
    }

    /// Where a member comes from, and over which transport; `None` for a local member.
    pub(crate) fn origin_of(&self, member: MemberId) -> Option<(Identity, &'static str)> {
        let (peer, transport) = self.lock().origin_of(member)?;
        peer.map(|peer| (peer, transport))
    }

    /// Whether everyone may see the addresses of members
    /// ([`RoomConfig::with_hidden_addresses`](crate::RoomConfig::with_hidden_addresses)).
    #[must_use]
    pub fn shows_addresses(&self) -> bool {
        !self.lock().config.hides_addresses
    }

    /// Sends `text` from one member to another privately, and returns how the other one is shown. Text of several
    /// lines, or longer than a message, becomes several messages.
    ///
    /// Messages arrive in order, each at most once. If the other member leaves before it has acknowledged this one, the
    /// sender is told so ([`DirectItem::Undelivered`]).
    ///
    /// # Errors
    ///
    /// [`TellError`]. Messages before the one that did not fit have been sent.
    pub fn tell_private(&self, from: MemberId, to: MemberId, text: &str) -> Result<Author, TellError> {
        let mut texts = Text::split(text.as_bytes());
        let mut text = texts.next().unwrap_or_default();
        loop {
            let result = self.lock().tell_private(from, to, text);
            let (shown, wakes) = result?;
            wakes.wake();
            match texts.next() {
                Some(next) => text = next,
                None => return Ok(shown),
            }
        }
    }

    /// Tells one member a text that nobody else can read. Text of several lines becomes several items of its direct
    /// lane.
    ///
    /// # Errors
    ///
    /// [`TellError`]. Lines before the one that did not fit have been told.
    pub fn tell(&self, to: MemberId, text: &str) -> Result<(), TellError> {
        for text in Text::split(text.as_bytes()) {
            let result = self.lock().tell(to, DirectItem::Notice { text });
            result?.wake();
        }
        Ok(())
    }

    /// The sender of this member's last private message, if it is still here.
    #[must_use]
    pub fn last_private(&self, member: MemberId) -> Option<MemberId> {
        self.lock().last_private(member)
    }

    /// A member no longer gets another member's messages.
    ///
    /// # Errors
    ///
    /// [`IgnoreError`] if it ignores [`IGNORED_MAX`](crate::limits::IGNORED_MAX) members already, or is not here.
    pub fn ignore(&self, member: MemberId, whom: MemberId) -> Result<(), IgnoreError> {
        self.lock().ignore(member, whom)
    }

    /// A member gets another member's messages again. `false` if it did not ignore that one.
    pub fn unignore(&self, member: MemberId, whom: MemberId) -> bool {
        self.lock().unignore(member, whom)
    }

    /// The present members that a member ignores.
    #[must_use]
    pub fn ignored(&self, member: MemberId) -> Vec<Author> {
        self.lock().ignored(member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RoomConfig;
    use crate::state::members::LOOKS;
    use crate::waker::Waker;

    /// At how many places of members a rename, a lookup and a private message look in a room of this many.
    fn looks(members: u16) -> usize {
        let config = RoomConfig::default().with_members_per_address_max(usize::from(u16::MAX));
        let room = Room::new(config);
        let attachment = room.attach(Waker::new(|| {}));
        let ids: Vec<MemberId> = (1..=members)
            .map(|port| {
                let address = std::net::SocketAddr::from(([192, 0, 2, 1], port));
                attachment.join(0, address, room.now()).expect("there is room").id
            })
            .collect();
        let (one, other) = (ids[0], ids[ids.len() / 2]);
        let before = LOOKS.get();
        room.rename(one, Some("ann".parse().expect("a name"))).expect("free");
        let found = room.find("ANN").expect("it is here");
        room.tell_private(other, found, "hello").expect("there is room");
        LOOKS.get() - before
    }

    #[test]
    fn a_rename_and_a_private_message_search_no_members() {
        let (few, many) = (looks(10), looks(10_000));
        // Keys that share a place of the index are looked at, too.
        assert!(few >= 3 && many <= few + 30, "{few} among ten, {many} among ten thousand");
    }
}
