//! `chat client tcp --tls`: which servers it trusts, and what it says about those that it does not trust.

mod support;

use std::io::Write;
use std::net::TcpListener;
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use support::{CHAT, Directory, Process, Server, free_address};

impl Directory {
    /// `chat client tcp` in a pipe. It knows the servers that this directory remembers and trusts its `ca.pem`.
    fn client(&self, server: &str, flags: &[&str]) -> Process {
        let mut command = Command::new(CHAT);
        command.args(["client", "tcp", server]).args(flags).env("XDG_STATE_HOME", self.root());
        command.env_remove("SSL_CERT_DIR").env("SSL_CERT_FILE", self.path("ca.pem"));
        Process::start(&mut command)
    }

    /// Runs a client that says a line and ends. Returns its exit code and its stderr.
    fn says(&self, server: &str, flags: &[&str], line: &str) -> (Option<i32>, String) {
        let mut client = self.client(server, flags);
        client.type_line(line);
        client.end_of_input();
        (client.exit_code(), client.stderr.all().join("\n"))
    }
}

/// Writes `ca.pem` and a certificate that it vouches for. The certificate expires when the year `until` begins.
fn vouched(directory: &Directory, name: &str, until: i32) -> (String, String) {
    let ca_key = KeyPair::generate().expect("a key");
    let mut ca = CertificateParams::new(Vec::new()).expect("no names");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    directory.write("ca.pem", &ca.self_signed(&ca_key).expect("a certificate").pem());
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    (directory.write("cert.pem", &certificate.pem()), directory.write("key.pem", &key.serialize_pem()))
}

fn fingerprint(server: &Server) -> String {
    server.process.stdout.wait_until("the fingerprint", |output| {
        let line = output.lines.iter().find_map(|line| line.strip_prefix("[*] TLS certificate: SHA-256 "));
        line.map(str::to_owned)
    })
}

fn hears(server: &Server, text: &str) {
    let end = format!("] {text}");
    server
        .process
        .stdout
        .wait_until(text, |output| output.lines.iter().any(|line| line.ends_with(&end)).then_some(()));
}

fn assert_says(stderr: &str, words: &[&str]) {
    for word in words {
        assert!(stderr.contains(word), "nothing of {word:?} in:\n{stderr}");
    }
}

#[test]
fn a_server_with_the_fingerprint_is_trusted_and_another_one_is_not() {
    let (server, here) = (Server::with(&["--tls", "self-signed", "--tls-only"]), Directory::new());
    let (address, shown) = (server.address.to_string(), fingerprint(&server));
    assert_eq!(here.says(&address, &["--tls-fingerprint", &shown], "framed").0, Some(0));
    hears(&server, "framed");
    let bare = shown.replace(':', "").to_lowercase();
    assert_eq!(here.says(&address, &["--tls-fingerprint", &bare, "--plain"], "plain").0, Some(0));
    hears(&server, "plain");
    let other = "00".repeat(32);
    let (code, stderr) = here.says(&address, &["--tls-fingerprint", &other], "nothing");
    assert_eq!(code, Some(1));
    assert_says(&stderr, &["not trusted", &shown, "in between"]);
    let (code, stderr) = here.says(&address, &["--tls-fingerprint", "zz"], "nothing");
    assert_eq!(code, Some(2));
    assert_says(&stderr, &["64 hexadecimal digits"]);
}

#[test]
fn a_server_is_known_from_its_first_use_on_and_a_change_is_refused() {
    let (address, here) = (free_address().to_string(), Directory::new());
    let start = || Server::at(&address, &["tcp"], &["--tls", "self-signed"]);
    let server = start();
    let shown = fingerprint(&server);
    let (code, stderr) = here.says(&address, &["--tls"], "too early");
    assert_eq!(code, Some(1));
    assert_says(&stderr, &["not trusted", &shown, "--tls-fingerprint", "--tls-first-use"]);
    let (code, stderr) = here.says(&address, &["--tls-first-use"], "first");
    assert_eq!(code, Some(0), "{stderr}");
    assert_says(&stderr, &["trusted from now on", &shown]);
    hears(&server, "first");
    assert_eq!(here.says(&address, &["--tls"], "second").0, Some(0));
    hears(&server, "second");
    // Names of hosts have no case.
    let known = here.path("chat/known_servers");
    let lines = std::fs::read_to_string(&known).expect("it is there");
    std::fs::write(&known, lines.replace("127.0.0.1:", "LocalHost:")).expect("it can be written");
    let by_name = address.replace("127.0.0.1:", "localhost:");
    assert_eq!(here.says(&by_name, &["--tls"], "third").0, Some(0));
    hears(&server, "third");
    std::fs::write(&known, lines).expect("it can be written");
    drop(server);

    let server = start(); // with another certificate
    for flags in [["--tls"], ["--tls-first-use"]] {
        let (code, stderr) = here.says(&address, &flags, "refused");
        assert_eq!(code, Some(1));
        assert_says(
            &stderr,
            &["error: the certificate of", "HAS CHANGED", &shown, &fingerprint(&server), "known_servers"],
        );
    }
    // The problem would not pass with time, so the client does not wait and try again.
    assert_eq!(here.says(&address, &["--tls", "--reconnect"], "refused").0, Some(1));
    // Another server's line was not written to its end.
    std::fs::write(here.path("chat/known_servers"), "192.0.2.1:5555 0123").expect("it can be written");
    assert_eq!(here.says(&address, &["--tls-first-use"], "third").0, Some(0));
    hears(&server, "third");
    assert_eq!(here.says(&address, &["--tls"], "fourth").0, Some(0));
    hears(&server, "fourth");
}

