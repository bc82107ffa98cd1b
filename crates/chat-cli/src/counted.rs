//! Counts as people read them.

use std::fmt::Display;

/// `1 message`, `2 messages`.
pub(crate) fn counted(count: impl Display, what: &str) -> String {
    let count = count.to_string();
    let ending = if count == "1" { "" } else { "s" };
    format!("{count} {what}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_not_a_plural() {
        let shown = [0, 1, 2, 11].map(|count| counted(count, "message"));
        assert_eq!(shown, ["0 messages", "1 message", "2 messages", "11 messages"]);
    }
}
