//! Characters that are drawn as nothing: which are kept, which dropped, which shown as U+FFFD.
//!
//! Some are part of how words and emoji are spelt. The rules say which, from the properties of the characters on either
//! side:
//!
//! | character | is kept | rule |
//! |---|---|---|
//! | zero-width joiner | between emoji | UTS #51, ED-16 |
//! | zero-width joiner and non-joiner | in words of scripts that join, after or before a virama | UAX #31, 2.3 (A1, A2, B) |
//! | variation selectors 1 to 14 | after a symbol, a punctuation mark or a letter without case | StandardizedVariants.txt |
//! | variation selectors 15, 16 | after an emoji | UTS #51, ED-8a, ED-9a |
//! | variation selectors 17 to 256 | after an ideograph | UTS #37 |
//! | tag characters | in the flag of a region | UTS #51, ED-14a |
//! | zero-width space | in words of scripts that are written without spaces | UAX #14, class SA |
//! | combining grapheme joiner | between two marks, or a letter and a mark | Unicode, 23.2 |
//! | format characters of one script | after a letter of that script (Mongolian, Khmer, Duployan) | UAX #24 |
//! | bidi controls | see [`bidi`](crate::text::bidi) | UAX #9 |
//!
//! Anywhere else they only hide, so they are dropped. Characters that could mislead are replaced instead, for people to
//! notice: tags outside of a flag (a hidden second text), deprecated controls, blank letters, annotations, and code
//! points that Unicode reserves for invisible characters of the future.

use unicode_bidi::{BidiClass, bidi_class};
use unicode_joining_type::{JoiningType, get_joining_type};
use unicode_normalization::char::canonical_combining_class;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeEmoji, UnicodeGeneralCategory};
use unicode_script::{Script, UnicodeScript};

pub(crate) const EMOJI_STYLE: char = '\u{FE0F}';

const TEXT_STYLE: char = '\u{FE0E}';
const ZERO_WIDTH_SPACE: char = '\u{200B}';
const ZERO_WIDTH_NON_JOINER: char = '\u{200C}';
const ZERO_WIDTH_JOINER: char = '\u{200D}';
const GRAPHEME_JOINER: char = '\u{34F}';
const BLACK_FLAG: char = '\u{1F3F4}';
const CANCEL_TAG: char = '\u{E007F}';
const VIRAMA: u8 = 9;

/// How to treat an invisible character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Keep,
    Drop,
    /// U+FFFD takes its place.
    Replace,
}

/// Whether a character above ASCII controls, formats, or is drawn as nothing.
pub(crate) fn is_invisible(c: char) -> bool {
    // Most text is in these ranges, which need no table: letters of Europe, ideographs and Korean,
    // emoji.
    if matches!(c, '\u{A0}'..='\u{2FF}' | '\u{3400}'..='\u{D7FF}' | '\u{1F000}'..='\u{1FFFF}') {
        return c == '\u{AD}';
    }
    match c.general_category() {
        GeneralCategory::Control | GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator => {
            true
        }
        // Some are drawn: signs that span the digits after them, joints of hieroglyphs. Those have a place in the
        // order of the line. Of the others only the marks for that order have one.
        GeneralCategory::Format => match bidi_class(c) {
            BidiClass::L | BidiClass::R | BidiClass::AL => matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}'),
            BidiClass::AN => false,
            _ => true,
        },
        _ => is_ignorable(c),
    }
}

/// `Other_Default_Ignorable_Code_Point` of Unicode, and the variation selectors: characters that are drawn as nothing
/// although their category does not say so. Unicode keeps these ranges stable.
fn is_ignorable(c: char) -> bool {
    matches!(c,
        GRAPHEME_JOINER
        | '\u{115F}'..='\u{1160}'
        | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}'
        | '\u{2065}'
        | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}'
        | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFF8}'
        | '\u{E0000}'..='\u{E0FFF}')
}

