//! Programs that are not browsers: curl, and Python's `websockets`.

use std::process::Command;

use crate::server;

fn curl(arguments: &[&str]) -> Option<String> {
    let Ok(output) = Command::new("curl").args(["-sS", "-m", "20"]).args(arguments).output() else {
        println!("skipped: no curl here");
        return None;
    };
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn curl_gets_the_page_and_opens_a_websocket() {
    let (server, url) = server(&[]);
    let Some(answer) = curl(&["-i", &url]) else { return };
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.trim_end().ends_with("</html>"));
    for policy in ["default-src 'none'", "script-src 'sha256-", "frame-ancestors 'none'"] {
        assert!(answer.contains(policy), "{policy}");
    }
    let upgrade = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let mut arguments = vec!["-i", "-N", "-m", "1"];
    upgrade.iter().for_each(|header| arguments.extend(["-H", header]));
    let ws = format!("{url}ws");
    arguments.push(&ws);
    let answer = curl(&arguments).unwrap();
    // The key and the answer are the example of RFC 6455, section 1.3.
    assert!(
        answer.contains("101 Switching Protocols") && answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        "{answer}"
    );
    arguments.extend(["-H", "Origin: http://evil.example"]);
    assert!(curl(&arguments).unwrap().starts_with("HTTP/1.1 403 "));
    assert!(curl(&["-i", "-H", "Host: evil.example", &url]).unwrap().starts_with("HTTP/1.1 403 "));
    assert!(curl(&["-i", &format!("{url}other")]).unwrap().starts_with("HTTP/1.1 404 "));
    let joined = server.process.stdout.lines();
    assert!(joined.iter().all(|line| !line.contains("Accepted connection")), "{joined:?}");
}

#[test]
fn inside_tls_the_page_is_served_too() {
    let (server, _) = server(&["--tls", "self-signed"]);
    let url = format!("https://{}/", server.address);
    let Some(answer) = curl(&["-k", "-i", &url]) else { return };
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.trim_end().ends_with("</html>"), "{answer}");
}

#[test]
fn without_web_a_request_is_closed_without_a_byte() {
    let server = crate::support::Server::start();
    let Some(answer) = curl(&["-i", &format!("http://{}/", server.address)]) else { return };
    assert_eq!(answer, "");
}

/// Two members over WebSocket that print what they read.
const PYTHON: &str = r#"
import asyncio, json, sys, websockets
async def until(room, kind):
    while True:
        it = json.loads(await asyncio.wait_for(room.recv(), 20))
        if it.get("direct"):
            await room.send(json.dumps({"type": "got", "direct": it["direct"]}))
        if it["type"] == kind:
            return it
async def main(url):
    async with websockets.connect(url) as ann, websockets.connect(url) as bob:
        await ann.send(json.dumps({"type": "hello", "name": "ann"}))
        await until(ann, "connected")
        await bob.send(json.dumps({"type": "hello", "name": "bob"}))
        session = (await until(bob, "connected"))["session"]
        await ann.send(json.dumps({"type": "say", "text": "grüße"}))
        it = await until(bob, "message")
        print(it["author"], it["text"], it["number"])
        await bob.send(json.dumps({"type": "command", "text": "/msg ann psst"}))
        print((await until(bob, "sent"))["to"])
        print((await until(ann, "private"))["text"])
        await (await ann.ping())
        await bob.close(1001)
        async with websockets.connect(url) as again:
            resume = {**session, "have": it["seq"], "direct": 1}
            await again.send(json.dumps({"type": "hello", "resume": resume}))
            print((await until(again, "connected"))["resumed"])
            await again.send("no object")
            try:
                await until(again, "nothing")
            except websockets.exceptions.ConnectionClosed as end:
                print(end.rcvd.code)
asyncio.run(main(sys.argv[1]))
"#;

#[test]
fn pythons_websockets_are_members_like_any_other() {
    let found = Command::new("python3").args(["-c", "import websockets"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        return println!("skipped: no websockets for python3 here");
    }
    let (server, _) = server(&[]);
    let url = format!("ws://{}/ws", server.address);
    let output = Command::new("python3").args(["-X", "utf8", "-c", PYTHON, &url]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "ann grüße 1\nann\npsst\nTrue\n1002\n", "{stderr}");
}
