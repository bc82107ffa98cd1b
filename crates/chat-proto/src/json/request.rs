//! What a member says in JSON.

use serde::{Deserialize, Deserializer};

use crate::{Author, Hello, LookBack, MemberId, Resume, Session, Text, limits::LOOK_BACK_MESSAGES_MAX};

/// An object of a member.
///
/// It is read strictly: an object of another `type`, or with a field that its type does not have, is refused. So
/// nothing that a member asks for is ignored in silence.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Request {
    /// Asks to join or to resume, over WebSocket: the first object, and only the first.
    Hello {
        /// The room it wants to join; the server's first one if none is named.
        room: Option<String>,
        /// The name it wants to have.
        name: Option<String>,
        /// The session to go on with, if it had one.
        resume: Option<ResumeRequest>,
        /// How many messages of history it wants, at most.
        #[serde(default)]
        history: u16,
    },
    /// Says something, whatever it begins with.
    Say {
        /// The text.
        text: String,
        /// Which of its messages it is, over WebSocket. Without one the room counts on.
        number: Option<u64>,
    },
    /// Gives the room a command, with its slash.
    Command {
        /// The command.
        text: String,
        /// As for [`Say`](Self::Say).
        number: Option<u64>,
    },
    /// Asks for the members that are present.
    Who {},
    /// Asks for old messages.
    History {
        /// Those before this sequence number; default the newest.
        before: Option<u64>,
        /// At most this many; default, and at most, as many as one answer has.
        messages: Option<u8>,
        /// Only messages of this author.
        author: Option<String>,
        /// Only messages with all of these words.
        words: Option<String>,
        /// The question's number, over WebSocket: greater than those of the questions before. Without one the room
        /// counts on.
        question: Option<u64>,
    },
    /// Has the items of the direct lane up to this number, over WebSocket.
    Got {
        /// The number.
        direct: u64,
    },
    /// Leaves for good, over WebSocket.
    Bye {},
}

/// Where a member wants to go on.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct ResumeRequest {
    /// The room's epoch, as [`Report::Connected`](super::Report::Connected) had it, and so with the next three fields.
    #[serde(deserialize_with = "id")]
    pub epoch: u64,
    /// Of the session.
    #[serde(deserialize_with = "id")]
    pub member: u64,
    /// Of the session.
    pub since: u64,
    /// Of the session.
    #[serde(deserialize_with = "id")]
    pub key: u64,
    /// The `seq` of the last entry that the member has; `since` if it has none.
    pub have: u64,
    /// The number of the last item of the direct lane that it has.
    #[serde(default)]
    pub direct: u64,
}

/// Why bytes are not a [`Request`]; the peer is to blame.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct RequestError(#[from] serde_json::Error);

impl Request {
    /// Reads an object.
    ///
    /// # Errors
    ///
    /// [`RequestError`], which says what is wrong with it.
    pub fn parse(object: &[u8]) -> Result<Self, RequestError> {
        Ok(serde_json::from_slice(object)?)
    }

    /// The hello that this object is. `None` if it is another one, or has a text that is too long.
    #[must_use]
    pub fn to_hello(&self) -> Option<Hello> {
        let Self::Hello { room, name, resume, history } = self else { return None };
        let text = |text: &Option<String>| text.as_deref().map(Text::one_line).transpose().ok();
        Some(Hello {
            room: text(room)?,
            name: text(name)?,
            resume: resume.map(Resume::from),
            history: *history,
            ..Hello::default()
        })
    }
}

impl Request {
    /// The question for old messages that this object is.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for people.
    pub fn to_look_back(&self) -> Result<LookBack, String> {
        let Self::History { before, messages, author, words, .. } = self else {
            return Err("it asks for no old messages".to_owned());
        };
        let read =
            |author: &String| Author::from_record(author).ok_or_else(|| format!("{author} is not an author"));
        let author = author.as_ref().map(read);
        let words = words.as_ref().map(|words| Text::one_line(words).map_err(|error| error.to_string()));
        Ok(LookBack {
            before: before.unwrap_or(u64::MAX),
            messages: messages.unwrap_or(LOOK_BACK_MESSAGES_MAX).min(LOOK_BACK_MESSAGES_MAX),
            author: author.transpose()?,
            words: words.transpose()?,
        })
    }
}

impl From<ResumeRequest> for Resume {
    fn from(resume: ResumeRequest) -> Self {
        let ResumeRequest { epoch, member, since, key, have, direct } = resume;
        Self { epoch, session: Session { member: MemberId::new(member), since, key }, have, direct }
    }
}

/// A number that is written as a string.
fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| serde::de::Error::custom("expected a number in a string"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_objects_of_a_member_are_these() {
        let say = Request::Say { text: "a\nb".to_owned(), number: None };
        assert_eq!(Request::parse(br#"{"type":"say","text":"a\nb"}"#).unwrap(), say);
        let command = Request::Command { text: "/nick ann".to_owned(), number: Some(3) };
        let object = br#"{"type":"command","text":"/nick ann","number":3}"#;
        assert_eq!(Request::parse(object).unwrap(), command);
        assert_eq!(Request::parse(br#"{"type":"who"}"#).unwrap(), Request::Who {});
        assert_eq!(Request::parse(br#"{"type":"got","direct":2}"#).unwrap(), Request::Got { direct: 2 });
        assert_eq!(Request::parse(br#"{"type":"bye"}"#).unwrap(), Request::Bye {});
        let newest = Request::parse(br#"{"type":"history"}"#).unwrap().to_look_back();
        assert_eq!(newest, Ok(LookBack::newest(LOOK_BACK_MESSAGES_MAX)));
        let found = br#"{"type":"history","before":9,"messages":20,"author":"ann","words":"deploy failed","question":3}"#;
        let found = Request::parse(found).unwrap().to_look_back().unwrap();
        assert_eq!((found.before, found.messages), (9, 20));
        assert_eq!((found.author, found.words), ("ann".parse().ok(), Text::one_line("deploy failed").ok()));
        assert_eq!(
            Request::parse(br#"{"type":"hello"}"#).unwrap().to_hello(),
            Some(Hello { history: 0, ..Hello::default() })
        );
        let hello = br#"{"type":"hello","room":"dev","name":"ann","history":50,"resume":
            {"epoch":"18446744073709551615","member":"2","since":3,"key":"4","have":5,"direct":6}}"#;
        let hello = Request::parse(hello).unwrap().to_hello().unwrap();
        assert_eq!(
            (hello.room, hello.name, hello.history),
            (Text::one_line("dev").ok(), Text::one_line("ann").ok(), 50)
        );
        let session = Session { member: MemberId::new(2), since: 3, key: 4 };
        assert_eq!(hello.resume, Some(Resume { epoch: u64::MAX, session, have: 5, direct: 6 }));
    }

    #[test]
    fn anything_else_is_refused_with_a_reason() {
        for object in [
            "",
            "hello",
            "{}",
            "[]",
            r#"{"type":"say"}"#,
            r#"{"type":"say","text":1}"#,
            r#"{"type":"shout","text":"a"}"#,
            r#"{"type":"say","text":"a","to":"b"}"#,
            r#"{"type":"hello","resume":{"epoch":1,"member":"2","since":3,"key":"4","have":5}}"#,
            r#"{"type":"got","direct":-1}"#,
        ] {
            assert!(!Request::parse(object.as_bytes()).unwrap_err().to_string().is_empty(), "{object}");
        }
        let long = Request::Hello { room: Some("x".repeat(2000)), name: None, resume: None, history: 0 };
        assert_eq!(long.to_hello(), None);
    }
}
