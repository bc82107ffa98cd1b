//! The characters of a text: everything that people see, and nothing that only machines see.
//!
//! | character | becomes | because |
//! |---|---|---|
//! | tab | a space | its width depends on the terminal |
//! | other C0, DEL | its control picture, `ESC` for example U+241B | a terminal obeys them |
//! | C1, U+2028, U+2029 | U+FFFD | terminals obey them too |
//! | an invisible character that its neighbours justify | itself | a word or an emoji would be misspelt without it |
//! | an invisible character that could mislead | U+FFFD | it reorders or hides what people read |
//! | any other invisible character | nothing | it changes nothing that people see |
//!
//! The module [`invisible`](crate::text::invisible) has the rules for the last three. Cleaning a second time changes
//! nothing: an invisible character is kept only for visible neighbours, which are kept themselves.

use std::str::CharIndices;

use crate::{
    text::bidi::Bidi,
    text::invisible::{self, Fate},
};

/// Whether these bytes are only the characters that most messages are made of, which are clean by themselves.
pub(crate) fn is_printable_ascii(bytes: &[u8]) -> bool {
    // No early return within a chunk, so that the compiler compares many bytes at once.
    let is_printable = |chunk: &[u8]| chunk.iter().fold(true, |all, byte| all & matches!(byte, b' '..=b'~'));
    let Some(end) = bytes.last_chunk::<32>() else { return is_printable(bytes) };
    // The last chunk overlaps the one before it, so that nothing is left over.
    bytes.as_chunks::<32>().0.iter().chain([end]).all(|chunk| is_printable(chunk))
}

/// The text, cleaned. One pass; at most three times as long.
pub(crate) fn clean(s: &str) -> String {
    let mut cleaned = String::with_capacity(s.len());
    cleaned.extend(Cleaner::new(s).filter_map(|step| step.clean));
    cleaned
}

/// A line that was cleaned.
#[derive(Debug)]
pub(crate) struct Cleaned {
    pub(crate) text: String,
    /// Invisible characters are in it, kept for their neighbours. A part of it may have to be cleaned again.
    pub(crate) has_invisible: bool,
}

/// The bytes as text, cleaned as [`clean`] does; each maximal invalid part of UTF-8 becomes one U+FFFD.
pub(crate) fn clean_bytes(bytes: &[u8]) -> Cleaned {
    let mut cleaned = Cleaned { text: String::with_capacity(bytes.len()), has_invisible: false };
    for chunk in bytes.utf8_chunks() {
        // Each part by itself: nothing is kept for the sake of a U+FFFD beside it.
        let mut cleaner = Cleaner::new(chunk.valid());
        cleaned.text.extend(cleaner.by_ref().filter_map(|step| step.clean));
        cleaned.has_invisible |= cleaner.kept_invisible;
        if !chunk.invalid().is_empty() {
            cleaned.text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    cleaned
}

/// The position, in bytes, of the first character that cleaning would change.
pub(crate) fn find_unclean(s: &str) -> Option<usize> {
    Cleaner::new(s).find(|step| Some(step.raw) != step.clean).map(|step| step.at)
}

struct Cleaner<'a> {
    whole: &'a str,
    chars: CharIndices<'a>,
    /// The last clean character.
    before: Option<char>,
    /// The same, or the one before an emoji style.
    base: Option<char>,
    /// An invisible character was kept.
    kept_invisible: bool,
    /// Tag characters that follow and belong to a flag.
    tags_left: u8,
    /// The effect of the whole text on bidi controls; computed at the first one.
    bidi: Option<Bidi>,
}

struct Step {
    at: usize,
    raw: char,
    /// None if it is dropped.
    clean: Option<char>,
}

impl<'a> Cleaner<'a> {
    fn new(s: &'a str) -> Cleaner<'a> {
        Cleaner {
            whole: s,
            chars: s.char_indices(),
            before: None,
            base: None,
            kept_invisible: false,
            tags_left: 0,
            bidi: None,
        }
    }

    fn clean(&mut self, raw: char) -> Option<char> {
        match raw {
            ' '..='~' => Some(raw),
            '\t' => Some(' '),
            '\0'..='\x1F' => char::from_u32(0x2400 + u32::from(raw)),
            '\u{7F}' => Some('\u{2421}'),
            _ if !invisible::is_invisible(raw) => Some(raw),
            _ => match self.fate(raw) {
                Fate::Keep => {
                    self.kept_invisible = true;
                    Some(raw)
                }
                Fate::Drop => None,
                Fate::Replace => Some(char::REPLACEMENT_CHARACTER),
            },
        }
    }

    fn fate(&mut self, raw: char) -> Fate {
        if invisible::is_tag(raw) {
            if self.tags_left == 0 {
                self.tags_left = invisible::flag_tags(self.before, raw, self.chars.as_str());
            }
            return match self.tags_left.checked_sub(1) {
                Some(left) => {
                    self.tags_left = left;
                    Fate::Keep
                }
                None => Fate::Replace,
            };
        }
        if Bidi::is_control(raw) {
            return self.bidi.get_or_insert_with(|| Bidi::of(self.whole)).fate(raw);
        }
        let after = self.chars.as_str().chars().next();
        invisible::fate(raw, self.before, self.base, after)
    }
}

impl Iterator for Cleaner<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let (at, raw) = self.chars.next()?;
        let clean = self.clean(raw);
        if let Some(clean) = clean {
            self.before = Some(clean);
            if clean != invisible::EMOJI_STYLE {
                self.base = Some(clean);
            }
        }
        Some(Step { at, raw, clean })
    }
}
