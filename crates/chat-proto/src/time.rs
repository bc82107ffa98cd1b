//! Moments as text: RFC 3339, in UTC.

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Milliseconds of Unix time at which the year 10000 begins, which RFC 3339 cannot write.
const YEAR_10000_MS: u64 = 253_402_300_800_000;

/// A moment in milliseconds of Unix time as RFC 3339 has it; `None` after the year 9999.
#[must_use]
pub fn rfc_3339(unix_ms: u64) -> Option<String> {
    if unix_ms >= YEAR_10000_MS {
        return None;
    }
    let (year, month, day) = civil(unix_ms / DAY_MS);
    let ms = unix_ms % DAY_MS;
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000))
}

/// The date this many days after 1970-01-01. Years are counted from March, so that the leap day is a year's last one.
fn civil(days: u64) -> (u64, u64, u64) {
    /// Days from 0000-03-01 to 1970-01-01.
    const BEFORE_1970: u64 = 719_468;
    /// Days of 400 years.
    const ERA: u64 = 146_097;
    let days = days + BEFORE_1970;
    let (era, day) = (days / ERA, days % ERA);
    // A year has 365 days, and a leap day every 4 years (1,461 days), but not every 100 (36,524), but every 400.
    let year = (day - day / 1_460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // The months from March on have 31, 30, 31, 30, 31 days, and again.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let is_next = month >= 10;
    let month = if is_next { month - 9 } else { month + 3 };
    (era * 400 + year + u64::from(is_next), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (unix_ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_078_012_800_000, "2004-02-29T00:00:00.000Z"),
            (1_795_402_243_123, "2026-11-23T02:50:43.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (YEAR_10000_MS - 1, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(rfc_3339(unix_ms).as_deref(), Some(expected));
        }
        assert_eq!(rfc_3339(YEAR_10000_MS), None);
        assert_eq!(rfc_3339(u64::MAX), None);
    }

    #[test]
    fn each_day_is_the_one_after_the_day_before() {
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..YEAR_10000_MS / DAY_MS {
            assert_eq!(civil(days), (year, month, day));
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + u64::from(is_leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > length {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }
}