/// Whether an invisible character is kept only if something visible follows it, too.
pub(crate) fn needs_what_follows(c: char) -> bool {
    matches!(c, ZERO_WIDTH_SPACE | ZERO_WIDTH_NON_JOINER | ZERO_WIDTH_JOINER | GRAPHEME_JOINER)
}

/// The treatment of `c`, an invisible character that is neither a tag nor a bidi control. `before` is the clean
/// character before it, `base` the one before an emoji style, and `after` the raw character after it.
pub(crate) fn fate(c: char, before: Option<char>, base: Option<char>, after: Option<char>) -> Fate {
    // An emoji is visible.
    if c == ZERO_WIDTH_JOINER && both(base, after, is_pictographic) {
        return Fate::Keep;
    }
    if matches!(c, TEXT_STYLE | EMOJI_STYLE) {
        let styles = before.is_some_and(UnicodeEmoji::is_emoji_char);
        return if styles { Fate::Keep } else { Fate::Drop };
    }
    let is_hidden_after = after.is_some_and(is_invisible);
    let after = after.filter(|_| !is_hidden_after);
    let is_kept = match c {
        // At the end of a word a joiner stays. But if it is followed by something invisible, which may be dropped, the
        // word may not end there.
        ZERO_WIDTH_JOINER | ZERO_WIDTH_NON_JOINER => !is_hidden_after && joins_letters(c, before, after),
        ZERO_WIDTH_SPACE => both(before, after, is_of_a_script_without_spaces),
        GRAPHEME_JOINER => {
            before.is_some_and(|before| !is_invisible(before) && is_letter_or_mark(before))
                && after.is_some_and(is_mark)
        }
        '\u{FE00}'..='\u{FE0D}' => before.is_some_and(has_standard_variants),
        '\u{E0100}'..='\u{E01EF}' => before.is_some_and(is_ideograph),
        '\u{180B}'..='\u{180F}' | '\u{17B4}'..='\u{17B5}' | '\u{1BCA0}'..='\u{1BCA3}' => {
            before.is_some_and(|before| !is_invisible(before) && shares_script(c, before))
        }
        _ => false,
    };
    if is_kept {
        return Fate::Keep;
    }
    match c.general_category() {
        // Deprecated: they change digits and letters that follow, or begin a language tag.
        GeneralCategory::Format if matches!(c, '\u{206A}'..='\u{206F}' | '\u{E0001}') => Fate::Replace,
        // Annotations, which show one text in the place of another.
        GeneralCategory::Format if matches!(c, '\u{FFF9}'..='\u{FFFB}') => Fate::Replace,
        GeneralCategory::Format | GeneralCategory::NonspacingMark => Fate::Drop,
        _ => Fate::Replace,
    }
}

fn both(before: Option<char>, after: Option<char>, is: fn(char) -> bool) -> bool {
    before.is_some_and(is) && after.is_some_and(is)
}

fn is_mark(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Mark
}

fn is_letter_or_mark(c: char) -> bool {
    matches!(c.general_category_group(), GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark)
}

/// A family, a profession or a flag is several emoji with a joiner between each two. Digits count as emoji, but
/// only for the style that makes them keys.
fn is_pictographic(c: char) -> bool {
    !c.is_ascii() && c.is_emoji_char()
}

/// Persian separates the parts of a word with a non-joiner ("mi-khaham") and shows an abbreviation with a joiner; the
/// scripts of India and Sri Lanka choose the form of a cluster with either, beside a virama.
fn joins_letters(c: char, before: Option<char>, after: Option<char>) -> bool {
    let Some(before) = before.filter(|&before| !is_invisible(before) && is_letter_or_mark(before)) else {
        return false;
    };
    let after = after.filter(|&after| is_letter_or_mark(after));
    if canonical_combining_class(before) == VIRAMA {
        return c == ZERO_WIDTH_JOINER || after.is_some();
    }
    if after.is_some_and(|after| canonical_combining_class(after) == VIRAMA) {
        return true;
    }
    match (get_joining_type(before), after.map(get_joining_type)) {
        (JoiningType::NonJoining, _) | (_, Some(JoiningType::NonJoining)) => false,
        // Marks are transparent in every script.
        (JoiningType::Transparent, after) => after.is_some_and(|after| after != JoiningType::Transparent),
        (_, after) => c == ZERO_WIDTH_JOINER || after.is_some(),
    }
}

