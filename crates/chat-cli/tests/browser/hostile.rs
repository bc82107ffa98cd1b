//! Texts that try to be something else, and pages that try to speak for their visitors.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use crate::chromium::{Browser, Page};
use crate::server;

/// Texts that would run code if the page took them for HTML or for a part of it.
fn injections() -> Vec<String> {
    let call = "window.hacked=1";
    let elements = [
        "<script>!</script>",
        "<img src=x onerror=!>",
        "<svg onload=!>",
        "<svg><script>!</script></svg>",
        "<iframe srcdoc='<script>parent.!</script>'>",
        "<iframe src=javascript:!>",
        "<body onload=!>",
        "<input autofocus onfocus=!>",
        "<details open ontoggle=!>",
        "<video><source onerror=!></video>",
        "<audio src=x onerror=!>",
        "<object data=javascript:!>",
        "<embed src=javascript:!>",
        "<a href=javascript:!>click</a>",
        "<form action=javascript:!><button>",
        "<math><mtext><script>!</script>",
        "<style>@import '/x';*{display:none}</style>",
        "<link rel=stylesheet href=/x>",
        "<meta http-equiv=refresh content=0;url=/x>",
        "<base href=//evil.example>",
        "<template><script>!</script></template>",
        "<marquee onstart=!>",
        "<select autofocus onfocus=!>",
        "<textarea autofocus onfocus=!>",
        "<noscript><p title='</noscript><img src=x onerror=!>'>",
    ];
    let wrappers = ["", "\"'>", "</textarea></li></ol>", "--></title>"];
    wrappers
        .iter()
        .flat_map(|before| {
            elements.iter().map(move |element| format!("{before}{}", element.replace('!', call)))
        })
        .collect()
}

/// Waits until the page ends with these texts. Checks that nothing else has come of them.
fn shows_as_text(page: &Page<'_>, expected: &[String]) {
    page.shows(expected.last().unwrap());
    let texts = page.texts();
    assert_eq!(texts[texts.len() - expected.len()..], *expected);
    assert!(page.value("window.hacked === undefined").as_bool().unwrap());
    let inside =
        "[...document.querySelectorAll('.text *')].map((it) => it.localName).filter((name) => name !== 'a')";
    assert_eq!(page.value(inside).as_array().unwrap().len(), 0);
    let foreign = "document.querySelectorAll('iframe, img, object, embed, base, video, audio, form:not([id]), script:nth-of-type(2)').length";
    assert_eq!(page.value(foreign), 0);
    assert_eq!(page.value("document.querySelectorAll('a:not([href^=\"http\"])').length"), 0);
}

#[test]
fn a_hundred_injections_stay_text() {
    let Some(browser) = Browser::start(&[]) else { return };
    let (server, url) = server(&[]);
    let page = browser.open(&url);
    page.resize(1280, 12_000);
    page.join("ann");
    let injections = injections();
    assert_eq!(injections.len(), 100);
    let mut netcat = server.peer_that_says(&(injections.join("\n") + "\n"));
    shows_as_text(&page, &injections);
    // The same from the page itself and in a private message.
    let last = &injections[26];
    page.says(last);
    page.shows(last);
    netcat.send(format!("/msg ann {}\n", injections[1]));
    page.waits_for("document.querySelector('.private')");
    netcat.send("the last\n");
    page.shows("the last");
    assert!(page.value("window.hacked === undefined").as_bool().unwrap());
}

#[test]
fn every_character_of_unicode_stays_text() {
    let Some(browser) = Browser::start(&[]) else { return };
    let (server, url) = server(&[]);
    let page = browser.open(&url);
    page.join("ann");
    page.resize(1280, 20_000);
    let mut speaker = server.peer_that_says("to begin with\n");
    let mut listener = server.peer_that_says("me too\n");
    page.shows("me too");
    listener.send("ready\n");
    page.shows("ready");
    // All characters, but only every thousandth of the private planes and of the planes without characters.
    let characters = ('\u{1}'..=char::MAX).filter(|&c| {
        let is_sparse = matches!(u32::from(c), 0x4_0000..0xE_0000 | 0xE_1000..);
        !matches!(c, '\n' | '\r') && (!is_sparse || u32::from(c).is_multiple_of(1000))
    });
    let characters: Vec<char> = characters.collect();
    let lines: Vec<String> = characters
        .chunks(200)
        .map(|chunk| {
            chunk.iter().fold(format!("U+{:04X} ", u32::from(chunk[0])), |line, &c| line + &c.to_string())
        })
        .collect();
    for lines in lines.chunks(40) {
        speaker.send(lines.join("\n") + "\n");
        speaker.send("and so on\n");
        let heard = listener.read_up_to(&speaker.line("and so on"));
        let prefix = speaker.line("");
        let expected: Vec<String> =
            heard.iter().filter_map(|line| line.strip_prefix(&prefix).map(str::to_owned)).collect();
        page.waits_for(&format!(
            "document.querySelector('.text') && [...document.querySelectorAll('.text')].slice(-{}).map((it) => it.textContent).join('\\n') === {}",
            expected.len(),
            serde_json::json!(expected.join("\n"))
        ));
    }
}

#[test]
fn a_page_of_another_origin_and_one_with_a_rebound_name_get_nothing() {
    let Some(browser) = Browser::start(&["--host-resolver-rules=MAP evil.example 127.0.0.1"]) else { return };
    let (server, url) = server(&[]);
    let port = server.address.port();
    // A page of another site: the same machine, but another port.
    let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
    let foreign_url = format!("http://{}/", foreign.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in foreign.incoming() {
            let Ok(mut socket) = socket else { return };
            let request = BufReader::new(socket.try_clone().unwrap());
            let _head: Vec<String> =
                request.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let _it_may_be_gone = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 12\r\nConnection: close\r\n\r\n<p>evil</p>\n");
        }
    });
    let attack = format!(
        "new Promise((end) => {{
            const socket = new WebSocket('ws://127.0.0.1:{port}/ws');
            socket.onopen = () => socket.send(JSON.stringify({{ type: 'hello' }}));
            socket.onmessage = (event) => end('read ' + event.data);
            socket.onclose = (event) => end('closed ' + event.code);
        }})"
    );
    let evil = browser.open(&foreign_url);
    assert_eq!(evil.value(&attack), "closed 1006");
    let read = format!("fetch('{url}').then((it) => it.text()).catch(() => 'refused')");
    assert_eq!(evil.value(&read), "refused");
    let frame = format!(
        "new Promise((end) => {{
            const frame = document.createElement('iframe');
            frame.onload = () => {{ try {{ end(frame.contentDocument ? 'its own' : 'blocked'); }} catch {{ end('blocked'); }} }};
            frame.src = '{url}';
            document.body.append(frame);
        }})"
    );
    assert_eq!(evil.value(&frame), "blocked");
    // A name of another site that resolves to this server. For a browser it has the same origin as the server.
    let rebound = browser.open(&format!("http://evil.example:{port}/"));
    assert_eq!(rebound.value("document.body.innerText.trim()"), "403 Forbidden");
    assert_eq!(rebound.value(&attack.replace("127.0.0.1", "evil.example")), "closed 1006");
    // None of these attempts has joined the room.
    let page = browser.open(&url);
    page.join("ann");
    let mut netcat = server.peer_that_says("hi\n");
    netcat.is_in();
    page.shows("hi");
    let accepted = server.process.stdout.lines();
    let accepted = accepted.iter().filter(|line| line.contains("Accepted connection from")).count();
    assert_eq!(accepted, 2, "{:?}", server.process.stdout.lines());
}
