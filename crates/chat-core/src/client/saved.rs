//! A session as a value that can be stored, to go on with it in another process.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use chat_proto::{DirectItem, Event, MemberId, Session, Text};
use thiserror::Error;

use super::event::ClientEvent;

/// The place of a client in a room, as far as it has [noted](Self::note) its events. Another client, maybe in another
/// process, goes on from there: [`ClientConfig::with_resume`](super::ClientConfig::with_resume). Then `resumed` of
/// [`ClientEvent::Connected`] is true, it is the same member, and it hears what it has missed.
///
/// Note each event once it is dealt with, and store the [token](Self::token) whenever you like. The room keeps a
/// session for a while after its connection is lost, or longer with a journal. Messages that a client has said and not
/// seen confirmed are not part of the session: you hear those of them that the room has taken. A private message that
/// came just before may come again. The clock of the new process must not be behind that of the old one: questions, and
/// messages if the room does not know the last one, get their numbers from it.
///
/// ```
/// use chat_core::{ClientConfig, SavedSession};
///
/// let mut saved = SavedSession::default();
/// // for event in client.events() { ...; saved.note(&event); }
/// let stored = saved.token();
/// let config = ClientConfig::default().with_resume(stored.parse()?);
/// # drop(config);
/// # Ok::<(), chat_core::SavedSessionError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedSession(Option<Place>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) epoch: u64,
    pub(super) session: Session,
    /// Has everything up to this message.
    pub(super) have: u64,
    /// The number of the newest of its own messages that it knows the room to have taken.
    pub(super) number: u64,
    pub(super) room: Option<Text>,
}

impl Place {
    /// A number that no process used before in this session: another one may have said and asked more than it has
    /// noted. It is the time in microseconds, as no process says a million messages per second for as long as it runs.
    /// JavaScript can hold it for two hundred years more.
    #[expect(clippy::disallowed_methods, reason = "it only has to be later than in the process before")]
    pub(super) fn may_be_used(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.number.max(u64::try_from(since.as_micros()).unwrap_or(0))
    }
}

impl SavedSession {
    /// An event was dealt with.
    pub fn note(&mut self, event: &ClientEvent) {
        match event {
            ClientEvent::Connected { welcome, resumed } => {
                let before = self.0.take().filter(|_| *resumed);
                let (have, number) = before.map_or((0, 0), |place| (place.have, place.number));
                self.0 = Some(Place {
                    epoch: welcome.epoch,
                    session: welcome.session,
                    have: have.max(welcome.session.since),
                    number: number.max(welcome.taken.unwrap_or(0)),
                    room: welcome.room.clone(),
                });
            }
            ClientEvent::Entry { entry, own } => {
                let Some(place) = &mut self.0 else { return };
                place.have = place.have.max(entry.seq);
                if let (true, Event::Said { from, .. }) = (*own, &entry.event) {
                    place.number = place.number.max(from.number);
                }
            }
            ClientEvent::Missed(messages) => {
                let Some(place) = &mut self.0 else { return };
                place.have = place.have.saturating_add(*messages);
            }
            ClientEvent::Direct(DirectItem::Done { number } | DirectItem::Sent { number, .. }) => {
                let Some(place) = &mut self.0 else { return };
                place.number = place.number.max(*number);
            }
            // The session ends with the room; another one begins in the next.
            ClientEvent::Direct(DirectItem::Move { .. }) => self.0 = None,
            _ => {}
        }
    }

    pub(super) fn place(&self) -> Option<&Place> {
        self.0.as_ref()
    }

    /// The session as one line of text, to store. **It is a secret**: anyone who has it can speak as this member. Empty
    /// if there was no session yet. `parse` reads it.
    #[must_use]
    pub fn token(&self) -> String {
        let Some(Place { epoch, session: Session { member, since, key }, have, number, room }) = &self.0
        else {
            return String::new();
        };
        let room = room.as_ref().map_or(String::new(), |room| format!(" {room}"));
        format!("{VERSION} {epoch} {member} {since} {key} {have} {number}{room}")
    }
}

/// The form of a token.
const VERSION: &str = "session-1";

impl FromStr for SavedSession {
    type Err = SavedSessionError;

    fn from_str(token: &str) -> Result<Self, SavedSessionError> {
        if token.is_empty() {
            return Ok(Self::default());
        }
        let mut fields = token.splitn(8, ' ');
        if fields.next() != Some(VERSION) {
            return Err(SavedSessionError);
        }
        let mut next = || -> Option<u64> { fields.next()?.parse().ok() };
        let mut place = || {
            let (epoch, member, since, key) = (next()?, MemberId::new(next()?), next()?, next()?);
            let session = Session { member, since, key };
            Some(Place { epoch, session, have: next()?, number: next()?, room: None })
        };
        let mut place = place().ok_or(SavedSessionError)?;
        place.room = fields.next().map(Text::one_line).transpose().map_err(|_| SavedSessionError)?;
        Ok(Self(Some(place)))
    }
}

/// A text that is not a [token](SavedSession::token).
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("this is not a stored session")]
pub struct SavedSessionError;

impl fmt::Display for SavedSession {
    /// Says what it is, without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(place) => write!(f, "member {}, up to message {}", place.session.member, place.have),
            None => f.write_str("no session"),
        }
    }
}

#[cfg(test)]
mod tests {
    use chat_proto::{Author, Welcome};

    use super::*;

    #[test]
    fn only_the_token_has_the_secret_and_it_is_read_again() {
        let session = Session { member: MemberId::new(3), since: 1, key: u64::MAX };
        let lobby = Some(Text::one_line("my lobby").unwrap());
        for room in [None, lobby] {
            let saved = SavedSession(Some(Place { epoch: 9, session, have: 5, number: 2, room }));
            assert_eq!(saved.token().parse(), Ok(saved.clone()));
            let secret = u64::MAX.to_string();
            assert!(saved.token().contains(&secret));
            assert!(!format!("{saved}{saved:?}").contains(&secret));
        }
        assert_eq!(SavedSession::default().token().parse(), Ok(SavedSession::default()));
        for wrong in ["session-2 1 2 3 4 5 6", "session-1 1 2 3 4 5", "session-1 1 2 3 4 5 x", "hello"] {
            assert_eq!(wrong.parse::<SavedSession>(), Err(SavedSessionError), "{wrong}");
        }
    }
    #[test]
    fn a_member_that_is_welcomed_back_does_not_hear_again_what_it_has_noted() {
        let session = Session { member: MemberId::new(3), since: 1, key: 7 };
        let mut saved = SavedSession(Some(Place { epoch: 9, session, have: 5, number: 2, room: None }));
        let author = Author::Named("ann".parse().unwrap());
        let mut welcome = Welcome {
            version: 2,
            capabilities: 0,
            epoch: 9,
            session,
            resumed: true,
            taken: Some(4),
            you: author,
            address: Text::default(),
            room: None,
            name: None,
            topic: None,
            head: 8,
            began_unix_ms: 0,
            members: 1,
        };
        saved.note(&welcome.clone().into());
        assert_eq!(saved.place().map(|place| (place.have, place.number)), Some((5, 4)));
        (welcome.resumed, welcome.session.since, welcome.taken) = (false, 8, Some(0));
        saved.note(&welcome.into());
        assert_eq!(saved.place().map(|place| (place.have, place.number)), Some((8, 0)));
    }
}