/// Whether words of its script are found by a dictionary: the scripts of the line breaking class SA (UAX #14).
fn is_of_a_script_without_spaces(c: char) -> bool {
    is_letter_or_mark(c)
        && matches!(
            c.script(),
            Script::Thai
                | Script::Lao
                | Script::Myanmar
                | Script::Khmer
                | Script::Tai_Le
                | Script::New_Tai_Lue
                | Script::Tai_Tham
                | Script::Tai_Viet
                | Script::Ahom
        )
}

/// Whether the standard may list variants of it: symbols, East Asian punctuation, and letters of scripts without case.
fn has_standard_variants(c: char) -> bool {
    !c.is_ascii()
        && !is_invisible(c)
        && (matches!(
            c.general_category_group(),
            GeneralCategoryGroup::Symbol | GeneralCategoryGroup::Punctuation
        ) || c.general_category() == GeneralCategory::OtherLetter)
}

fn is_ideograph(c: char) -> bool {
    c.script() == Script::Han && c.general_category() == GeneralCategory::OtherLetter
}

/// Whether `c` is a character of the script of `letter` alone.
fn shares_script(c: char, letter: char) -> bool {
    is_letter_or_mark(letter) && c.script_extension().contains_script(letter.script())
}

/// Whether `c` is one of the invisible copies of ASCII.
pub(crate) fn is_tag(c: char) -> bool {
    matches!(c, '\u{E0020}'..=CANCEL_TAG)
}

/// How many tags make a flag out of what stands `before` them, the `first` one included and the last one the cancel
/// tag; 0 if they do not: a black flag, then the code of a subdivision of a region ("gbeng").
pub(crate) fn flag_tags(before: Option<char>, first: char, rest: &str) -> u8 {
    if before != Some(BLACK_FLAG) {
        return 0;
    }
    let mut code = [0; 7];
    for (len, tag) in (0..).zip(std::iter::once(first).chain(rest.chars())) {
        if tag == CANCEL_TAG {
            return if is_subdivision(&code[..usize::from(len)]) { len + 1 } else { 0 };
        }
        let Some(place) = code.get_mut(usize::from(len)).filter(|_| is_tag(tag)) else { break };
        // The tags stand in the order of ASCII.
        *place = (u32::from(tag) - 0xE_0000).to_le_bytes()[0];
    }
    0
}

/// A `unicode_subdivision_id` (UTS #35): a region of two letters or three digits, then one to four letters or digits.
fn is_subdivision(code: &[u8]) -> bool {
    let is_alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let suffix = match code {
        [a, b, suffix @ ..] if a.is_ascii_lowercase() && b.is_ascii_lowercase() => suffix,
        [a, b, c, suffix @ ..] if [a, b, c].iter().all(|digit| digit.is_ascii_digit()) => suffix,
        _ => return false,
    };
    (1..=4).contains(&suffix.len()) && suffix.iter().all(is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use unicode_linebreak::{BreakClass, break_property};

    use super::*;

    #[test]
    fn the_scripts_without_spaces_are_those_of_the_line_breaking_class() {
        for c in '\0'..=char::MAX {
            let is_of_class =
                break_property(u32::from(c)) == BreakClass::ComplexContext && is_letter_or_mark(c);
            // A few marks of these scripts are of the class of all marks.
            let is_alike = is_of_a_script_without_spaces(c) == is_of_class || (!is_of_class && is_mark(c));
            assert!(is_alike, "{c:?} U+{:04X}", u32::from(c));
        }
    }
}
