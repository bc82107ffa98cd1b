//! A text is one clean line, whatever it was made of.
#![allow(clippy::unwrap_used)]

mod common;

use chat_proto::{Text, TextError, limits::TEXT_BYTES_MAX};
use proptest::prelude::*;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_segmentation::UnicodeSegmentation;

fn split(bytes: &[u8]) -> Vec<String> {
    Text::split(bytes).map(|text| text.to_string()).collect()
}

/// What a character becomes that stands by itself.
fn alone(c: char) -> char {
    match c {
        '\t' => ' ',
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap(),
        '\x7f' => '\u{2421}',
        _ if is_harmless(c) => c,
        _ => '\u{fffd}',
    }
}

/// Neither obeyed by terminals, nor drawn as nothing.
fn is_harmless(c: char) -> bool {
    let drawn_as_nothing = [
        0x34F..=0x34F,
        0x115F..=0x1160,
        0x17B4..=0x17B5,
        0x180B..=0x180F,
        0x2065..=0x2065,
        0x3164..=0x3164,
        0xFE00..=0xFE0F,
        0xFFA0..=0xFFA0,
        0xFFF0..=0xFFF8,
        0xE0000..=0xE0FFF,
    ];
    !drawn_as_nothing.iter().any(|range| range.contains(&u32::from(c)))
        && !matches!(
            c.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        )
}

#[test]
fn every_character_alone_is_kept_or_made_visible() {
    let mut buf = [0; 4];
    let mut seen = 0;
    for c in '\0'..=char::MAX {
        seen += 1;
        let s: &str = c.encode_utf8(&mut buf);
        let expected = if matches!(c, '\n' | '\r') { String::new() } else { String::from(alone(c)) };
        assert!(expected.chars().all(is_harmless), "{c:?}");
        assert_eq!(split(s.as_bytes()), [expected], "{c:?}");
        assert_eq!(Text::one_line(s).unwrap().as_str(), alone(c).to_string(), "{c:?}");
    }
    assert_eq!(seen, 1_112_064);
}

