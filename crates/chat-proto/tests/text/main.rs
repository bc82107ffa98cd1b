//! A text is one clean line, whatever it was made from.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod length;

use std::sync::LazyLock;

use chat_proto::{Text, TextError, limits::TEXT_BYTES_MAX};
use proptest::prelude::*;
use regex_syntax::hir::{Class, HirKind};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_segmentation::UnicodeSegmentation;

fn split(bytes: &[u8]) -> Vec<String> {
    Text::split(bytes).map(|text| text.to_string()).collect()
}

/// What a character becomes if it stands alone.
fn alone(c: char) -> String {
    match c {
        '\t' => " ".to_owned(),
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap().into(),
        '\x7f' => "\u{2421}".to_owned(),
        _ if is_harmless(c) => c.into(),
        _ if is_merely_invisible(c) => String::new(),
        _ => "\u{fffd}".to_owned(),
    }
}

/// Whether a terminal does not obey the character, draws it, and does not hide it behind something else.
fn is_harmless(c: char) -> bool {
    let is_control = matches!(
        c.general_category(),
        GeneralCategory::Control | GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator
    );
    !(is_control || is_ignorable(c) || matches!(c, '\u{fff9}'..='\u{fffb}'))
}

/// Whether the character is drawn as nothing, but hides or reorders nothing by itself.
fn is_merely_invisible(c: char) -> bool {
    let is_misleading = matches!(u32::from(c), 0x202d..=0x202e | 0x206a..=0x206f | 0xe0000..=0xe007f);
    is_ignorable(c)
        && !is_misleading
        && matches!(c.general_category(), GeneralCategory::Format | GeneralCategory::NonspacingMark)
}

/// `Default_Ignorable_Code_Point` according to the tables of the regex crate.
fn is_ignorable(c: char) -> bool {
    static RANGES: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
        let class = regex_syntax::parse(r"\p{Default_Ignorable_Code_Point}").unwrap();
        let HirKind::Class(Class::Unicode(class)) = class.kind() else { panic!("a class of characters") };
        class.iter().map(|range| (range.start(), range.end())).collect()
    });
    RANGES.iter().any(|&(first, last)| (first..=last).contains(&c))
}

#[test]
fn every_character_alone_is_kept_or_made_visible_or_dropped() {
    let mut buf = [0; 4];
    let mut seen = 0;
    for c in '\0'..=char::MAX {
        seen += 1;
        let s: &str = c.encode_utf8(&mut buf);
        let expected = if matches!(c, '\n' | '\r' | '\0') { String::new() } else { alone(c) };
        assert!(expected.chars().all(is_harmless), "{c:?}");
        assert_eq!(split(s.as_bytes()), [expected], "{c:?}");
        assert_eq!(Text::one_line(s).unwrap().as_str(), alone(c), "{c:?}");
    }
    assert_eq!(seen, 1_112_064);
}

#[test]
fn every_pair_of_bytes_gives_the_lines_expected() {
    for pair in 0..=u16::MAX {
        let bytes = pair.to_be_bytes();
        let lines: Vec<&[u8]> = match bytes {
            [b'\r', b'\n' | b'\0'] | [b'\0', b'\n' | b'\r' | b'\0'] => vec![b""],
            [b'\n' | b'\r', b'\n' | b'\r' | b'\0'] => vec![b"", b""],
            [b'\n' | b'\r' | b'\0', _] => vec![b"", &bytes[1..]],
            [_, b'\n' | b'\r' | b'\0'] => vec![&bytes[..1]],
            _ => vec![&bytes],
        };
        let expected: Vec<String> = lines
            .into_iter()
            .map(|line| String::from_utf8_lossy(line).chars().map(alone).collect())
            .collect();
        assert_eq!(split(&bytes), expected, "{bytes:?}");
    }
}

#[test]
fn all_kinds_of_line_breaks_separate() {
    assert_eq!(split(b""), [""; 0]);
    assert_eq!(split(b"\n"), [""]);
    assert_eq!(split(b"a"), ["a"]);
    assert_eq!(split(b"a\n"), ["a"]);
    assert_eq!(split(b"a\nb\r\nc\rd\r\0e"), ["a", "b", "c", "d", "e"]);
    assert_eq!(split(b"a\n\nb\r\r\nc\n\r"), ["a", "", "b", "", "c", ""]);
    assert_eq!(split(b"a\x0bb\x0cc"), ["a\u{240b}b\u{240c}c"]);
    assert_eq!(split("a\u{85}b\u{2028}c".as_bytes()), ["a\u{fffd}b\u{fffd}c"]);
}

