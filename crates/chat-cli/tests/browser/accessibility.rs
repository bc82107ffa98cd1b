//! The page for everyone: small screens, dark rooms, keyboards and screen readers.

use std::path::Path;

use crate::chromium::{Browser, Page};
use crate::server;

/// axe-core, where `.ci/run` installs it (`npm install --prefix target/npm axe-core`), or at `CHAT_AXE`.
fn axe() -> Option<String> {
    let installed =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/npm/node_modules/axe-core/axe.min.js");
    let path = std::env::var_os("CHAT_AXE").map_or(installed, Into::into);
    let source = std::fs::read_to_string(path).ok();
    if source.is_none() {
        println!("skipped: no axe-core here");
    }
    source
}

fn has_no_fault(page: &Page<'_>, axe: &str, what: &str) {
    page.value(&format!("{axe}; 0"));
    let faults = page.value(
        "axe.run(document, { resultTypes: ['violations'] }).then((it) => it.violations.map((fault) =>
            `${fault.id}: ${fault.help} at ${fault.nodes.map((node) => node.html).slice(0, 3).join(' ')}`))",
    );
    assert_eq!(faults.as_array().unwrap().len(), 0, "{what}: {faults:#}");
}

#[test]
fn axe_finds_nothing_in_the_light_and_in_the_dark_on_a_desk_and_in_a_hand() {
    let (Some(axe), Some(browser)) = (axe(), Browser::start(&[])) else { return };
    let (server, url) = server(&["--room", "lobby", "--room", "dev"]);
    for (scheme, width, height) in [("light", 1280, 800), ("dark", 390, 844)] {
        let page = browser.open(&url);
        page.resize(width, height);
        page.prefers(scheme);
        has_no_fault(&page, &axe, "the way in");
        page.join("ann");
        let mut netcat = server.peer_that_says("hello https://example.org\n");
        netcat.send("hi ann\n/msg ann psst\n");
        page.says("hello\n/help");
        page.says("/msg nobody psst");
        page.says("שלום");
        page.shows("שלום");
        page.waits_for("document.querySelector('.private') && document.querySelector('.told')");
        has_no_fault(&page, &axe, scheme);
        if width < 500 {
            page.value("document.querySelector('#people-button').click()");
            page.waits_for("document.activeElement.id === 'close'");
            has_no_fault(&page, &axe, "the drawer");
        }
        page.value("document.querySelector('#leave').click()");
        page.waits_for("!document.querySelector('#door').hidden");
    }
}

#[test]
fn on_a_phone_everything_fits_and_is_in_reach_of_a_keyboard() {
    let Some(browser) = Browser::start(&[]) else { return };
    let (server, url) = server(&["--room", "lobby"]);
    let page = browser.open(&url);
    page.resize(360, 640);
    page.join("ann");
    let wide = "word".repeat(100);
    let _netcat = server.peer_that_says(&format!("{wide}\nשלום עולם\n"));
    page.shows(&wide);
    page.shows("שלום עולם");
    let overflows = "document.scrollingElement.scrollWidth > innerWidth || document.querySelector('#log').scrollWidth > document.querySelector('#log').clientWidth";
    assert_eq!(page.value(overflows), false);
    for id in ["text", "send", "people-button"] {
        let place = format!(
            "(() => {{ const it = document.querySelector('#{id}').getBoundingClientRect();
                return it.left >= 0 && it.top >= 0 && it.right <= innerWidth && it.bottom <= innerHeight && it.height >= 40; }})()"
        );
        assert_eq!(page.value(&place), true, "{id}");
    }
    assert_eq!(
        page.value("getComputedStyle([...document.querySelectorAll('.text')].pop()).direction"),
        "rtl"
    );
    page.value("document.querySelector('#people-button').click()");
    page.waits_for("document.activeElement.id === 'close'");
    page.value("document.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))");
    page.waits_for("document.activeElement.id === 'people-button'");
    page.value("document.querySelector('#text').focus()");
    page.value("(document.querySelector('#text').value = 'typed', document.querySelector('#text').dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true })))");
    page.shows("typed");
}
