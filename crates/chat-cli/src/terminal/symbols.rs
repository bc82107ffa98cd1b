//! Our own symbols, for terminals that show nothing but ASCII.

use std::borrow::Cow;
use std::env;

/// Each of our symbols takes one column, and so does what stands for it.
const SYMBOLS: [(char, char); 7] =
    [('›', '>'), ('…', '~'), ('●', '*'), ('◌', '.'), ('○', 'o'), ('·', '-'), ('↪', '\\')];

/// Whether the environment says that the terminal shows nothing but ASCII. Where it says nothing, UTF-8 is what
/// terminals do.
pub(super) fn is_ascii() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(env::var_os);
    set.map(|value| value.to_string_lossy().into_owned())
        .find(|value| !value.is_empty())
        .is_some_and(|locale| is_ascii_locale(&locale))
}

fn is_ascii_locale(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    !cfg!(windows) && !locale.contains("utf-8") && !locale.contains("utf8")
}

/// Output with ASCII in place of our symbols. What others write is not translated; a symbol of ours in it is.
pub(super) fn in_ascii(output: &str) -> Cow<'_, str> {
    if output.is_ascii() {
        return output.into();
    }
    let ascii = |c| SYMBOLS.iter().find(|(symbol, _)| *symbol == c).map_or(c, |(_, ascii)| *ascii);
    output.chars().map(ascii).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::super::window::width;
    use super::*;

    #[test]
    fn locales_that_name_utf_8_get_symbols() {
        for locale in ["C.UTF-8", "en_US.utf8", "ja_JP.UTF-8@x"] {
            assert!(!is_ascii_locale(locale), "{locale}");
        }
        for locale in ["C", "POSIX", "de_DE", "de_DE.ISO-8859-1"] {
            assert_eq!(is_ascii_locale(locale), !cfg!(windows), "{locale}");
        }
    }

    #[test]
    fn in_ascii_everything_stays_in_its_column() {
        let row = " ● connected · tcp 127.0.0.1:5555 · 3 present › … ↪ ◌ ○";
        let ascii = in_ascii(row);
        assert!(ascii.is_ascii(), "{ascii}");
        assert_eq!(width(&ascii), width(row));
        assert_eq!(in_ascii("日本"), "日本");
    }
}