#[test]
fn every_pair_of_bytes_gives_the_lines_expected() {
    for pair in 0..=u16::MAX {
        let bytes = pair.to_be_bytes();
        let lines: Vec<&[u8]> = match bytes {
            [b'\r', b'\n' | b'\0'] => vec![b""],
            [b'\n' | b'\r', b'\n' | b'\r'] => vec![b"", b""],
            [b'\n' | b'\r', _] => vec![b"", &bytes[1..]],
            [_, b'\n' | b'\r'] => vec![&bytes[..1]],
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
fn joiners_and_styles_anywhere_else_become_visible() {
    for (s, expected) in [
        ("a\u{200d}b", "a\u{fffd}b"),
        ("a\u{200c}b", "a\u{fffd}b"),
        ("1\u{200d}2", "1\u{fffd}2"),
        ("\u{200d}\u{1f680}", "\u{fffd}\u{1f680}"),
        ("\u{1f680}\u{200d}", "\u{1f680}\u{fffd}"),
        ("\u{1f680}\u{200c}\u{1f680}", "\u{1f680}\u{fffd}\u{1f680}"),
        ("\u{1f680}\u{200d}\u{200d}\u{1f680}", "\u{1f680}\u{fffd}\u{fffd}\u{1f680}"),
        ("\u{645}\u{200c}", "\u{645}\u{fffd}"),
        ("\u{645}\u{200c}\u{200c}\u{645}", "\u{645}\u{fffd}\u{fffd}\u{645}"),
        ("\u{645}\u{200d}a", "\u{645}\u{fffd}a"),
        ("a\u{fe0f}", "a\u{fffd}"),
        ("\u{fe0f}", "\u{fffd}"),
        ("\u{2764}\u{fe0f}\u{fe0f}", "\u{2764}\u{fe0f}\u{fffd}"),
        ("\u{2764}\u{fe00}", "\u{2764}\u{fffd}"),
        ("\u{1f3f4}\u{e0067}", "\u{1f3f4}\u{fffd}"),
        ("\u{202e}abc\u{2066}\u{feff}", "\u{fffd}abc\u{fffd}\u{fffd}"),
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

#[test]
fn length_is_measured_after_cleaning() {
    let fits = "x".repeat(TEXT_BYTES_MAX);
    assert_eq!(split(fits.as_bytes()), [fits.as_str()]);
    assert_eq!(Text::one_line(&fits).unwrap().as_str(), fits);
    assert_eq!(fits.parse::<Text>().unwrap().as_str(), fits);

    let longer = format!("{fits}y");
    let too_long = TextError::TooLong { bytes: TEXT_BYTES_MAX + 1 };
    assert_eq!(split(longer.as_bytes()), [fits.as_str(), "y"]);
    assert_eq!(Text::one_line(&longer), Err(too_long));
    assert_eq!(longer.parse::<Text>(), Err(too_long));

    let grows = "\x01".repeat(TEXT_BYTES_MAX / 3 + 1);
    assert_eq!(Text::one_line(&grows), Err(TextError::TooLong { bytes: TEXT_BYTES_MAX + 3 }));
    let shrinks = "\u{e0001}".repeat(TEXT_BYTES_MAX / 3);
    assert_eq!(Text::one_line(&shrinks).unwrap().as_str().len(), TEXT_BYTES_MAX);
}

#[test]
fn no_character_that_people_see_is_cut() {
    for seen in ["e\u{301}", "\u{1f469}\u{1f3fd}\u{200d}\u{1f680}", "\u{1f1e9}\u{1f1ea}", "\u{d55c}"] {
        for offset in 0..seen.len() {
            let line = format!("{}{}", "x".repeat(offset), seen.repeat(400));
            let pieces = split(line.as_bytes());
            assert_eq!(pieces.concat(), line);
            for piece in &pieces {
                assert!(piece.len() <= TEXT_BYTES_MAX);
                let rest = piece.trim_start_matches('x');
                assert_eq!(rest, seen.repeat(rest.len() / seen.len()), "offset {offset}");
            }
            let fewest = line.len().div_ceil(TEXT_BYTES_MAX - seen.len());
            assert!(pieces.len() <= fewest, "offset {offset}: {} pieces", pieces.len());
        }
    }
}

#[test]
fn a_word_is_not_cut_beside_its_joiner() {
    // Each joiner belongs to the letter before it, and a boundary follows; it must not be used.
    for offset in 0..8 {
        let line = "x".repeat(offset) + &"\u{628}\u{200c}\u{628} ".repeat(300);
        let pieces = split(line.as_bytes());
        assert_eq!(pieces.concat(), line);
        assert!(pieces.len() > 1);
    }
}

#[test]
fn one_character_longer_than_a_text_is_cut_and_its_pieces_are_clean() {
    let zalgo = format!("a{}", "\u{301}".repeat(2000));
    assert_eq!(split(zalgo.as_bytes()).concat(), zalgo);

    for chain in [
        "\u{1f469}\u{200d}".repeat(1000) + "\u{1f469}",
        "\u{2764}\u{fe0f}\u{200d}".repeat(1000) + "\u{2764}",
        "\u{628}\u{200c}".repeat(1000) + "\u{628}",
    ] {
        let pieces = split(chain.as_bytes());
        let joined = pieces.concat();
        assert_eq!(joined.len(), chain.len());
        let torn = joined.chars().zip(chain.chars()).filter(|(a, b)| a != b).count();
        assert!(torn < pieces.len(), "at most one joiner per cut");
        for piece in pieces {
            assert!(piece.parse::<Text>().is_ok());
        }
    }
}

#[test]
fn splitting_is_lazy_and_ends() {
    let bytes = "x".repeat(10 * TEXT_BYTES_MAX);
    let mut texts = Text::split(bytes.as_bytes());
    assert_eq!(texts.next().unwrap().as_str().len(), TEXT_BYTES_MAX);
    assert_eq!(texts.by_ref().count(), 9);
    assert_eq!(texts.next(), None);
}

/// A cleaner slower and simpler than the one tested: it asks for whole strings.
fn clean_lines(s: &str) -> Vec<String> {
    s.replace("\r\n", "\n")
        .replace("\r\0", "\n")
        .replace('\r', "\n")
        .split_terminator('\n')
        .map(|line| {
            // In small parts that no joiner spans, so that it fits `one_line`.
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
        // Cut only where a character ends that people see.
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
            common::dirty().prop_filter("fits", |s| s.len() < 300).prop_map(|s| s + " "),
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
