//! Peers of every kind talk in one room.

mod support;

use std::process::Command;
use std::thread;

use support::{CHAT, Peer, Process, Server};

#[test]
fn peers_of_every_kind_hear_each_other_once_in_one_order_and_none_hears_itself() {
    let server = Server::start();
    let (mut framed, framed_name) = server.client_that_hears(&[]);
    let mut undelimited = [server.peer(), server.peer()];
    let (mut line_peer, mut telnet) = (server.peer(), server.peer());
    let printed = undelimited.each_ref().map(|peer| {
        let peer = peer.again();
        thread::spawn(|| peer.print_each_recv(|line| line.ends_with("that is all")))
    });

    let mut said = Vec::new();
    for round in 1..=3 {
        for peer in &mut undelimited {
            peer.send(format!("hello {round}"));
            said.push(peer.line(&format!("hello {round}")));
            server.process.stdout.wait_for_line(said.last().unwrap());
        }
        line_peer.send(format!("bonjour {round}\n"));
        said.push(line_peer.line(&format!("bonjour {round}")));
        server.process.stdout.wait_for_line(said.last().unwrap());
        telnet.send(format!("hola {round}\r\n"));
        said.push(telnet.line(&format!("hola {round}")));
        server.process.stdout.wait_for_line(said.last().unwrap());
        framed.type_line(&format!("hallo {round}"));
        said.push(format!("[{framed_name}] hallo {round}"));
        server.process.stdout.wait_for_line(said.last().unwrap());
    }
    // A peer that has read this line has read everything before it.
    let mut last = server.peer();
    last.send("that is all");
    said.push(last.line("that is all"));
    let of_others = |name: &str| -> Vec<String> {
        said.iter().filter(|line| !line.starts_with(&format!("[{name}] "))).cloned().collect()
    };

    for (peer, printed) in undelimited.iter().zip(printed) {
        let printed = printed.join().expect("it has read everything");
        let printed = printed.iter().filter(|line| !line.is_empty());
        let printed: Vec<String> = printed.flat_map(|line| Peer::unglued(line)).collect();
        assert_eq!(printed, of_others(&peer.name));
    }
    for peer in [&mut line_peer, &mut telnet] {
        assert_eq!(peer.read_up_to(said.last().unwrap()), of_others(&peer.name));
    }
    framed.stdout.wait_for_line(said.last().unwrap());
    assert_eq!(framed.stdout.lines(), of_others(&framed_name));

    assert!(line_peer.text().ends_with("that is all\n") && !line_peer.text().contains('\r'));
    assert!(telnet.text().ends_with("that is all\r\n"), "as it ends its own lines");
}

#[test]
fn the_servers_stdout_tells_who_comes_goes_and_says_what() {
    let server = Server::start();
    let mut ann = server.peer();
    ann.send("hello");
    server.process.stdout.wait_for_line(&ann.line("hello"));
    let mut bob = server.peer();
    bob.send("hello ann\r\n");
    server.process.stdout.wait_for_line(&bob.line("hello ann"));
    ann.read_up_to("hello ann"); // otherwise closing would cause a reset
    let names = [ann.name.clone(), bob.name.clone()];
    let [ann_name, bob_name] = &names;
    drop(ann);
    server.process.stdout.wait_for_line(&format!("[*] Connection closed by {ann_name}"));
    bob.send([b'x'; 65 * 1024]);
    let closed = support::closed(bob_name, Some("line too long"));
    server.process.stdout.wait_for_line(&closed);
    assert_eq!(
        server.process.stdout.lines(),
        [
            format!("[*] Listening on {}", server.address),
            format!("[*] Accepted connection from {ann_name}"),
            format!("[{ann_name}] hello"),
            format!("[*] Accepted connection from {bob_name}"),
            format!("[{bob_name}] hello ann"),
            format!("[*] Connection closed by {ann_name}"),
            closed,
        ]
    );
    assert_eq!(server.process.stderr.lines(), [""; 0]);
}

#[test]
fn a_peer_that_shuts_down_its_side_is_heard_to_the_last_byte_and_goes_on_listening() {
    let server = Server::start();
    let mut piped = server.peer();
    piped.send("first\nunterminated");
    piped.shut_down();
    server.process.stdout.wait_for_line(&piped.line("unterminated"));
    let mut other = server.peer();
    for number in 0..100 {
        other.send(format!("message {number}\n"));
    }
    let lines = piped.read_up_to(&other.line("message 99"));
    assert_eq!(lines.len(), 101, "{lines:?}");
    assert!(lines[0].starts_with("[*] "), "it is told");
    let name = piped.name.clone();
    drop(piped);
    other.send("anyone?\n");
    server.process.stdout.wait_for_line(&format!("[*] Connection closed by {name}"));
}

#[test]
fn over_ipv6_it_is_the_same() {
    let mut command = Command::new(CHAT);
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        println!("skipped: this machine has no IPv6");
        return;
    }
    let server = Server::run(command.args(["server", "tcp", "--bind", "[::1]:0"]));
    let (mut ann, mut bob) = (server.peer(), server.peer());
    ann.send("hello\n");
    assert!(ann.name.starts_with("[::1]:"));
    assert_eq!(bob.read_up_to("hello"), [format!("[{}] hello", ann.name)]);
}

/// A link-local address of this machine, with the name of its network interface, if there is one.
#[cfg(target_os = "linux")]
fn link_local() -> Option<String> {
    let addresses = std::fs::read_to_string("/proc/net/if_inet6").ok()?;
    let line = addresses.lines().find(|line| line.starts_with("fe80"))?;
    let (digits, interface) = (line.split_whitespace().next()?, line.split_whitespace().last()?);
    let groups: Vec<&str> = (0..8).map(|group| &digits[4 * group..4 * group + 4]).collect();
    Some(format!("{}%{interface}", groups.join(":")))
}

#[cfg(target_os = "linux")]
#[test]
fn a_link_local_address_with_the_name_of_its_interface_is_listened_on_and_reached() {
    let Some(host) = link_local() else {
        println!("skipped: this machine has no link-local address");
        return;
    };
    let server = Server::at(&format!("[{host}]:0"), &["tcp", "udp"], &[]);
    let address = format!("[{host}]:{}", server.address.port());
    for transport in ["tcp", "udp"] {
        let mut client = Process::start(Command::new(CHAT).args(["client", transport, &address]));
        client.type_line(&format!("hello over {transport}"));
        client.end_of_input();
        assert_eq!(client.exit_code(), Some(0), "{:?}", client.stderr.lines());
        server.process.stdout.wait_until("the line", |output| {
            let is_it = |line: &String| line.ends_with(&format!("] hello over {transport}"));
            output.lines.iter().any(is_it).then_some(())
        });
    }
}
