//! A channel like crossbeam's with one place, built from the model checker's primitives.
#![allow(missing_docs, unreachable_pub, reason = "nobody sees it but the tests of the model")]

use loom::sync::{Arc, Condvar, Mutex};

#[derive(Debug)]
struct Place<T> {
    value: Mutex<Option<T>>,
    changed: Condvar,
}

#[derive(Clone, Debug)]
pub struct Sender<T>(Arc<Place<T>>);

#[derive(Debug)]
pub struct Receiver<T>(Arc<Place<T>>);

pub(crate) fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert_eq!(capacity, 1, "there is one place");
    let place = Arc::new(Place { value: Mutex::new(None), changed: Condvar::new() });
    (Sender(Arc::clone(&place)), Receiver(place))
}

impl<T> Sender<T> {
    /// Gives the value back if the place is taken.
    pub fn try_send(&self, value: T) -> Result<(), T> {
        let mut place = self.0.value.lock().expect("no test goes on after a panic");
        if place.is_some() {
            return Err(value);
        }
        *place = Some(value);
        self.0.changed.notify_one();
        Ok(())
    }
}

impl<T> Receiver<T> {
    pub fn recv(&self) -> Result<T, std::convert::Infallible> {
        let mut place = self.0.value.lock().expect("no test goes on after a panic");
        loop {
            match place.take() {
                Some(value) => return Ok(value),
                None => place = self.0.changed.wait(place).expect("no test goes on after a panic"),
            }
        }
    }
}
