//! The page, and how it is served: as one file, with a policy by which it loads and runs nothing else.

use std::sync::LazyLock;

use data_encoding::BASE64;
use sha2::{Digest, Sha256};

const HTML: &str = include_str!("page/page.html");

const STYLE: &str = include_str!("page/page.css");

/// The script, in order: what the files name at once must have come before.
const SCRIPT: &str = concat!(
    "\"use strict\";\n(() => {\n",
    include_str!("page/state.js"),
    include_str!("page/connection.js"),
    include_str!("page/hearing.js"),
    include_str!("page/saying.js"),
    include_str!("page/rows.js"),
    include_str!("page/list.js"),
    include_str!("page/people.js"),
    include_str!("page/joining.js"),
    "})();\n",
);

/// The whole answer that has the page in it.
pub(super) fn answer() -> &'static [u8] {
    static ANSWER: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
            hash(SCRIPT),
            hash(STYLE),
        );
        let page = page();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Content-Security-Policy: {policy}\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\
             Referrer-Policy: no-referrer\r\nCross-Origin-Opener-Policy: same-origin\r\n\
             Cross-Origin-Resource-Policy: same-origin\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n",
            page.len()
        );
        [head, page].concat().into_bytes()
    });
    &ANSWER
}

/// The document with its style and its script in it.
fn page() -> String {
    let with = |page: &str, tag: &str, inside: &str| {
        let (begin, end) = (format!("<{tag}>"), format!("</{tag}>"));
        page.replacen(&format!("{begin}{end}"), &format!("{begin}{inside}{end}"), 1)
    };
    with(&with(HTML, "style", STYLE), "script", SCRIPT)
}

/// The hash of the text of an element, as a policy has it.
fn hash(text: &str) -> String {
    BASE64.encode(&Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_one_file_with_one_script_and_one_style_and_text_is_only_text() {
        let page = page();
        for (tag, text) in [("style", STYLE), ("script", SCRIPT)] {
            assert!(page.contains(&format!("<{tag}>{text}</{tag}>")), "{tag}");
        }
        for tag in ["<script>", "</script>", "<style>", "</style>"] {
            assert_eq!(page.matches(tag).count(), 1, "{tag}");
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
            assert!(!page.contains(foreign), "{foreign}");
        }
    }
}
