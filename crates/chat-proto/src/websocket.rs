//! Frames of a WebSocket server (RFC 6455, section 5.2), which are the same bytes for every peer: they are not masked.

/// The kind of a WebSocket frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebSocketFrame {
    /// A whole message of text.
    Text,
    /// A whole message of bytes.
    Binary,
    /// The end: a code and a reason.
    Close,
    /// The answer to a ping.
    Pong,
}

impl WebSocketFrame {
    fn code(self) -> u8 {
        match self {
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Pong => 10,
        }
    }

    /// Appends a frame with the bytes that `payload` appends, at most 64 KiB. Appends nothing for an empty `Text` or
    /// `Binary`.
    ///
    /// ```
    /// use chat_proto::WebSocketFrame;
    ///
    /// let mut out = Vec::new();
    /// WebSocketFrame::Text.encode(&mut out, |out| out.extend_from_slice(b"hi"));
    /// assert_eq!(out, [0x81, 2, b'h', b'i']);
    /// ```
    ///
    /// # Panics
    ///
    /// If they are more.
    pub fn encode(self, out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
        const FINAL: u8 = 0x80;
        const LENGTH_FOLLOWS: u8 = 126;
        let start = out.len();
        out.extend_from_slice(&[FINAL | self.code(), LENGTH_FOLLOWS, 0, 0]);
        payload(out);
        let bytes = out.len() - start - 4;
        match u8::try_from(bytes) {
            Ok(0) if matches!(self, Self::Text | Self::Binary) => out.truncate(start),
            Ok(short) if short < LENGTH_FOLLOWS => {
                out[start + 1] = short;
                out.drain(start + 2..start + 4);
            }
            _ => {
                let bytes = u16::try_from(bytes).expect("a frame has at most 64 KiB");
                out[start + 2..start + 4].copy_from_slice(&bytes.to_be_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_takes_as_few_bytes_as_it_may() {
        for (bytes, header) in [
            (1, &[0x82, 1][..]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (255, &[0x82, 126, 0, 255]),
            (256, &[0x82, 126, 1, 0]),
            (65_535, &[0x82, 126, 255, 255]),
        ] {
            let mut out = vec![7];
            WebSocketFrame::Binary.encode(&mut out, |out| out.extend(std::iter::repeat_n(b'x', bytes)));
            assert_eq!((out[0], &out[1..=header.len()], out.len()), (7, header, 1 + header.len() + bytes));
        }
        let mut out = vec![7];
        WebSocketFrame::Text.encode(&mut out, |_| ());
        assert_eq!(out, [7]);
        WebSocketFrame::Pong.encode(&mut out, |_| ());
        assert_eq!(out, [7, 0x8A, 0]);
    }
}
