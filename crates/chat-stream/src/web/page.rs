//! The page, and how it is served: with a policy by which it loads and runs nothing but what is in the file.

use std::sync::LazyLock;

use data_encoding::BASE64;
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("page.html");

/// The whole answer that has the page in it.
pub(super) fn answer() -> &'static [u8] {
    static ANSWER: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
            hash("<script>", "</script>"),
            hash("<style>", "</style>"),
        );
        let length = PAGE.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {length}\r\n\
             Content-Security-Policy: {policy}\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\
             Referrer-Policy: no-referrer\r\nCross-Origin-Opener-Policy: same-origin\r\n\
             Cross-Origin-Resource-Policy: same-origin\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n"
        );
        [head.as_bytes(), PAGE.as_bytes()].concat()
    });
    &ANSWER
}

/// The hash of what is between two tags of the page, as a policy has it.
fn hash(begin: &str, end: &str) -> String {
    let inside =
        PAGE.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).map_or("", |(inside, _)| inside);
    BASE64.encode(&Sha256::digest(inside.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_one_file_with_one_script_and_one_style_and_text_is_only_text() {
        for tag in ["<script>", "</script>", "<style>", "</style>"] {
            assert_eq!(PAGE.matches(tag).count(), 1, "{tag}");
        }
        for foreign in [
            "http://",
            "https://",
            "//cdn",
            "@import",
            "url(",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            " style=\"",
            " onclick=",
            " onload=",
            " src=",
        ] {
            assert!(!PAGE.contains(foreign), "{foreign}");
        }
    }
}