#[test]
fn nuls_end_lines_and_pad_them() {
    assert_eq!(split(b"\0"), [""]);
    assert_eq!(split(b"hello\0"), ["hello"]);
    assert_eq!(split(&[&b"hello"[..], &[0; 1019]].concat()), ["hello"]);
    assert_eq!(split(&[&b"hello\n"[..], &[0; 1018]].concat()), ["hello", ""]);
    assert_eq!(split(b"hello\0world\0"), ["hello", "world"]);
    assert_eq!(split(b"a\0\nb\0\r\nc\0\r\0d"), ["a", "b", "c", "d"]);
    assert_eq!(split(b"\0\0a\0\0b"), ["", "a", "b"]);
}

#[test]
fn one_line_shows_line_breaks_as_pictures() {
    let text = Text::one_line("a\r\nb").unwrap();
    assert_eq!(text.as_str(), "a\u{240d}\u{240a}b");
}

#[test]
fn each_maximal_invalid_part_becomes_one_replacement() {
    assert_eq!(split(b"a\xffb"), ["a\u{fffd}b"]);
    assert_eq!(split(b"\xf0\x9f\x98"), ["\u{fffd}"]);
    assert_eq!(split(b"\xed\xa0\x80"), ["\u{fffd}\u{fffd}\u{fffd}"]);
    assert_eq!(split(b"\xe2\x82\n\xac"), ["\u{fffd}", "\u{fffd}"]);
}

#[test]
fn joiners_and_styles_inside_emoji_stay() {
    for s in [
        "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}", // family
        "\u{1f469}\u{1f3fd}\u{200d}\u{1f680}",         // astronaut with a skin tone
        "\u{2764}\u{fe0f}\u{200d}\u{1f525}",           // heart on fire
        "\u{1f3f3}\u{fe0f}\u{200d}\u{1f308}",          // rainbow flag
        "1\u{fe0f}\u{20e3}#\u{fe0f}\u{20e3}",          // keys
        "\u{263a}\u{fe0e}",                            // text style
        "\u{1f1e9}\u{1f1ea}",                          // flag
    ] {
        assert_eq!(split(s.as_bytes()), [s]);
        assert_eq!(s.parse::<Text>().unwrap().as_str(), s);
    }
}

#[test]
fn joiners_within_words_that_are_spelt_with_them_stay() {
    for s in [
        "\u{645}\u{6cc}\u{200c}\u{62e}\u{648}\u{627}\u{647}\u{645}", // Persian
        "\u{dc1}\u{dca}\u{200d}\u{dbb}\u{dd3}",                      // Sinhala
        "\u{995}\u{9cd}\u{200c}\u{9b7}",                             // Bengali
    ] {
        assert_eq!(split(s.as_bytes()), [s]);
    }
}

#[test]
fn invisible_characters_stay_where_their_neighbours_justify_them() {
    for s in [
        // Flags of subdivisions of a region: England, Scotland, Texas.
        "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        "a \u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}!",
        "\u{1f3f4}\u{e0075}\u{e0073}\u{e0074}\u{e0078}\u{e007f}",
        // Between words of Khmer, Thai, Lao, Myanmar.
        "\u{1780}\u{17b6}\u{200b}\u{1781}",
        "\u{e01}\u{e32}\u{200b}\u{e23}",
        "\u{e81}\u{200b}\u{e82}",
        "\u{1000}\u{1031}\u{200b}\u{1001}",
        // Variants of an ideograph (Katsushika), of a symbol, of punctuation, of a letter.
        "\u{845b}\u{e0100}\u{98fe}",
        "\u{4fae}\u{fe00}",
        "\u{2268}\u{fe00}",
        "\u{3001}\u{fe01}",
        "\u{1000}\u{fe00}",
        // Mongolian, with a vowel separator. Phags-pa takes its variants from the general ones.
        "\u{182d}\u{180b}\u{1820}",
        "\u{1836}\u{180e}\u{1820}",
        // Signs that span what follows: Kaithi, Arabic.
        "\u{110bd}\u{966}",
        "\u{600}\u{661}",
        "\u{6dd}\u{661}",
        // A hieroglyph above another one.
        "\u{13000}\u{13430}\u{13001}",
        // Joiners at the end of a word: Persian (the year of the hijra), Malayalam, Sinhala. Before a virama: Bengali.
        "\u{661} \u{647}\u{200d}",
        "\u{d28}\u{d4d}\u{200d}",
        "\u{dc1}\u{dca}\u{200d} a",
        "\u{9b0}\u{200d}\u{9cd}\u{9af}",
        // After a vowel mark of Arabic.
        "\u{628}\u{64e}\u{200c}\u{628}",
        // Hebrew: the order of two marks.
        "\u{5dc}\u{5b7}\u{34f}\u{5b4}",
        // Directions, in a text that runs from right to left.
        "\u{5e9} C++\u{200e} \u{5e9}",
        "\u{627}\u{61c}!",
        "\u{200f}(\u{5e9})",
        "\u{5d4} \u{2066}+49 30 123\u{2069} \u{5d4}",
        "\u{5d4} \u{202a}+49 \u{2067}30\u{2069} 123\u{202c}",
        "\u{2068}\u{627}\u{2069}: a",
        // A shorthand for letters that overlap.
        "\u{1bc00}\u{1bca0}\u{1bc01}",
    ] {
        assert_eq!(split(s.as_bytes()), [s], "{s:?}");
        assert_eq!(s.parse::<Text>().unwrap().as_str(), s, "{s:?}");
    }
}

