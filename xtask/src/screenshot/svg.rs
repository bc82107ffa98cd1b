//! Screens as SVG: as much of terminal colours as our programs use.

use std::fmt::Write as _;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::COLUMNS;

/// A screen, as `tmux capture-pane -e` prints it, in a window with a title.
pub(super) struct Frame {
    pub(super) title: &'static str,
    pub(super) rows: u16,
    pub(super) screen: String,
}

/// Pixels.
const CELL_WIDTH: f32 = 7.8;
const CELL_HEIGHT: f32 = 17.0;
const FONT_SIZE: f32 = 13.0;
const PADDING: f32 = 12.0;
const TITLE_HEIGHT: f32 = 26.0;
const GAP: f32 = 14.0;

const BACKGROUND: &str = "#16191f";
const TITLE_BACKGROUND: &str = "#242933";
const FOREGROUND: &str = "#d5dae2";

/// The colours 0 to 15.
const COLOURS: [&str; 16] = [
    "#16191f", "#e8697a", "#8fc97f", "#e5c07b", "#61a8ef", "#c583dd", "#57b6c2", "#d5dae2", "#6b7384",
    "#f28a99", "#a9dc9a", "#f0d49b", "#8ac1f5", "#d8a5ea", "#7fcfd9", "#ffffff",
];

/// Columns of windows as one picture.
pub(super) fn picture(columns: &[Vec<Frame>]) -> String {
    let frame_width = f32::from(COLUMNS) * CELL_WIDTH + 2.0 * PADDING;
    let frame_height = |frame: &Frame| TITLE_HEIGHT + f32::from(frame.rows) * CELL_HEIGHT + 2.0 * PADDING;
    let column_height =
        |column: &Vec<Frame>| column.iter().map(|frame| frame_height(frame) + GAP).sum::<f32>() - GAP;
    let bottom = columns.iter().map(column_height).fold(0.0, f32::max);
    let mut body = String::new();
    let mut x = 0.0;
    for column in columns {
        let mut y = 0.0;
        for (index, frame) in column.iter().enumerate() {
            let is_last = index + 1 == column.len();
            let height = if is_last { bottom - y } else { frame_height(frame) };
            draw_frame(&mut body, frame, (x, y), (frame_width, height));
            y += height + GAP;
        }
        x += frame_width + GAP;
    }
    let width = x - GAP;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {bottom:.0}\" width=\"{width:.0}\" \
         height=\"{bottom:.0}\" font-family=\"ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace\" \
         font-size=\"{FONT_SIZE}\">\n<title>A chat room: its server, a client and netcat</title>\n{body}</svg>\n"
    )
}

fn draw_frame(out: &mut String, frame: &Frame, (x, y): (f32, f32), (width, height): (f32, f32)) {
    let middle = TITLE_HEIGHT / 2.0;
    let written = writeln!(
        out,
        "<g transform=\"translate({x:.1} {y:.1})\">\n\
         <rect width=\"{width:.1}\" height=\"{height:.1}\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <path d=\"M0 {TITLE_HEIGHT}V8a8 8 0 0 1 8-8H{:.1}a8 8 0 0 1 8 8V{TITLE_HEIGHT}z\" fill=\"{TITLE_BACKGROUND}\"/>\n\
         <circle cx=\"16\" cy=\"{middle}\" r=\"5\" fill=\"#ec6a5e\"/>\
         <circle cx=\"33\" cy=\"{middle}\" r=\"5\" fill=\"#f4bf4f\"/>\
         <circle cx=\"50\" cy=\"{middle}\" r=\"5\" fill=\"#61c554\"/>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" fill=\"#9aa3b2\" text-anchor=\"middle\">{}</text>",
        width - 8.0,
        width / 2.0,
        middle + 4.5,
        frame.title,
    );
    written.expect("writing to a String does not fail");
    let mut style = Style::default();
    for (row, line) in (0_u16..).zip(frame.screen.lines()) {
        draw_row(out, line, TITLE_HEIGHT + PADDING + f32::from(row) * CELL_HEIGHT, &mut style);
    }
    out.push_str("</g>\n");
}

/// Draws a row; the style goes on in the next one.
fn draw_row(out: &mut String, line: &str, y: f32, style: &mut Style) {
    let mut column = 0;
    for (index, part) in line.split("\x1b[").enumerate() {
        let text = match part.split_once('m') {
            Some((codes, text)) if index > 0 => {
                style.apply(codes);
                text
            }
            _ => part,
        };
        for run in runs(text) {
            let columns = run.width();
            draw_run(out, run, style, (column, columns), y);
            column += columns;
        }
    }
}

