//! The fields of frames and datagrams: the one module that knows bincode.
//!
//! Its name appears nowhere else, so that another encoding is a change to this file (and to
//! [`VERSION`](crate::VERSION)). It never sees more than one whole frame or datagram whose length was checked, and it
//! decodes under a limit. Bytes behind the known fields are the caller's business: a later version may have put more
//! fields there.

use std::{fmt, marker::PhantomData};

use bincode::{config, enc::write::Writer, error::EncodeError};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, SeqAccess, Visitor},
};

use crate::limits::FRAME_BYTES_MAX;

/// The limit counts widths in memory, where an integer that takes one byte on the wire may count
/// eight. A valid frame counts less than twice its largest size.
const COUNTED_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;

type Config = config::Configuration<config::LittleEndian, config::Varint, config::Limit<COUNTED_BYTES_MAX>>;

fn config() -> Config {
    config::standard().with_limit::<COUNTED_BYTES_MAX>()
}

/// Appends the fields.
pub(crate) fn encode<T: Serialize>(fields: &T, out: &mut Vec<u8>) {
    bincode::serde::encode_into_writer(fields, Appender(out), config())
        .expect("invariant: a vector takes all bytes, and every field can be encoded");
}

/// Reads fields from the front of `bytes`, and returns the bytes after them. `None` if there are no such fields.
pub(crate) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<(T, &'a [u8])> {
    // Borrowed, so that a text is copied once, into its place.
    let (fields, used) = bincode::serde::borrow_decode_from_slice(bytes, config()).ok()?;
    Some((fields, bytes.get(used..)?))
}

struct Appender<'a>(&'a mut Vec<u8>);

impl Writer for Appender<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Reads a list of at most `MAX` elements.
pub(crate) fn deserialize_list<'de, D, T, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct List<T, const MAX: usize>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX} elements")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            // The count is declared by the peer: check it before anything is reserved for it.
            let count = seq.size_hint().unwrap_or(0);
            if count > MAX {
                return Err(A::Error::invalid_length(count, &self));
            }
            let mut list = Vec::with_capacity(count);
            while let Some(element) = seq.next_element()? {
                if list.len() == MAX {
                    return Err(A::Error::invalid_length(list.len() + 1, &self));
                }
                list.push(element);
            }
            Ok(list)
        }
    }

    deserializer.deserialize_seq(List::<T, MAX>(PhantomData))
}
