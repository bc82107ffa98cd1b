//! How a check fails.

/// Why a check failed.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) expected: String,
    pub(super) found: String,
}

pub(super) type Checked<T = ()> = Result<T, Fault>;

pub(super) fn fault<T>(expected: impl Into<String>, found: impl Into<String>) -> Checked<T> {
    Err(Fault { expected: expected.into(), found: found.into() })
}

pub(super) fn expect(holds: bool, expected: &str, found: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { fault(expected, found()) }
}
