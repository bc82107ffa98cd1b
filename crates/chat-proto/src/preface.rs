//! The first bytes of a framed stream, which tell it from plain text.

/// What a framed member sends first; the last byte is the [`VERSION`].
///
/// `F5` can begin neither UTF-8 text nor a telnet command. So the first byte alone tells a framed
/// peer from a plain one.
pub const PREFACE: [u8; 6] = [0xF5, b'c', b'h', b'a', b't', VERSION];

/// The version of the framed protocol that this crate speaks.
pub const VERSION: u8 = 2;

/// Reads the preface, in whatever pieces it arrives.
///
/// ```
/// use chat_proto::{NotFramed, PREFACE, PrefaceDecoder, VERSION};
///
/// let mut decoder = PrefaceDecoder::default();
/// let mut input: &[u8] = &PREFACE;
/// assert_eq!(decoder.next(&mut input), Ok(Some(VERSION)));
///
/// let mut input: &[u8] = b"hello\n";
/// assert_eq!(PrefaceDecoder::default().next(&mut input), Err(NotFramed { matched: 0 }));
/// assert_eq!(input, b"hello\n", "it is all there for the plain splitter");
/// ```
#[derive(Clone, Debug, Default)]
pub struct PrefaceDecoder {
    /// How many bytes of the preface have arrived; fewer than all of them.
    matched: u8,
}

impl PrefaceDecoder {
    /// A decoder at the first byte.
    pub fn new() -> PrefaceDecoder {
        PrefaceDecoder::default()
    }

    /// Takes bytes of the preface from the front of `input`; returns the peer's version once it is
    /// whole. Frames follow in `input`.
    ///
    /// `Ok(None)` means that `input` is used up and more bytes are needed. The caller decides which
    /// versions it accepts.
    ///
    /// # Errors
    ///
    /// The peer does not speak the framed protocol. The byte that shows this stays in `input`.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<u8>, NotFramed> {
        while let Some((&byte, rest)) = input.split_first() {
            let at = usize::from(self.matched);
            if at == PREFACE.len() - 1 {
                *self = PrefaceDecoder::new();
                *input = rest;
                return Ok(Some(byte));
            }
            if byte != PREFACE[at] {
                return Err(NotFramed { matched: at });
            }
            self.matched += 1;
            *input = rest;
        }
        Ok(None)
    }

    /// Whether a preface has begun and not ended.
    pub fn is_unfinished(&self) -> bool {
        self.matched > 0
    }
}

/// The peer's first bytes are not the preface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("peer does not speak the framed protocol")]
pub struct NotFramed {
    /// How many bytes of [`PREFACE`] were taken before. With 0 the peer is a plain one and none of its
    /// bytes are lost. Otherwise it began the preface and broke it.
    pub matched: usize,
}
