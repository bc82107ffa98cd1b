//! The operators' password, and the limit on attempts.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hasher;
use std::net::IpAddr;

use chat_proto::Text;
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::limits::{PASSWORD_ADDRESSES_MAX, PASSWORD_ATTEMPTS_MAX, PASSWORD_WINDOW_MS};

/// The password with which members become operators. `Debug` does not print it.
///
/// ```
/// use chat_core::RoomConfig;
/// use chat_core::access::OperatorPassword;
///
/// let password = OperatorPassword::new("correct horse battery staple")?;
/// let config = RoomConfig::default().with_operator_password(password);
/// assert!(OperatorPassword::new("short").is_err());
/// # drop(config);
/// # Ok::<(), chat_core::access::PasswordError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct OperatorPassword(String);

impl OperatorPassword {
    /// Fewest bytes of a password.
    pub const BYTES_MIN: usize = 8;
    /// Most bytes of a password: it is typed in one line.
    pub const BYTES_MAX: usize = 200;

    /// This password.
    ///
    /// # Errors
    ///
    /// [`PasswordError`] if it is too short, too long, or not what a member could type in one line.
    pub fn new(password: &str) -> Result<Self, PasswordError> {
        // What a member types is cleaned like any other text.
        let is_clean = Text::one_line(password).is_ok_and(|typed| typed.as_str() == password);
        let is_typed = is_clean && password.trim() == password && !password.contains(char::is_control);
        let is_long = (Self::BYTES_MIN..=Self::BYTES_MAX).contains(&password.len());
        if is_typed && is_long { Ok(Self(password.to_owned())) } else { Err(PasswordError) }
    }

    /// Compares hashes under a secret key, so that the duration does not reveal how much of a guess is right.
    fn is(&self, guess: &str, keys: (u64, u64)) -> bool {
        let hash = |password: &str| {
            let mut hasher = SipHasher24::new_with_keys(keys.0, keys.1);
            hasher.write(password.as_bytes());
            hasher.finish128().as_u128()
        };
        hash(&self.0) == hash(guess)
    }
}

impl fmt::Debug for OperatorPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorPassword")
    }
}

/// A string that cannot be a password. The operator who chose it is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a password has {} to {} bytes, no control or invisible characters, and no space at its ends",
    OperatorPassword::BYTES_MIN,
    OperatorPassword::BYTES_MAX
)]
pub struct PasswordError;

/// The result of entering a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Entered {
    /// The member is an operator now.
    Operator,
    /// The password was wrong.
    Wrong,
    /// There were too many attempts in the last minute, so this one was not checked.
    TooOften,
    /// The room has no password.
    NoPassword,
}

/// Counts attempts by address.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// When the first attempt of a minute was, and how many have failed since then.
    by_address: HashMap<IpAddr, (u64, u32)>,
}

impl Attempts {
    /// Enters `guess`. `from` is an address, or the network that counts as one. Times are milliseconds of Unix time.
    pub(crate) fn enter(
        &mut self,
        password: Option<&OperatorPassword>,
        guess: &str,
        from: IpAddr,
        keys: (u64, u64),
        now_ms: u64,
    ) -> Entered {
        let Some(password) = password else { return Entered::NoPassword };
        if !self.may_try(from, now_ms) {
            return Entered::TooOften;
        }
        if !password.is(guess, keys) {
            return Entered::Wrong;
        }
        // Several operators may share an address, and each of them enters it again in each room.
        if let Some((_, count)) = self.by_address.get_mut(&from) {
            *count -= 1;
        }
        Entered::Operator
    }

    fn may_try(&mut self, from: IpAddr, now_ms: u64) -> bool {
        if self.by_address.len() >= PASSWORD_ADDRESSES_MAX {
            self.by_address.retain(|_, (began_ms, _)| *began_ms + PASSWORD_WINDOW_MS > now_ms);
        }
        if self.by_address.len() >= PASSWORD_ADDRESSES_MAX && !self.by_address.contains_key(&from) {
            return false;
        }
        let (began_ms, count) = self.by_address.entry(from).or_insert((now_ms, 0));
        if *began_ms + PASSWORD_WINDOW_MS <= now_ms {
            (*began_ms, *count) = (now_ms, 0);
        }
        *count += 1;
        *count <= PASSWORD_ATTEMPTS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: (u64, u64) = (1, 2);

    fn ip(last: u32) -> IpAddr {
        IpAddr::from((0xc000_0000 + last).to_be_bytes())
    }

    #[test]
    fn an_address_has_three_wrong_attempts_a_minute() {
        let password = OperatorPassword::new("open sesame").unwrap();
        let mut attempts = Attempts::default();
        let mut enter = |guess, from, now_ms| attempts.enter(Some(&password), guess, from, KEYS, now_ms);
        for _ in 0..10 {
            assert_eq!(enter("open sesame", ip(1), 0), Entered::Operator, "no attempt is used up");
        }
        assert_eq!(enter("open sesam", ip(1), 0), Entered::Wrong);
        assert_eq!(enter("", ip(1), 0), Entered::Wrong);
        assert_eq!(enter("open sesame!", ip(1), 59_999), Entered::Wrong);
        assert_eq!(enter("open sesame", ip(1), 59_999), Entered::TooOften);
        assert_eq!(enter("open sesame", ip(2), 59_999), Entered::Operator);
        assert_eq!(enter("open sesame", ip(1), 60_000), Entered::Operator);
    }

    #[test]
    fn attempts_from_many_addresses_are_bounded() {
        let password = OperatorPassword::new("open sesame").unwrap();
        let mut attempts = Attempts::default();
        let mut enter = |from, now_ms| attempts.enter(Some(&password), "wrong", from, KEYS, now_ms);
        for number in 0..u32::try_from(PASSWORD_ADDRESSES_MAX).unwrap() {
            assert_eq!(enter(ip(number), 0), Entered::Wrong);
        }
        assert_eq!(enter(ip(5_000), 0), Entered::TooOften);
        assert_eq!(enter(ip(5_000), PASSWORD_WINDOW_MS), Entered::Wrong, "the old ones are forgotten");
    }

    #[test]
    fn a_password_is_something_one_can_type() {
        for bad in ["", "short", " spaces at the ends ", "two\nlines", "open\u{ad}sesame", &"x".repeat(201)] {
            assert_eq!(OperatorPassword::new(bad), Err(PasswordError), "{bad:?}");
        }
        assert_eq!(format!("{:?}", OperatorPassword::new("open sesame").unwrap()), "OperatorPassword");
    }
}
