//! Numbers, and what to say of something that is not a number.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Reads a number within `range`. For any other input, the error says what is expected.
pub(super) fn number<T>(
    range: RangeInclusive<T>,
    expected: &'static str,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("expected {expected}, {} to {}", range.start(), range.end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_or_beyond_the_range_is_told_what_is_expected() {
        let threads = number(1_u16..=64, "a number of threads");
        assert_eq!(threads("64"), Ok(64));
        for wrong in ["0", "65", "-5", "", "four", "1.5", "99999999999999999999"] {
            assert_eq!(threads(wrong), Err("expected a number of threads, 1 to 64".to_owned()), "{wrong}");
        }
    }
}