#[test]
fn the_systems_roots_vouch_for_the_right_name_until_the_certificate_expires() {
    for (name, until, wrong) in [
        ("localhost", 2999, None),
        ("localhost", 2020, Some("it has expired")),
        ("chat.example.org", 2999, Some("it is for another name")),
    ] {
        let here = Directory::new();
        let (certificate, key) = vouched(&here, name, until);
        let server = Server::with(&["--tls", &certificate, &key]);
        let address = format!("localhost:{}", server.address.port());
        let (code, stderr) = here.says(&address, &["--tls"], "hello");
        match wrong {
            None => {
                assert_eq!(code, Some(0), "{stderr}");
                hears(&server, "hello");
            }
            Some(why) => {
                assert_eq!(code, Some(1));
                assert_says(&stderr, &["not trusted", why]);
            }
        }
    }
}

#[test]
fn what_is_no_tls_server_is_told_apart() {
    let here = Directory::new();
    let plain = Server::start();
    let (code, stderr) = here.says(&plain.address.to_string(), &["--tls"], "hello");
    assert_eq!(code, Some(1));
    assert_says(&stderr, &["ended the connection", "leave out --tls"]);

    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let (code, stderr) = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut socket, _) = listener.accept().expect("it comes");
            socket.write_all(b"220 welcome to the mail\r\n").expect("it reads");
            socket
        });
        here.says(&address, &["--tls"], "hello")
    });
    assert_eq!(code, Some(1));
    assert_says(&stderr, &["does not speak TLS", "leave out --tls"]);

    // The system accepts the connection, and nobody answers.
    let (code, stderr) = here.says(&address, &["--tls"], "hello");
    assert_eq!(code, Some(1));
    assert_says(&stderr, &["10 s"]);

    let only = Server::with(&["--tls", "self-signed", "--tls-only"]);
    let encrypted = only.address.to_string();
    let (code, stderr) = here.says(&encrypted, &[], "hello");
    assert_eq!(code, Some(1));
    assert_says(&stderr, &["if the server takes only TLS: --tls"]);

    // Where its directory should be is a file.
    here.write("chat", "");
    let (code, stderr) = here.says(&encrypted, &["--tls-first-use"], "hello");
    assert_eq!(code, Some(1));
    assert_says(&stderr, &["cannot be noted in", "chat/known_servers", "--tls-fingerprint"]);

    let (code, stderr) = here.says("a_b..c:1", &["--tls"], "hello");
    assert_eq!(code, Some(1));
    assert_says(&stderr, &["neither a name nor an address"]);
    let mut udp = Process::start(Command::new(CHAT).args(["client", "udp", "--tls"]));
    assert_eq!(udp.exit_code(), Some(2));
    assert_says(&udp.stderr.all().join("\n"), &["TLS is for tcp"]);
}

#[test]
fn a_server_that_comes_back_with_another_certificate_ends_the_client() {
    let (address, here) = (free_address().to_string(), Directory::new());
    let start = || Server::at(&address, &["tcp"], &["--tls", "self-signed"]);
    let first = start();
    let mut client = here.client(&address, &["--reconnect", "--tls-fingerprint", &fingerprint(&first)]);
    client.type_line("one");
    hears(&first, "one");
    drop(first);
    let second = start();
    assert_eq!(client.exit_code(), Some(1));
    assert_says(&client.stderr.all().join("\n"), &["not trusted", &fingerprint(&second)]);
}

#[test]
fn an_end_without_close_notify_is_told_and_what_came_before_it_is_shown() {
    // A server that says a line and ends, with TLS's own end or without it.
    let script = "\
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
listener = socket.create_server(('127.0.0.1', 0))
print(listener.getsockname()[1], flush=True)
peer = context.wrap_socket(listener.accept()[0], server_side=True)
peer.sendall(b'[ann] the last line\\n')
if sys.argv[3] == 'notify':
    try:
        peer.unwrap()
    except OSError:
        pass # the client need not answer
peer.close()
";
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: no python3 here");
        return;
    }
    let here = Directory::new();
    let (certificate, key) = vouched(&here, "localhost", 2999);
    for (how, told) in [("notify", "the server closed the connection"), ("cut", "cut off")] {
        let server = Process::start(Command::new("python3").args(["-c", script, &certificate, &key, how]));
        let port = server.stdout.wait_until("the port", |output| output.lines.first().cloned());
        let mut client = here.client(&format!("localhost:{port}"), &["--plain", "--tls"]);
        assert_eq!(client.exit_code(), Some(1), "{how}");
        let (stdout, stderr) = (client.stdout.all(), client.stderr.all().join("\n"));
        assert_eq!(stdout, ["[ann] the last line"], "{stderr}");
        assert_says(&stderr, &[told]);
    }
}

#[test]
fn a_session_is_resumed_over_tls_when_the_server_comes_back() {
    let (address, here) = (free_address().to_string(), Directory::new());
    let (certificate, key) = vouched(&here, "localhost", 2999);
    let history = here.path("chat.db");
    let flags = ["--tls", &certificate, &key, "--history", &history];
    let mut first = Server::at(&address, &["tcp"], &flags);
    let shown = fingerprint(&first);
    let mut client = here.client(&address, &["--reconnect", "--tls-fingerprint", &shown]);
    client.type_line("one");
    hears(&first, "one");
    first.process.kill();
    drop(first);
    let second = Server::at(&address, &["tcp"], &flags);
    client.type_line("two");
    hears(&second, "two");
    client.end_of_input();
    assert_eq!(client.exit_code(), Some(0));
    let stderr = client.stderr.all().join("\n");
    assert!(
        stderr.contains("Connection lost") && !stderr.contains("https://"),
        "in words for people: {stderr}"
    );
}
