//! A real Chromium, driven over its debugging protocol.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

use crate::support::{Killed, PATIENCE};

/// Switches off what else Chromium would do, and what it cannot do as root in a container.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
];

pub(crate) struct Browser {
    link: RefCell<Link>,
    _processes: Processes,
    _profile: Profile,
}

struct Link {
    socket: WebSocket<TcpStream>,
    calls: u64,
    /// The sessions of pages that have loaded and were not waited for.
    loaded: Vec<String>,
}

impl Link {
    /// The next thing that the browser tells.
    fn next(&mut self) -> Value {
        loop {
            let Message::Text(told) = self.socket.read().expect("it tells it in time") else { continue };
            let told: Value = serde_json::from_str(&told).expect("it speaks JSON");
            if told["method"] == "Page.loadEventFired" {
                self.loaded.extend(told["sessionId"].as_str().map(str::to_owned));
            }
            return told;
        }
    }
}

/// A directory that is removed with the browser.
struct Profile(PathBuf);

impl Drop for Profile {
    fn drop(&mut self) {
        let _still_written_to = std::fs::remove_dir_all(&self.0);
    }
}

/// The browser and the processes that it has started.
struct Processes(Killed);

impl Drop for Processes {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.0.id());
        let _gone_already = Command::new("kill").args(["-KILL", "--", &group]).status();
    }
}

impl Browser {
    /// Starts a browser with these flags in addition to the usual ones. `None` if there is no browser here.
    pub(crate) fn start(flags: &[&str]) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let profile =
            Profile(std::env::temp_dir().join(format!("chat-browser-{}-{number}", std::process::id())));
        let started = ["chromium", "chromium-browser", "google-chrome"].iter().find_map(|program| {
            let mut command = Command::new(program);
            command.args(FLAGS).args(flags).arg(format!("--user-data-dir={}", profile.0.display()));
            command.arg("about:blank").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            command.process_group(0).spawn().ok()
        });
        let Some(mut process) = started else {
            println!("skipped: no chromium here");
            return None;
        };
        let mut stderr = BufReader::new(process.stderr.take().expect("piped")).lines().map_while(Result::ok);
        let processes = Processes(Killed(process));
        let url = stderr.find_map(|line| line.strip_prefix("DevTools listening on ").map(str::to_owned));
        let url = url.expect("it says where it listens");
        std::thread::spawn(move || stderr.for_each(drop));
        let address = url.trim_start_matches("ws://").split('/').next().expect("an address");
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(2 * PATIENCE)).expect("a timeout");
        let (socket, _) = tungstenite::client(&url, stream).expect("it speaks WebSocket");
        Some(Self {
            link: RefCell::new(Link { socket, calls: 0, loaded: Vec::new() }),
            _processes: processes,
            _profile: profile,
        })
    }

    #[expect(clippy::needless_pass_by_value, reason = "they are made where it is called")]
    fn call(&self, page: Option<&str>, method: &str, parameters: Value) -> Value {
        let link = &mut *self.link.borrow_mut();
        link.calls += 1;
        let mut call = json!({ "id": link.calls, "method": method, "params": parameters });
        if let Some(page) = page {
            call["sessionId"] = page.into();
        }
        link.socket.send(Message::text(call.to_string())).expect("it reads");
        loop {
            let mut answer = link.next();
            if answer["id"] == link.calls {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].take();
            }
        }
    }

    fn waits_for_load(&self, session: &str) {
        let mut link = self.link.borrow_mut();
        while !link.loaded.iter().any(|loaded| loaded == session) {
            link.next();
        }
    }

    /// Opens this address in a window of its own, as large as one on a computer.
    pub(crate) fn open(&self, url: &str) -> Page<'_> {
        let target =
            self.call(None, "Target.createTarget", json!({ "url": "about:blank", "newWindow": true }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.call(None, "Target.attachToTarget", target);
        let session = session["sessionId"].as_str().expect("a session").to_owned();
        let page = Page { browser: self, session };
        page.call("Page.enable", json!({}));
        page.resize(1280, 800);
        page.call("Emulation.setFocusEmulationEnabled", json!({ "enabled": true }));
        page.visit(url);
        page
    }
}

pub(crate) struct Page<'a> {
    browser: &'a Browser,
    session: String,
}

impl Page<'_> {
    fn call(&self, method: &str, parameters: Value) -> Value {
        self.browser.call(Some(&self.session), method, parameters)
    }

    pub(crate) fn visit(&self, url: &str) {
        self.browser.link.borrow_mut().loaded.retain(|session| *session != self.session);
        self.call("Page.navigate", json!({ "url": url }));
        // Until then the page before may answer.
        self.browser.waits_for_load(&self.session);
        // The scripts that wait for the event have run, too.
        self.waits_for("performance.getEntriesByType('navigation')[0]?.loadEventEnd > 0");
    }

    pub(crate) fn resize(&self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    pub(crate) fn prefers(&self, scheme: &str) {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// The value of an expression. If it is a promise, waits for its value.
    pub(crate) fn value(&self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut result = self.call("Runtime.evaluate", parameters);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].take()
    }

    /// Waits until an expression is true. Returns its value.
    pub(crate) fn waits_for(&self, expression: &str) -> Value {
        let ms = PATIENCE.as_millis();
        let found = self.value(&format!(
            "new Promise((resolve) => {{
                const watcher = new MutationObserver(() => check());
                const end = (found) => {{ watcher.disconnect(); clearTimeout(timer); resolve(found); }};
                const timer = setTimeout(() => end(null), {ms});
                const check = () => {{ const found = {expression}; if (found) end(found); }};
                watcher.observe(document, {{ subtree: true, childList: true, attributes: true, characterData: true }});
                addEventListener('readystatechange', check, true);
                addEventListener('load', () => setTimeout(check));
                check();
            }})"
        ));
        if found.is_null() {
            let text = self.value("document.documentElement.innerText.slice(-3000)");
            panic!("waited in vain for {expression}; the page reads {text}");
        }
        found
    }

    /// Joins with the form of the page.
    pub(crate) fn join(&self, name: &str) {
        let name = json!(name);
        self.value(&format!(
            "(document.querySelector('#name').value = {name}, document.querySelector('#join').requestSubmit())"
        ));
        self.is_connected();
    }

    pub(crate) fn is_connected(&self) {
        self.waits_for("document.querySelector('#link-text').textContent === 'Connected'");
    }

    /// Writes into the field for messages and sends the message.
    pub(crate) fn says(&self, text: &str) {
        let text = json!(text);
        self.value(&format!(
            "(document.querySelector('#text').value = {text}, document.querySelector('#say').requestSubmit())"
        ));
    }

    /// Waits for a confirmed message with this text.
    pub(crate) fn shows(&self, text: &str) {
        let text = json!(text);
        self.waits_for(&format!(
            "[...document.querySelectorAll('.msg:not(.waiting) .text')].some((it) => it.textContent === {text})"
        ));
    }

    /// The messages near the view, from the oldest to the newest.
    pub(crate) fn texts(&self) -> Vec<String> {
        let texts = self.value("[...document.querySelectorAll('.text')].map((it) => it.textContent)");
        serde_json::from_value(texts).expect("a list of strings")
    }
}
