//! The dates of a TLS certificate, which are seconds of Unix time.

use crate::terminal::{rfc_3339, unix_ms};

/// A certificate that expires within this time is worth a warning.
const SOON_S: i64 = 14 * 24 * 60 * 60;

/// Where a moment is between the dates of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Validity {
    NotYet,
    Valid,
    ExpiresSoon,
    Expired,
}

/// Whether a certificate with these dates is valid now.
pub(crate) fn validity(from: i64, until: i64) -> Validity {
    validity_at(i64::try_from(unix_ms() / 1000).unwrap_or(i64::MAX), from, until)
}

fn validity_at(now: i64, from: i64, until: i64) -> Validity {
    if now > until {
        Validity::Expired
    } else if now < from {
        Validity::NotYet
    } else if until - now < SOON_S {
        Validity::ExpiresSoon
    } else {
        Validity::Valid
    }
}

/// A date, as people read it.
pub(crate) fn shown(seconds: i64) -> String {
    rfc_3339(u64::try_from(seconds).unwrap_or(0) * 1000).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dates_are_part_of_the_validity() {
        let (from, until) = (1_000, 1_000 + 2 * SOON_S);
        assert_eq!(validity_at(from - 1, from, until), Validity::NotYet);
        assert_eq!(validity_at(from, from, until), Validity::Valid);
        assert_eq!(validity_at(until - SOON_S, from, until), Validity::Valid);
        assert_eq!(validity_at(until, from, until), Validity::ExpiresSoon);
        assert_eq!(validity_at(until + 1, from, until), Validity::Expired);
    }
}
