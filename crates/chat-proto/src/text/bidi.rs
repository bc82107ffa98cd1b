//! Controls for text that runs from right to left (UAX #9), which can reorder what people read.
//!
//! In a text without letters that run from right to left they change nothing that a reader needs, so they are dropped
//! (phones put them around each number that they copy). In a text with such letters they are kept: marks always,
//! embeddings and isolates if each is closed, so that nothing beyond the text is reordered. Overrides show letters in
//! an order in which they were not written, and are never kept.

use unicode_bidi::{BidiClass, bidi_class};

use crate::text::invisible::Fate;

/// Embeddings and isolates within each other; UAX #9 ignores more (`max_depth`).
const DEPTH_MAX: usize = 125;

/// The effect of a text on the bidi controls in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bidi {
    marks: Fate,
    explicit: Fate,
}

impl Bidi {
    /// Whether a character is one of those that this module decides about.
    pub(crate) fn is_control(c: char) -> bool {
        is_mark(c) || is_explicit(c)
    }

    /// Looks through a whole text, once.
    pub(crate) fn of(text: &str) -> Self {
        let mut runs_from_right = false;
        let mut overrides = false;
        let mut open = Vec::new();
        let mut balanced = true;
        for c in text.chars().filter(|c| !c.is_ascii() && !is_mark(*c)) {
            match bidi_class(c) {
                BidiClass::R | BidiClass::AL => runs_from_right = true,
                BidiClass::RLO | BidiClass::LRO => overrides = true,
                class @ (BidiClass::LRE
                | BidiClass::RLE
                | BidiClass::LRI
                | BidiClass::RLI
                | BidiClass::FSI) => {
                    balanced &= open.len() < DEPTH_MAX;
                    if balanced {
                        open.push(matches!(class, BidiClass::LRE | BidiClass::RLE));
                    }
                }
                BidiClass::PDF => balanced &= open.pop() == Some(true),
                BidiClass::PDI => balanced &= open.pop() == Some(false),
                _ => {}
            }
        }
        balanced &= open.is_empty();
        let marks = if runs_from_right { Fate::Keep } else { Fate::Drop };
        let explicit = match (overrides, runs_from_right, balanced) {
            (true, ..) | (false, true, false) => Fate::Replace,
            (false, true, true) => Fate::Keep,
            (false, false, _) => Fate::Drop,
        };
        Self { marks, explicit }
    }

    pub(crate) fn fate(self, c: char) -> Fate {
        if is_mark(c) { self.marks } else { self.explicit }
    }
}

/// Marks without a width that count as a letter of one direction.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}')
}

/// Embeddings, overrides and isolates, and what ends them.
fn is_explicit(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}
