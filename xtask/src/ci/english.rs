//! A peer is "it" and people are "they". The repository uses no other pronoun for either.

use std::fs;
use std::path::Path;

use super::files;
use crate::failure::Failure;

/// The files to read: code, documents, manifests and scripts.
const FILES: [&str; 4] = ["*.rs", "*.md", "*.toml", "*.py"];

/// The words that must not occur, in upper or lower case. Each is in two parts, so that this file passes, too.
const WORDS: [[&str; 2]; 6] =
    [["h", "e"], ["h", "im"], ["h", "is"], ["h", "imself"], ["sh", "e"], ["h", "er"]];

pub(super) fn check(root: &Path) -> Result<(), Failure> {
    let mut all = 0;
    for name in files::tracked(root, &FILES)? {
        let path = root.join(&name);
        let text = fs::read_to_string(&path).map_err(|error| files::unreadable(&path, &error))?;
        let count = pronouns_in(&text);
        if count > 0 {
            println!("{name}: {count}");
        }
        all += count;
    }
    if all == 0 {
        println!("ok");
        return Ok(());
    }
    let words = WORDS.map(|parts| parts.concat()).join("|");
    Err(Failure {
        reason: format!("{all} pronouns in the files above; a peer is \"it\", people are \"they\""),
        command: format!("git grep -nwiE '{words}'"),
    })
}

/// How many words of `text` are such pronouns. The parts of a `snake_case` name count as words.
fn pronouns_in(text: &str) -> usize {
    let words = text.split(|c: char| !c.is_alphabetic());
    words.filter(|word| WORDS.iter().any(|parts| word.eq_ignore_ascii_case(&parts.concat()))).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_count_in_any_case_and_in_names() {
        let text = WORDS.map(|parts| parts.concat()).join(" ");
        assert_eq!(pronouns_in(&text), WORDS.len());
        assert_eq!(
            pronouns_in(&format!(
                "fn what_{}_missed() {{ {}'s }}",
                WORDS[0].concat(),
                WORDS[4].concat().to_uppercase()
            )),
            2
        );
        assert_eq!(pronouns_in("the other here then this history: hello"), 0);
    }
}
