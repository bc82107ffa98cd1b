//! Which names are valid, which look alike, and that a name is nothing but a name on any output.

use chat_proto::{Author, Line, Name, NameError, Text, limits::NAME_BYTES_MAX};

fn name(s: &str) -> Name {
    s.parse().unwrap_or_else(|error| panic!("{s:?}: {error}"))
}

#[test]
fn names_of_many_scripts_are_names() {
    let longest = "x".repeat(NAME_BYTES_MAX);
    for s in [
        "a",
        "ann",
        "B-o_t9",
        "José",
        "Зоя",
        "Ελένη",
        "أحمد",
        "דנה",
        "हिन्दी",
        "สมชาย",
        "李雷",
        "さくら",
        "김철수",
        &longest,
    ] {
        assert_eq!(name(s).as_str(), s);
        assert_eq!(s.parse(), Ok(Author::Named(name(s))), "{s}");
    }
}

#[test]
fn ascii_is_judged_as_the_same_in_full_width_is() {
    let full_width = |c: char| char::from_u32(u32::from(c) + 0xfee0).unwrap();
    let ascii = || '!'..='~';
    for (first, second) in ascii().flat_map(|first| ascii().map(move |second| (first, second))) {
        let (plain, wide) =
            (format!("{first}{second}"), format!("{}{}", full_width(first), full_width(second)));
        assert_eq!(plain.parse::<Name>(), wide.parse::<Name>(), "{plain}");
    }
}

#[test]
fn a_name_has_one_spelling() {
    assert_eq!(name("Jose\u{301}"), name("José"));
    assert_eq!(name("\u{ff41}nn").as_str(), "ann", "full width letters are letters");
    assert_eq!(name("\u{fb01}n").as_str(), "fin", "so are ligatures");
}

#[test]
fn an_invalid_name_is_refused_with_the_reason() {
    for (s, error) in [
        ("", NameError::Empty),
        ("*", NameError::FirstCharacter { character: '*' }),
        ("9lives", NameError::FirstCharacter { character: '9' }),
        ("-a", NameError::FirstCharacter { character: '-' }),
        ("\u{301}a", NameError::FirstCharacter { character: '\u{301}' }),
        ("127.0.0.1:5", NameError::FirstCharacter { character: '1' }),
        ("a:1", NameError::Character { character: ':' }),
        ("a.b", NameError::Character { character: '.' }),
        ("a]", NameError::Character { character: ']' }),
        ("a b", NameError::Character { character: ' ' }),
        ("a\n", NameError::Character { character: '\n' }),
        ("a\u{202e}b", NameError::Character { character: '\u{202e}' }),
        ("a\u{200b}b", NameError::Character { character: '\u{200b}' }),
        ("a\u{1f600}", NameError::Character { character: '\u{1f600}' }),
        ("x\u{301}\u{300}\u{308}\u{303}", NameError::Marks),
        ("p\u{430}ypal", NameError::MixedScripts),
    ] {
        assert_eq!(s.parse::<Name>(), Err(error), "{s:?}");
    }
    for bytes in [NAME_BYTES_MAX + 1, 1_000_000] {
        assert_eq!("x".repeat(bytes).parse::<Name>(), Err(NameError::TooLong));
    }
    assert_eq!(
        "\u{fdfa}".repeat(1_000_000).parse::<Name>(),
        Err(NameError::TooLong),
        "it grows eighteenfold"
    );
}

#[test]
fn names_that_people_take_for_each_other_are_confusable() {
    for (a, b) in [
        ("ann", "Ann"),
        ("Iris", "lris"),
        ("bob", "b0b"),
        ("modern", "modem"),
        ("STRASSE", "strasse"),
        ("STRASSE", "straße"),
        ("STRAẞE", "strasse"),
        ("ΣΑΣ", "σασ"),
        ("σας", "σασ"),
        ("ΑΙΔΗΣ", "ᾳδης"),
        ("irma", "i\u{307}rma"),
        ("Irma", "İrma"),
        ("José", "José\u{301}"),
        ("соре", "cope"),
        ("ΡΟΟΜ", "POOM"),
    ] {
        assert!(name(a).is_confusable_with(&name(b)), "{a} and {b}");
        assert!(name(b).is_confusable_with(&name(a)), "{b} and {a}");
    }
    for (a, b) in [("ann", "anna"), ("bob", "rob"), ("José", "Jose"), ("Зоя", "Zoe")] {
        assert!(!name(a).is_confusable_with(&name(b)), "{a} and {b}");
    }
}

#[test]
fn any_character_in_a_name_is_refused_or_clean_on_every_output() {
    let mut accepted = 0;
    for character in '\0'..=char::MAX {
        for s in [format!("{character}"), format!("a{character}"), format!("a{character}b")] {
            let Ok(name) = s.parse::<Name>() else { continue };
            accepted += 1;
            assert!(name.as_str().len() <= NAME_BYTES_MAX);
            assert_eq!(name.as_str().parse().as_ref(), Ok(&name), "{s:?} is not in its own spelling");
            let author = Author::Named(name);
            let text = Text::one_line("hello").expect("clean");
            let line = Line { author: author.clone(), text: text.clone() }.to_string();
            assert_eq!(Text::one_line(&line).expect("short").as_str(), line, "{s:?} is not clean");
            assert_eq!(line.parse(), Ok(Line { author, text }), "{s:?} is read back as it was written");
        }
    }
    assert!(accepted > 100_000, "most letters are letters of names: {accepted}");
}
