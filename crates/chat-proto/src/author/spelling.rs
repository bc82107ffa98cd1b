//! The text of the author that was written last.

use crate::Author;

/// Remembers how the last author is spelled.
///
/// Often several messages in a row have one author, and formatting an address takes longer than copying all the rest of
/// an entry. To encode many entries, keep one `Spelling` for all of them. It holds at most one author.
///
/// ```
/// use chat_proto::{Author, Spelling};
///
/// let mut spelling = Spelling::default();
/// assert_eq!(spelling.of(&"192.0.2.1:5".parse::<Author>()?), "192.0.2.1:5");
/// assert_eq!(spelling.of(&Author::Room), "*");
/// # Ok::<(), chat_proto::AuthorError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Spelling {
    last: Option<(Author, String)>,
}

impl Spelling {
    /// What the author's `Display` writes.
    pub fn of(&mut self, author: &Author) -> &str {
        self.last.take_if(|(last, _)| last != author);
        let (_, text) = self.last.get_or_insert_with(|| (author.clone(), author.to_string()));
        text
    }
}
