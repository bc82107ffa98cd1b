//! Where a message addresses the user.

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

/// The words that address the user.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mentions {
    /// In lower case.
    names: Vec<String>,
    /// In lower case.
    shown: Option<String>,
}

impl Mentions {
    pub(crate) fn new(names: &[String]) -> Self {
        let names = names.iter().map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty());
        Self { names: names.collect(), shown: None }
    }

    /// How others see the user: the name, or the address.
    pub(crate) fn set_shown(&mut self, shown: &str) {
        self.shown = Some(shown.to_lowercase());
    }

    /// Where `text` has one of the words: whole ones, in any case. In order, and none within another.
    pub(crate) fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            let is_start = text[..at].chars().next_back().is_none_or(|before| !is_of_a_word(before));
            if is_start && let Some(length) = self.length_at(&text[at..]) {
                found.push(at..at + length);
                at += length;
            } else {
                at += c.len_utf8();
            }
        }
        found
    }

    /// How long the longest word is that `text` begins with.
    fn length_at(&self, text: &str) -> Option<usize> {
        let words = self.names.iter().chain(&self.shown);
        let lengths = words.filter_map(|word| {
            let mut rest = text.chars();
            let mut wanted = word.chars().peekable();
            while wanted.peek().is_some() {
                // One upper case character may be several lower case ones.
                for lower in rest.next()?.to_lowercase() {
                    wanted.next_if_eq(&lower)?;
                }
            }
            let ends = rest.clone().next().is_none_or(|after| !is_of_a_word(after));
            ends.then(|| text.len() - rest.as_str().len())
        });
        lengths.max()
    }
}

/// Accents and joiners belong to the letter beside them.
fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c.width() == Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'a>(names: &[&str], text: &'a str) -> Vec<&'a str> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut mentions = Mentions::new(&names);
        mentions.set_shown("127.0.0.1:57814");
        mentions.find(text).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn names_and_the_address_are_found_as_whole_words() {
        assert_eq!(
            found(&["ann"], "Ann: hi, ANN! (ann) annex joann ann_ @ann"),
            ["Ann", "ANN", "ann", "ann"]
        );
        assert_eq!(
            found(&[], "to 127.0.0.1:57814, not 127.0.0.1:578145 nor 1127.0.0.1:57814"),
            ["127.0.0.1:57814"]
        );
    }

    #[test]
    fn any_script_will_do() {
        assert_eq!(found(&["Çağla", "花子"], "çağla ve 花子 さん"), ["çağla", "花子"]);
        assert_eq!(found(&["i\u{307}nci"], "İnci gelir"), ["İnci"]);
    }

    #[test]
    fn a_part_of_a_character_is_no_word() {
        assert_eq!(found(&["ann", "می"], "ann\u{301} می\u{200c}خواهم"), Vec::<&str>::new());
    }

    #[test]
    fn no_name_is_found_nowhere() {
        assert_eq!(found(&["", " "], "nothing here"), Vec::<&str>::new());
    }
}
