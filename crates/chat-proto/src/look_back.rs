//! A member's question about old messages.

use serde::{Deserialize, Serialize};

use crate::{Author, Text, limits::LOOK_BACK_MESSAGES_MAX};

/// Which old messages a member asks for: the newest ones before a message, and of these only those that match.
///
/// ```
/// use chat_proto::{LookBack, Text};
///
/// let newest = LookBack::newest(20);
/// let older = LookBack { before: 1234, ..newest };
/// let found = LookBack::newest(20).by("ann".parse()?).with_words(Text::one_line("deploy failed")?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookBack {
    /// Only messages before this sequence number; `u64::MAX` for the newest of all.
    pub before: u64,
    /// At most this many. The room sends no more than [`LOOK_BACK_MESSAGES_MAX`].
    pub messages: u8,
    /// Only messages that are shown with this author, in any case of letters.
    pub author: Option<Author>,
    /// Only messages with all of these words, in any case of letters.
    pub words: Option<Text>,
}

impl LookBack {
    /// The newest messages, at most this many.
    #[must_use]
    pub fn newest(messages: u8) -> LookBack {
        LookBack {
            before: u64::MAX,
            messages: messages.min(LOOK_BACK_MESSAGES_MAX),
            author: None,
            words: None,
        }
    }

    /// Only those before this sequence number: for the page before, that of the oldest message of a page.
    #[must_use]
    pub fn before(self, seq: u64) -> LookBack {
        LookBack { before: seq, ..self }
    }

    /// Only messages of this author.
    #[must_use]
    pub fn by(self, author: Author) -> LookBack {
        LookBack { author: Some(author), ..self }
    }

    /// Only messages with all of these words.
    #[must_use]
    pub fn with_words(self, words: Text) -> LookBack {
        LookBack { words: Some(words), ..self }
    }
}
