//! Growing a buffer up to a maximum that is known from the start.

/// Appends `bytes` to `buf`, whose length stays within `bytes_max`.
///
/// Capacity doubles as usual, so that dripping costs amortised constant time, but never exceeds
/// `bytes_max`, and it follows the bytes that are there, not a length somebody declared.
pub(crate) fn append(buf: &mut Vec<u8>, bytes: &[u8], bytes_max: usize) {
    let len = buf.len() + bytes.len();
    debug_assert!(len <= bytes_max);
    if len > buf.capacity() {
        let capacity = len.max((2 * buf.capacity()).max(CAPACITY_MIN).min(bytes_max));
        buf.reserve_exact(capacity - buf.len());
    }
    buf.extend_from_slice(bytes);
}

/// A first allocation smaller than this saves nothing.
const CAPACITY_MIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::append;

    #[test]
    fn dripping_grows_a_buffer_a_few_times_and_never_beyond_its_maximum() {
        for bytes_max in [1, 16, 17, 1000, 2050, 65_536, 100_000] {
            let mut buf = Vec::new();
            let mut growths = 0;
            for _ in 0..bytes_max {
                let before = buf.capacity();
                append(&mut buf, b"x", bytes_max);
                assert!(buf.capacity() <= bytes_max, "{}", buf.capacity());
                growths += usize::from(buf.capacity() != before);
            }
            assert!(growths <= 14, "{growths} for {bytes_max}");
        }
    }

    #[test]
    fn bytes_that_come_at_once_are_reserved_exactly() {
        let mut buf = Vec::new();
        append(&mut buf, &[0; 1000], 2050);
        assert_eq!(buf.capacity(), 1000);
        append(&mut buf, &[0; 1050], 2050);
        assert_eq!(buf.capacity(), 2050);
    }
}
