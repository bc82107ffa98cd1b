//! The payload of a frame: the one module that knows bincode.
//!
//! Its name appears nowhere else, so that another encoding is a change to this file (and to
//! [`VERSION`](crate::VERSION)). It never sees more than one whole frame whose length was checked,
//! it decodes under a limit, and bytes left over are an error.

use bincode::{config, enc::write::Writer, error::EncodeError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{FrameError, limits::FRAME_BYTES_MAX};

/// The limit counts widths in memory, where an integer that takes one byte on the wire may count
/// eight; a valid frame counts less than twice its largest size.
const COUNTED_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;

type Config = config::Configuration<config::LittleEndian, config::Varint, config::Limit<COUNTED_BYTES_MAX>>;

fn config() -> Config {
    config::standard().with_limit::<COUNTED_BYTES_MAX>()
}

/// Appends the payload.
pub(crate) fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    bincode::serde::encode_into_writer(value, Appender(out), config())
        .expect("invariant: a vector takes all bytes, and every type of a frame can be encoded");
}

/// Reads a payload that was cut out by its length.
pub(crate) fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, FrameError> {
    // Borrowed, so that a text is copied once, into its place.
    match bincode::serde::borrow_decode_from_slice(payload, config()) {
        Ok((value, used)) if used == payload.len() => Ok(value),
        Ok((_, used)) => Err(FrameError::Leftover { bytes: payload.len() - used }),
        Err(_) => Err(FrameError::Malformed),
    }
}

/// Reads one value from the front of a datagram, and returns what follows it.
pub(crate) fn decode_front<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<(T, &'a [u8])> {
    let (value, used) = bincode::serde::borrow_decode_from_slice(bytes, config()).ok()?;
    Some((value, bytes.get(used..)?))
}

struct Appender<'a>(&'a mut Vec<u8>);

impl Writer for Appender<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// A list of addresses whose length is capped both ways.
pub(crate) mod peers {
    use std::fmt;

    use serde::{
        Deserializer, Serialize, Serializer,
        de::{Error, SeqAccess, Visitor},
    };

    use crate::{PeerAddr, limits::PRESENT_PEERS_MAX};

    pub(crate) fn serialize<S: Serializer>(peers: &[PeerAddr], serializer: S) -> Result<S::Ok, S::Error> {
        debug_assert!(peers.len() <= PRESENT_PEERS_MAX, "more peers than a frame may have");
        peers[..peers.len().min(PRESENT_PEERS_MAX)].serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PeerAddr>, D::Error> {
        deserializer.deserialize_seq(Peers)
    }

    struct Peers;

    impl<'de> Visitor<'de> for Peers {
        type Value = Vec<PeerAddr>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {PRESENT_PEERS_MAX} addresses")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            // The declared count is the peer's word: check it before anything is reserved for it.
            let count = seq.size_hint().unwrap_or(0);
            if count > PRESENT_PEERS_MAX {
                return Err(A::Error::invalid_length(count, &self));
            }
            let mut peers = Vec::with_capacity(count);
            while let Some(peer) = seq.next_element()? {
                if peers.len() == PRESENT_PEERS_MAX {
                    return Err(A::Error::invalid_length(peers.len() + 1, &self));
                }
                peers.push(peer);
            }
            Ok(peers)
        }
    }
}
