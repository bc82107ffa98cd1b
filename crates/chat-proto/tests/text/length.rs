//! How long a text may be, and where a longer line is cut.

use chat_proto::{Text, TextError, limits::TEXT_BYTES_MAX};

use super::split;

#[test]
fn a_cut_within_a_direction_leaves_clean_pieces() {
    let isolated = format!("\u{5d4}\u{2066}{}\u{2069}", "word ".repeat(400));
    let pieces = split(isolated.as_bytes());
    assert!(pieces.len() > 1);
    for piece in &pieces {
        assert_eq!(piece.parse::<Text>().unwrap().as_str(), piece);
    }
    // The rest of the isolate shows in the first piece and has no meaning in the last.
    assert!(pieces[0].starts_with("\u{5d4}\u{fffd}word"));
    assert!(pieces.last().unwrap().ends_with("word "));
}

#[test]
fn length_is_measured_after_cleaning() {
    let fits = "x".repeat(TEXT_BYTES_MAX);
    assert_eq!(split(fits.as_bytes()), [fits.as_str()]);
    assert_eq!(Text::one_line(&fits).unwrap().as_str(), fits);
    assert_eq!(fits.parse::<Text>().unwrap().as_str(), fits);

    let longer = format!("{fits}y");
    let too_long = TextError::TooLong { bytes: TEXT_BYTES_MAX + 1, bytes_max: TEXT_BYTES_MAX };
    assert_eq!(split(longer.as_bytes()), [fits.as_str(), "y"]);
    assert_eq!(Text::one_line(&longer), Err(too_long));
    assert_eq!(longer.parse::<Text>(), Err(too_long));

    let grows = "\x01".repeat(TEXT_BYTES_MAX / 3 + 1);
    let too_long = TextError::TooLong { bytes: TEXT_BYTES_MAX + 3, bytes_max: TEXT_BYTES_MAX };
    assert_eq!(too_long.to_string(), "a text of 963 bytes is too long: the limit is 960");
    assert_eq!(Text::one_line(&grows), Err(too_long));
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
    // Each joiner belongs to the letter before it. A boundary follows, and the text must not be cut there.
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
        let lost = chain.chars().count() - pieces.concat().chars().count();
        assert!(lost < pieces.len(), "at most one joiner per cut");
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

#[test]
fn a_lossy_text_keeps_as_much_as_fits_and_is_never_empty_instead() {
    for long in [
        "x".repeat(5_000),
        "\u{d55c}".repeat(5_000),
        format!("a{}", "\u{301}".repeat(5_000)),
        "\u{1f469}\u{200d}".repeat(5_000),
        "\u{202e}".repeat(5_000),
        format!("{}\n{}", "x".repeat(500), "y".repeat(5_000)),
    ] {
        let text = Text::lossy(&long);
        assert!((TEXT_BYTES_MAX - 8..=TEXT_BYTES_MAX).contains(&text.as_str().len()), "{text}");
        assert_eq!(text.as_str().parse(), Ok(text.clone()));
    }
}
