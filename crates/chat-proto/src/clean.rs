//! What may stand in a text: everything that people see, and nothing that only machines see.
//!
//! | character | becomes | because |
//! |---|---|---|
//! | tab | a space | its width is the terminal's secret |
//! | other C0, DEL | its control picture, `ESC` for example U+241B | a terminal obeys them |
//! | C1 | U+FFFD | 8-bit terminals obey them too |
//! | format characters (Cf), U+2028, U+2029 | U+FFFD | they reorder, hide or break a line |
//! | other characters that are drawn as nothing | U+FFFD | people cannot know that they are there |
//!
//! Kept among the last two are joiners and variation selectors where they make emoji, and joiners
//! within words of the scripts that spell with them. Whether one is kept depends only on kept
//! neighbours, so that cleaning a second time changes nothing.

use std::{iter::Peekable, str::CharIndices};

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeEmoji, UnicodeGeneralCategory};

const ZERO_WIDTH_NON_JOINER: char = '\u{200C}';
const ZERO_WIDTH_JOINER: char = '\u{200D}';
const TEXT_STYLE: char = '\u{FE0E}';
const EMOJI_STYLE: char = '\u{FE0F}';

/// Whether these bytes are nothing but the characters that most messages are made of, which are
/// clean by themselves.
pub(crate) fn is_printable_ascii(bytes: &[u8]) -> bool {
    // No way out within a chunk, so that the compiler compares many bytes at once.
    let is_printable = |chunk: &[u8]| chunk.iter().fold(true, |all, byte| all & matches!(byte, b' '..=b'~'));
    bytes.chunks(32).all(is_printable)
}

/// The text, cleaned. One pass; three times as long at most.
pub(crate) fn clean(s: &str) -> String {
    let mut cleaned = String::with_capacity(s.len());
    cleaned.extend(Cleaner::new(s).map(|step| step.clean));
    cleaned
}

/// The text that bytes are, cleaned as [`clean`] does; each maximal invalid part of UTF-8 becomes one U+FFFD.
pub(crate) fn clean_bytes(bytes: &[u8]) -> String {
    let mut cleaned = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        // By itself: nothing is kept for the sake of a U+FFFD beside it.
        cleaned.extend(Cleaner::new(chunk.valid()).map(|step| step.clean));
        if !chunk.invalid().is_empty() {
            cleaned.push(char::REPLACEMENT_CHARACTER);
        }
    }
    cleaned
}

/// Where the first character stands that cleaning would change, in bytes.
pub(crate) fn find_unclean(s: &str) -> Option<usize> {
    Cleaner::new(s).find(|step| step.raw != step.clean).map(|step| step.at)
}

/// Whether a character is kept only for what stands before it or after it.
pub(crate) fn depends_on_neighbours(c: char) -> bool {
    is_joiner(c) || matches!(c, TEXT_STYLE | EMOJI_STYLE)
}

/// Whether a character is kept only for what stands on both sides of it.
pub(crate) fn is_joiner(c: char) -> bool {
    matches!(c, ZERO_WIDTH_JOINER | ZERO_WIDTH_NON_JOINER)
}

struct Cleaner<'a> {
    chars: Peekable<CharIndices<'a>>,
    /// The clean character before.
    before: Option<char>,
    /// The same, or the one before an emoji style.
    base: Option<char>,
}

struct Step {
    at: usize,
    raw: char,
    clean: char,
}

impl<'a> Cleaner<'a> {
    fn new(s: &'a str) -> Cleaner<'a> {
        Cleaner { chars: s.char_indices().peekable(), before: None, base: None }
    }

    fn clean(&mut self, raw: char) -> char {
        match raw {
            ' '..='~' => raw,
            '\t' => ' ',
            '\0'..='\x1F' => char::from_u32(0x2400 + u32::from(raw)).unwrap_or('\u{FFFD}'),
            '\u{7F}' => '\u{2421}',
            _ if !is_invisible(raw) || self.is_kept(raw) => raw,
            _ => '\u{FFFD}',
        }
    }

    fn is_kept(&mut self, raw: char) -> bool {
        match raw {
            ZERO_WIDTH_NON_JOINER => self.joins_letters(),
            ZERO_WIDTH_JOINER => self.joins_emoji() || self.joins_letters(),
            TEXT_STYLE | EMOJI_STYLE => self.before.is_some_and(UnicodeEmoji::is_emoji_char),
            _ => false,
        }
    }

    /// A family, a profession or a flag is several emoji with a joiner between each two.
    fn joins_emoji(&mut self) -> bool {
        // Digits count as emoji, but only for the style that makes them keys.
        let is_emoji = |c: char| !c.is_ascii() && c.is_emoji_char();
        self.base.is_some_and(is_emoji) && self.next().is_some_and(is_emoji)
    }

    /// Persian writes the parts of a word unconnected with a non-joiner ("mi-khaham"), and the
    /// scripts of India and Sri Lanka choose the form of a cluster with either. Without them the
    /// words are misspelt; between two such letters they cannot hide anything.
    fn joins_letters(&mut self) -> bool {
        let spells_with_joiners = |c: char| {
            matches!(c, '\u{600}'..='\u{DFF}')
                && matches!(
                    c.general_category_group(),
                    GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark
                )
        };
        self.before.is_some_and(spells_with_joiners) && self.next().is_some_and(spells_with_joiners)
    }

    fn next(&mut self) -> Option<char> {
        self.chars.peek().map(|&(_, next)| next)
    }
}

impl Iterator for Cleaner<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let (at, raw) = self.chars.next()?;
        let clean = self.clean(raw);
        self.before = Some(clean);
        if clean != EMOJI_STYLE {
            self.base = Some(clean);
        }
        Some(Step { at, raw, clean })
    }
}

/// Whether a character above ASCII controls, formats, or is drawn as nothing.
fn is_invisible(c: char) -> bool {
    // Default_Ignorable_Code_Point of Unicode, as far as it is not in the categories below.
    let is_ignorable = matches!(c,
        '\u{34F}'
        | '\u{115F}'..='\u{1160}'
        | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}'
        | '\u{2065}'
        | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}'
        | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFF8}'
        | '\u{E0000}'..='\u{E0FFF}');
    is_ignorable
        || matches!(
            c.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        )
}