/// Pieces of ASCII and of anything else: each has its place, so that no font can move what follows.
fn runs(text: &str) -> Vec<&str> {
    let mut runs = Vec::new();
    let mut start = 0;
    let mut was_ascii = true;
    for (at, one) in text.grapheme_indices(true) {
        if one.is_ascii() != was_ascii {
            runs.push(&text[start..at]);
            (start, was_ascii) = (at, one.is_ascii());
        }
    }
    runs.push(&text[start..]);
    runs.retain(|run| !run.is_empty());
    runs
}

fn draw_run(out: &mut String, run: &str, style: &Style, (column, columns): (usize, usize), y: f32) {
    let cells = |count: usize| f32::from(u16::try_from(count).unwrap_or(u16::MAX)) * CELL_WIDTH;
    let (x, width) = (PADDING + cells(column), cells(columns));
    let (foreground, background) = style.colours();
    if let Some(background) = background {
        let _infallible = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{CELL_HEIGHT}\" fill=\"{background}\"/>"
        );
    }
    if run.trim().is_empty() {
        return;
    }
    let weight = if style.bold { " font-weight=\"bold\"" } else { "" };
    let opacity = if style.faint { " opacity=\"0.6\"" } else { "" };
    let baseline = y + CELL_HEIGHT * 0.76;
    let text = run.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _infallible = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{baseline:.1}\" fill=\"{foreground}\" textLength=\"{width:.1}\" \
         lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\"{weight}{opacity}>{text}</text>"
    );
}

/// How text looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Style {
    bold: bool,
    faint: bool,
    reverse: bool,
    foreground: Option<String>,
    background: Option<String>,
}

impl Style {
    /// Takes in the numbers of an SGR sequence.
    fn apply(&mut self, codes: &str) {
        let mut codes = codes.split([';', ':']).map(|code| code.parse::<u8>().unwrap_or(0));
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.faint = true,
                7 => self.reverse = true,
                22 => (self.bold, self.faint) = (false, false),
                27 => self.reverse = false,
                30..=37 => self.foreground = Some(colour(code - 30)),
                38 => self.foreground = extended(&mut codes),
                39 => self.foreground = None,
                40..=47 => self.background = Some(colour(code - 40)),
                48 => self.background = extended(&mut codes),
                49 => self.background = None,
                90..=97 => self.foreground = Some(colour(code - 90 + 8)),
                100..=107 => self.background = Some(colour(code - 100 + 8)),
                _ => {}
            }
        }
    }

    fn colours(&self) -> (&str, Option<&str>) {
        let foreground = self.foreground.as_deref().unwrap_or(FOREGROUND);
        match self.background.as_deref() {
            background if self.reverse => (background.unwrap_or(BACKGROUND), Some(foreground)),
            background => (foreground, background),
        }
    }
}

/// The colour that follows 38 or 48.
fn extended(codes: &mut impl Iterator<Item = u8>) -> Option<String> {
    match codes.next()? {
        5 => codes.next().map(colour),
        2 => Some(format!("#{:02x}{:02x}{:02x}", codes.next()?, codes.next()?, codes.next()?)),
        _ => None,
    }
}

/// One of the 256 colours: 16 of the theme, a cube of 6 x 6 x 6, and 24 greys.
fn colour(code: u8) -> String {
    match code {
        0..=15 => COLOURS[usize::from(code)].to_owned(),
        16..=231 => {
            let level = |part: u8| if part == 0 { 0 } else { 55 + 40 * part };
            let cube = code - 16;
            format!("#{:02x}{:02x}{:02x}", level(cube / 36), level(cube / 6 % 6), level(cube % 6))
        }
        232..=255 => {
            let grey = 8 + 10 * (code - 232);
            format!("#{grey:02x}{grey:02x}{grey:02x}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_a_terminal() {
        assert_eq!(colour(1), COLOURS[1]);
        assert_eq!(colour(33), "#0087ff");
        assert_eq!(colour(231), "#ffffff");
        assert_eq!(colour(232), "#080808");
    }

    #[test]
    fn a_style_goes_on_until_it_is_changed() {
        let mut style = Style::default();
        style.apply("1;38;5;33");
        assert!(style.bold);
        assert_eq!(style.colours(), ("#0087ff", None));
        style.apply("22;7;48:2:1:2:3");
        assert_eq!(style.colours(), ("#010203", Some("#0087ff")));
        style.apply("");
        assert_eq!(style, Style::default());
    }

    #[test]
    fn what_is_not_ascii_has_a_place_of_its_own() {
        assert_eq!(runs("ab日本c👩‍👩‍👧"), ["ab", "日本", "c", "👩‍👩‍👧"]);
        assert_eq!(runs(""), [""; 0]);
    }

    #[test]
    fn text_is_escaped() {
        let mut out = String::new();
        draw_row(&mut out, "a<b>&\x1b[1mc", 0.0, &mut Style::default());
        assert!(out.contains("a&lt;b&gt;&amp;") && out.contains("font-weight=\"bold\""), "{out}");
    }
}
