use super::*;

const PEN: Pen = Pen { colour: false };

fn shown(prompt: &mut Prompt) -> String {
    let (_, Seen { before_cursor, after_cursor }) = prompt.row(PEN, 60);
    format!("{before_cursor}|{after_cursor}")
}

fn enter(line: &str) -> Act {
    Act::Enter(line.to_owned())
}

#[test]
fn a_line_is_typed_and_entered() {
    let mut prompt = Prompt::default();
    assert_eq!(type_in(&mut prompt, "helo←l\n"), [enter("hello")]);
    assert_eq!(shown(&mut prompt), "|");
}

#[test]
fn ctrl_c_clears_the_line_and_on_an_empty_one_leaves() {
    let mut prompt = Prompt::default();
    assert_eq!(type_in(&mut prompt, "hello\x03"), []);
    assert_eq!(shown(&mut prompt), "|");
    assert_eq!(type_in(&mut prompt, "\x03"), [Act::Interrupt]);
}

#[test]
fn ctrl_d_deletes_and_on_an_empty_line_leaves() {
    let mut prompt = Prompt::default();
    assert_eq!(type_in(&mut prompt, "ab\x01\x04"), []);
    assert_eq!(shown(&mut prompt), "|b");
    assert_eq!(type_in(&mut prompt, "\x04\x04"), [Act::EndOfInput]);
}

#[test]
fn up_brings_back_what_was_entered_and_down_the_draft() {
    let mut prompt = Prompt::default();
    type_in(&mut prompt, "one\ntwo\ndraft↑↑");
    assert_eq!(shown(&mut prompt), "one|");
    type_in(&mut prompt, "↓↓");
    assert_eq!(shown(&mut prompt), "draft|");
}

#[test]
fn one_pasted_line_goes_into_the_line() {
    let mut prompt = Prompt::default();
    type_in(&mut prompt, "<>←");
    prompt.paste("a\x1b[31mb\r");
    assert_eq!(shown(&mut prompt), "<a[31mb|>");
}

#[test]
fn several_pasted_lines_are_said_only_after_a_yes() {
    let mut prompt = Prompt::default();
    type_in(&mut prompt, "so: ");
    prompt.paste("/one\r\ttwo\r\rthree\r");
    assert_eq!(prompt.preview(80, 8), ["  so: /one", "   two", "  ", "  … 1 more"]);
    assert_eq!(prompt.preview(80, 2), ["  so: /one", "  … 3 more"]);
    let ((question, _), _) = prompt.row(PEN, 80);
    assert!(question.contains("Say these 4 lines?"), "{question}");
    let lines = ["so: /one", "\ttwo", "", "three"].map(str::to_owned).to_vec();
    assert_eq!(type_in(&mut prompt, "x\n"), [Act::Say(lines)], "x is no answer");
    assert_eq!(shown(&mut prompt), "|");
}

#[test]
fn a_refused_paste_leaves_the_line_as_it_was() {
    let mut prompt = Prompt::default();
    type_in(&mut prompt, "draft");
    for no in ["\x1b", "\x03", "\x04"] {
        prompt.paste("one\ntwo");
        assert_eq!(type_in(&mut prompt, "yes and no"), [], "typed ahead, it is no answer");
        assert_eq!(type_in(&mut prompt, no), []);
        assert_eq!(shown(&mut prompt), "draft|");
    }
}

#[test]
fn pasted_lines_can_be_joined() {
    let mut prompt = Prompt::default();
    prompt.paste("one\n  two\n\nthree\n");
    assert_eq!(type_in(&mut prompt, "j"), []);
    assert_eq!(shown(&mut prompt), "one two three|");
}

#[test]
fn a_paste_has_a_maximum_number_of_lines() {
    let mut prompt = Prompt::default();
    prompt.paste(&"x\n".repeat(PASTED_LINES_MAX + 1));
    assert!(prompt.take_notice().is_some_and(|notice| notice.starts_with("10001 lines")));
    assert_eq!(shown(&mut prompt), "|");
}

#[test]
fn tab_goes_through_what_completes_the_word() {
    let mut prompt = Prompt::default();
    let choices = |before: &str| {
        assert_eq!(before, "hi 127");
        vec!["127.0.0.1:1 ".to_owned(), "127.0.0.1:2 ".to_owned()]
    };
    type_in(&mut prompt, "hi 127");
    for shown_then in ["hi 127.0.0.1:1 |", "hi 127.0.0.1:2 |", "hi 127.0.0.1:1 |"] {
        assert_eq!(type_in(&mut prompt, "\t"), [Act::Complete]);
        prompt.complete(choices);
        assert_eq!(shown(&mut prompt), shown_then);
    }
}

#[test]
fn every_width_shows_something_that_fits() {
    let mut prompt = Prompt::default();
    type_in(&mut prompt, "日本語のとても長い行");
    for columns in 1..30 {
        let ((_, before), Seen { before_cursor, after_cursor }) = prompt.row(PEN, columns);
        assert!(before + width(&before_cursor) + width(&after_cursor) <= columns.max(3), "{columns}");
    }
    prompt.paste("one\ntwo");
    for columns in 1..80 {
        assert!(prompt.row(PEN, columns).0.1 <= columns);
    }
}

#[test]
fn what_is_too_long_for_a_line_is_refused_whole_and_said_to_be() {
    let mut prompt = Prompt::default();
    type_in(&mut prompt, "draft");
    prompt.paste(&"x".repeat(70_000));
    assert!(prompt.take_notice().is_some_and(|notice| notice.contains("70005 bytes")));
    assert_eq!(shown(&mut prompt), "draft|");
    prompt.paste(&"some words\n".repeat(7_000));
    assert_eq!(type_in(&mut prompt, "j"), []);
    assert!(prompt.take_notice().is_some_and(|notice| notice.contains("too long")));
    assert_eq!(prompt.preview(80, 8).len(), 4, "the question stands");
    type_in(&mut prompt, "\x1b");
    assert_eq!(shown(&mut prompt), "draft|");
    prompt.paste(&"x".repeat(65_000));
    for _ in 0..2 {
        type_in(&mut prompt, "\x15\x19"); // cut, and paste back
        assert_eq!(prompt.take_notice(), None);
    }
    type_in(&mut prompt, "\x19");
    assert!(prompt.take_notice().is_some());
}

#[test]
fn a_line_that_becomes_many_messages_is_asked_about() {
    let mut prompt = Prompt::default();
    let (few, many) = ("x".repeat(2_500), "x".repeat(30_000));
    prompt.paste(&few);
    assert_eq!(type_in(&mut prompt, "\n"), [enter(&few)]);
    prompt.paste(&many);
    assert_eq!(type_in(&mut prompt, "\n"), []);
    let ((question, _), _) = prompt.row(PEN, 80);
    assert!(question.contains("as 32 messages?"), "{question}");
    assert_eq!(type_in(&mut prompt, "j\x1b"), []);
    assert_eq!(type_in(&mut prompt, "\n\n"), [enter(&many)], "it had stayed");
}

#[test]
fn tab_after_a_space_completes_nothing() {
    let mut prompt = Prompt::default();
    for before in ["", "hi "] {
        type_in(&mut prompt, before);
        type_in(&mut prompt, "\t");
        prompt.complete(|_| vec!["127.0.0.1:1 ".to_owned()]);
        assert_eq!(shown(&mut prompt), format!("{before}|"));
    }
}
