//! The seed of a room: the same at every server, and unknown to everyone else.

use ring::hmac;

use crate::config::Secret;
use crate::layout::Place;

/// The seed of a room's epoch and session keys. `created_ns` is when its stream was made: a stream that is made anew
/// numbers its messages anew, so sessions of the old one must not be resumed.
pub(crate) fn seed(secret: &Secret, place: &Place, created_ns: i128) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
    context.update(b"seed of a chat room\0");
    context.update(place.stream.as_bytes());
    context.update(&[0]);
    context.update(&created_ns.to_be_bytes());
    let mut seed = [0; 32];
    seed.copy_from_slice(context.sign().as_ref());
    seed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_makes_the_same_seed_for_a_room_and_another_one_for_each_other() {
        let secret = |byte| Secret::new([byte; 32]).unwrap();
        let (one, other) = (Place::new("chat", None), Place::new("chat", Some(&"dev".parse().unwrap())));
        let first = seed(&secret(1), &one, 5);
        assert_eq!(first, seed(&secret(1), &one, 5));
        for different in [seed(&secret(2), &one, 5), seed(&secret(1), &other, 5), seed(&secret(1), &one, 6)] {
            assert_ne!(first, different);
        }
    }
}
