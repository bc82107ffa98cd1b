//! Links between chat servers and NATS servers that can be cut. While one is cut it carries nothing, but no connection is closed:
//! neither end notices, as after a cable is pulled. What is on its way then arrives once the link is whole again.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

/// A link to one server. It ends when it is dropped.
pub(crate) struct Link {
    pub(crate) address: SocketAddr,
    gate: Arc<Gate>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    Cut,
    Over,
}

struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

impl Link {
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let gate = Arc::new(Gate { state: Mutex::new(State::Whole), changed: Condvar::new() });
        let of_listener = Arc::clone(&gate);
        thread::spawn(move || accept(&listener, server, &of_listener));
        Self { address, gate }
    }

    pub(crate) fn cut(&self) {
        self.gate.set(State::Cut);
    }

    pub(crate) fn mend(&self) {
        self.gate.set(State::Whole);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.gate.set(State::Over);
        let _wakes_its_listener = TcpStream::connect(self.address);
    }
}

impl Gate {
    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        self.changed.notify_all();
    }

    /// Waits while the link is cut. False if it is over.
    fn lets_pass(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.changed.wait_while(state, |state| *state == State::Cut);
        *state.unwrap_or_else(PoisonError::into_inner) == State::Whole
    }
}

fn accept(listener: &TcpListener, server: SocketAddr, gate: &Arc<Gate>) {
    while let Ok((near, _)) = listener.accept() {
        if !gate.lets_pass() {
            return;
        }
        let Ok(far) = TcpStream::connect(server) else { continue };
        let (near, far) = (Arc::new(near), Arc::new(far));
        for (from, to) in [(Arc::clone(&near), Arc::clone(&far)), (far, near)] {
            let gate = Arc::clone(gate);
            thread::spawn(move || carry(&from, &to, &gate));
        }
    }
}

fn carry(mut from: &TcpStream, mut to: &TcpStream, gate: &Gate) {
    let mut bytes = [0; 16 * 1024];
    // What was read when the link was cut waits.
    while let Ok(count @ 1..) = from.read(&mut bytes)
        && gate.lets_pass()
        && to.write_all(&bytes[..count]).is_ok()
    {}
    let _closed_already = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
