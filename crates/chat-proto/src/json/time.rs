//! Moments in JSON.

use serde::{Serialize, Serializer};

use crate::time::rfc_3339;

/// A moment in milliseconds of Unix time. In JSON it is a string such as `2026-11-23T02:50:43.123Z`, or null if it is
/// after the year 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub u64);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        rfc_3339(self.0).serialize(serializer)
    }
}
