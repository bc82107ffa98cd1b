//! The time as people read it off their walls.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Local time.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    zone: TimeZone,
}

impl Clock {
    /// The time of this machine.
    pub(crate) fn local() -> Self {
        Self { zone: TimeZone::system() }
    }

    #[cfg(test)]
    pub(crate) fn utc() -> Self {
        Self { zone: TimeZone::UTC }
    }

    /// Date and time of a moment in Unix time to the second, and how far they are from UTC, as RFC 3339 has it.
    pub(crate) fn rfc_3339(&self, unix_ms: u64) -> Option<String> {
        let time =
            Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()?.to_zoned(self.zone.clone());
        Some(time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
    }

    /// Hours and minutes of a moment in Unix time, and its day. A server can send any number, so there may be
    /// no such moment.
    pub(crate) fn at(&self, unix_ms: u64) -> Option<(String, Date)> {
        let time =
            Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()?.to_zoned(self.zone.clone());
        Some((time.strftime("%H:%M").to_string(), time.date()))
    }
}

/// A day, written out.
pub(crate) fn day(date: Date) -> String {
    date.strftime("%A, %-d %B %Y").to_string()
}

/// Now, in milliseconds of Unix time.
#[expect(clippy::disallowed_methods, reason = "the shell is where wall time is read")]
pub(crate) fn unix_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_a_time_and_a_day() {
        let (time, date) = Clock::utc().at(1_795_402_243_123).expect("a moment");
        assert_eq!((time.as_str(), day(date).as_str()), ("02:50", "Monday, 23 November 2026"));
        let stamp = Clock::utc().rfc_3339(1_795_402_243_123);
        assert_eq!(stamp.as_deref(), Some("2026-11-23T02:50:43+00:00"));
    }

    #[test]
    fn a_moment_that_no_calendar_has_is_none() {
        assert_eq!(Clock::utc().at(u64::MAX), None);
        assert_eq!(Clock::utc().at(i64::MAX as u64), None);
    }
}