#[test]
fn purely_invisible_text_is_dropped() {
    for (s, expected) in [
        ("a\u{200d}b", "ab"),
        ("a\u{200c}b", "ab"),
        ("Auf\u{200c}lage", "Auflage"),
        // Once the word joiner is dropped, a letter that does not join follows.
        ("\u{62e}\u{200d}\u{2060}a", "\u{62e}a"),
        ("1\u{200d}2", "12"),
        ("\u{200d}\u{1f680}", "\u{1f680}"),
        ("\u{1f680}\u{200d}", "\u{1f680}"),
        ("\u{1f680}\u{200c}\u{1f680}", "\u{1f680}\u{1f680}"),
        ("\u{1f680}\u{200d}\u{200d}\u{1f680}", "\u{1f680}\u{200d}\u{1f680}"),
        ("\u{645}\u{200c}", "\u{645}"),
        ("\u{645}\u{200c}\u{200c}\u{645}", "\u{645}\u{200c}\u{645}"),
        ("\u{645}\u{200c}a", "\u{645}a"),
        ("\u{915}\u{200d}\u{915}", "\u{915}\u{915}"),
        ("a\u{fe0f}", "a"),
        ("\u{fe0f}", ""),
        ("\u{2764}\u{fe0f}\u{fe0f}", "\u{2764}\u{fe0f}"),
        ("a\u{fe00}\u{e0100}", "a"),
        ("\u{3042}\u{e0100}", "\u{3042}"),
        ("\u{845b}\u{e0100}\u{e0101}", "\u{845b}\u{e0100}"),
        ("so\u{ad}ft", "soft"),
        ("\u{feff}hello\u{feff}", "hello"),
        ("a\u{200b}b\u{2060}c\u{2063}d", "abcd"),
        ("\u{e01}\u{200b}a", "\u{e01}a"),
        ("\u{e01}\u{200b}\u{200b}\u{e01}", "\u{e01}\u{200b}\u{e01}"),
        ("a\u{34f}\u{301}\u{34f}", "a\u{34f}\u{301}"),
        ("a\u{180b}b\u{180e}c", "abc"),
        ("\u{1820}\u{180b}\u{180b}", "\u{1820}\u{180b}"),
        ("\u{1d15f}\u{1d173}", "\u{1d15f}"),
        // Directions, in a text without letters that run from right to left: a copied telephone number.
        ("\u{202a}+49 30 123\u{202c}", "+49 30 123"),
        ("\u{2068}a\u{2069} \u{200e}b\u{200f} \u{2067}c", "a b c"),
    ] {
        assert_eq!(split(s.as_bytes()), [expected], "{s:?}");
        assert_eq!(expected.parse::<Text>().unwrap().as_str(), expected, "{s:?}");
    }
}

