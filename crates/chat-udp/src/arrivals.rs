//! Datagrams as they come out of the socket, several per system call where the system has one for that.

use crate::limits::{RECEIVE_BUFFER_BYTES, RECEIVED_AT_ONCE};
use crate::route::Route;

/// The datagrams that one call has received.
#[derive(Debug)]
pub(crate) struct Arrivals {
    /// One for each datagram. Memory that no datagram has reached yet costs nothing.
    pub(crate) buffers: Vec<Box<[u8]>>,
    pub(crate) arrived: Vec<Arrival>,
}

/// A datagram in the buffer of the same place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// `None` if the system does not know the sender.
    pub(crate) route: Option<Route>,
    pub(crate) bytes: usize,
}

impl Default for Arrivals {
    fn default() -> Self {
        let buffer = || vec![0; RECEIVE_BUFFER_BYTES].into();
        Self {
            buffers: std::iter::repeat_with(buffer).take(RECEIVED_AT_ONCE).collect(),
            arrived: Vec::with_capacity(RECEIVED_AT_ONCE),
        }
    }
}

impl Arrivals {
    pub(crate) fn len(&self) -> usize {
        self.arrived.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Route, &[u8])> {
        let datagrams = self.arrived.iter().zip(&self.buffers);
        datagrams.filter_map(|(arrival, buffer)| Some((arrival.route?, &buffer[..arrival.bytes])))
    }
}