#[test]
fn misleading_characters_become_visible() {
    for (s, expected) in [
        // A text in invisible letters, and texts that only begin like a flag.
        ("hi\u{e0068}\u{e0069}", "hi\u{fffd}\u{fffd}"),
        ("\u{1f3f4}\u{e0067}", "\u{1f3f4}\u{fffd}"),
        ("\u{1f3f4}\u{e0067}\u{e007f}", "\u{1f3f4}\u{fffd}\u{fffd}"),
        ("\u{1f3f4}\u{e0067}\u{e0062}\u{e0020}\u{e007f}", "\u{1f3f4}\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
        (
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0061}\u{e0061}\u{e0061}\u{e0061}\u{e0061}\u{e007f}",
            "\u{1f3f4}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}",
        ),
        ("\u{e0001}a", "\u{fffd}a"),
        // Overrides and the characters in their text, and isolates left open beside letters from right to left.
        ("\u{202e}abc\u{2066}", "\u{fffd}abc\u{fffd}"),
        ("\u{202d}abc\u{202c}", "\u{fffd}abc\u{fffd}"),
        ("\u{5d4}\u{2066}abc", "\u{5d4}\u{fffd}abc"),
        ("\u{5d4}\u{2066}a\u{202c}b", "\u{5d4}\u{fffd}a\u{fffd}b"),
        ("\u{5d4}\u{2069}\u{2066}", "\u{5d4}\u{fffd}\u{fffd}"),
        // Blank letters, annotations, deprecated controls, what Unicode reserves.
        ("\u{3164}\u{115f}\u{1160}\u{ffa0}", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
        ("\u{fff9}a\u{fffa}b\u{fffb}", "\u{fffd}a\u{fffd}b\u{fffd}"),
        ("\u{206e}1", "\u{fffd}1"),
        ("\u{2065}\u{e0fff}", "\u{fffd}\u{fffd}"),
    ] {
        assert_eq!(split(s.as_bytes()), [expected], "{s:?}");
    }
}

#[test]
fn strict_reading_names_the_first_byte_that_is_not_clean() {
    assert_eq!("a\tb".parse::<Text>(), Err(TextError::NotClean { at: 1 }));
    assert_eq!("\u{e9}\n".parse::<Text>(), Err(TextError::NotClean { at: 2 }));
    assert_eq!("".parse::<Text>().unwrap().as_str(), "");
}

fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A cleaner that is slower and simpler than the tested one, because it works on whole strings.
fn clean_lines(s: &str) -> Vec<String> {
    let mut s = s.replace("\r\n", "\n").replace("\r\0", "\n").replace('\r', "\n");
    while s.contains("\0\0") {
        s = s.replace("\0\0", "\0");
    }
    s.replace("\0\n", "\n")
        .replace('\0', "\n")
        .split_terminator('\n')
        .map(|line| {
            // Clean small parts, so that each fits `one_line`. Only bidi controls look beyond a space.
            line.split_inclusive(' ').map(|part| Text::one_line(part).unwrap().to_string()).collect()
        })
        .collect()
}

proptest! {
    #[test]
    fn cleaning_twice_changes_nothing(s in common::dirty()) {
        for text in Text::split(s.as_bytes()) {
            prop_assert!(text.as_str().len() <= TEXT_BYTES_MAX);
            prop_assert_eq!(text.as_str().parse(), Ok(text.clone()));
            prop_assert_eq!(Text::one_line(text.as_str()), Ok(text.clone()));
            prop_assert_eq!(split(text.as_str().as_bytes()).concat(), text.as_str());
        }
        if let Ok(text) = Text::one_line(&s) {
            prop_assert_eq!(text.as_str().parse::<Text>(), Ok(text.clone()));
        }
    }

    #[test]
    fn nothing_is_lost_when_a_long_line_is_split(parts in prop::collection::vec("\\PC{1,30}", 0..200)) {
        let line = parts.join(" ");
        let whole = clean_lines(&line).concat();
        let pieces = split(line.as_bytes());
        prop_assert_eq!(pieces.concat(), whole.as_str());
        for piece in &pieces {
            prop_assert!(piece.len() <= TEXT_BYTES_MAX);
        }
        // The line is cut only at the end of a character that people see.
        let boundaries: std::collections::HashSet<usize> =
            whole.grapheme_indices(true).map(|(at, _)| at).collect();
        let mut at = 0;
        for piece in pieces {
            prop_assert!(boundaries.contains(&at));
            at += piece.len();
        }
    }

    #[test]
    fn lines_are_split_and_cleaned_as_the_simple_cleaner_does(
        parts in prop::collection::vec(prop_oneof![
            common::dirty().prop_filter("fits", |s| s.len() < 300).prop_map(|s| s.replace(is_bidi_control, "") + " "),
            prop::sample::select(vec!["\n", "\r", "\r\n", "\r\0", " "]).prop_map(String::from),
        ], 0..8),
    ) {
        let s = parts.concat();
        let mut pieces = Text::split(s.as_bytes());
        for line in clean_lines(&s) {
            let mut rest = line.as_str();
            loop {
                let piece = pieces.next().unwrap();
                rest = rest.strip_prefix(piece.as_str()).unwrap();
                if rest.is_empty() {
                    break;
                }
            }
        }
        prop_assert_eq!(pieces.next(), None);
    }

    #[test]
    fn any_bytes_give_harmless_texts(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        for text in Text::split(&bytes) {
            prop_assert!(text.as_str().len() <= TEXT_BYTES_MAX);
            prop_assert_eq!(text.as_str().parse(), Ok(text.clone()));
        }
    }
}
