//! Clauses about peers on another machine. A peer on loopback counts as proven, so these tests run between two
//! network namespaces. They need the rights of root and the program `ip`. Where these are missing, a test says so and
//! is skipped.
#![cfg(target_os = "linux")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::thread;
use std::time::Duration;

use chat_proto::RoomDatagram;
use crossbeam_channel::{RecvTimeoutError, bounded};

use crate::datagrams::{Plain, encoded, fresh_nonce, hello};
use crate::support::{CHAT, Peer, Server};

/// Bytes that IPv4 and UDP add to a datagram.
const HEADERS: usize = 28;

/// Another machine: a network namespace with a cable to this one.
struct Machine {
    name: String,
    network: [u8; 3],
}

impl Machine {
    /// `None`, with a message, if this system does not let us make one. `which` tells apart the machines of one test
    /// run.
    fn new(which: u8) -> Option<Self> {
        let id = std::process::id();
        let [.., high, low] = id.to_be_bytes();
        // 198.18.0.0/15 is set aside for measurements (RFC 2544).
        let machine =
            Self { name: format!("chat{id}x{which}"), network: [198, 18 + (high & 1), low ^ (which << 6)] };
        let (name, [this, that]) = (&machine.name, machine.cable());
        let [here, there] = [machine.ip(2), machine.ip(1)].map(|ip| format!("{ip}/24"));
        let other = machine.ip(3).to_string() + "/24";
        let commands: [&[&str]; 8] = [
            &["netns", "add", name],
            &["link", "add", &this, "type", "veth", "peer", "name", &that, "netns", name],
            &["address", "add", &here, "dev", &this],
            &["address", "add", &other, "dev", &this],
            &["link", "set", &this, "up"],
            &["-n", name, "address", "add", &there, "dev", &that],
            &["-n", name, "link", "set", &that, "up"],
            &["-n", name, "link", "set", "lo", "up"],
        ];
        for command in commands {
            let done = Command::new("ip").args(command).output();
            if !done.as_ref().is_ok_and(|output| output.status.success()) {
                println!("skipped: `ip {}` does not work here: {done:?}", command.join(" "));
                return None;
            }
        }
        Some(machine)
    }

    /// The names of the cable's ends: here, and on the other machine.
    fn cable(&self) -> [String; 2] {
        ["a", "b"].map(|end| format!("{}{end}", self.name))
    }

    /// Host 1 is on the other machine. Hosts 2 and 3 are here.
    fn ip(&self, host: u8) -> IpAddr {
        let [a, b, c] = self.network;
        Ipv4Addr::new(a, b, c, host).into()
    }

    fn server(&self, flags: &[&str]) -> Server {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, CHAT, "server", "tcp", "udp"]);
        command.args(["--bind", &SocketAddr::new(self.ip(1), 0).to_string()]).args(flags);
        Server::run(&mut command)
    }

    /// A peer with a socket here.
    fn peer(&self, server: &Server, host: u8) -> Plain {
        Plain::at(&SocketAddr::new(self.ip(host), 0).to_string(), server.address)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // This also deletes the cable. If the namespace is missing, there is nothing to delete.
        let _deleted = Command::new("ip").args(["netns", "delete", &self.name]).output();
    }
}

/// Says a lot. Every member gets it.
fn talk(speaker: &mut Peer, reader: &mut Peer) {
    for number in 0..50 {
        speaker.send(format!("{number} {}\n", "x".repeat(500)));
    }
    speaker.send("that is all\n");
    reader.read_up_to(&speaker.line("that is all"));
}

#[test]
fn clause_9_2_another_machine_gets_three_times_its_bytes_at_most_until_it_has_said_its_number() {
    let Some(machine) = Machine::new(1) else { return };
    let server = machine.server(&[]);
    let (mut speaker, mut reader) = (server.peer(), server.peer());
    // Send datagrams with the forged address of a victim.
    let many = vec![&b"x"[..]; 100];
    let long = [b'x'; 1_400];
    let forged: [&[&[u8]]; 5] =
        [&[b"x"], &[b""], &many, &[&long], &[b"123456", b"234567", b"345678", b"456789"]];
    for datagrams in forged {
        let victim = machine.peer(&server, 3);
        datagrams.iter().for_each(|datagram| victim.send(datagram));
        talk(&mut speaker, &mut reader);
        let came = victim.all_that_came();
        let sent: usize = datagrams.iter().map(|datagram| HEADERS + datagram.len()).sum();
        let got: usize = came.iter().map(|datagram| HEADERS + datagram.len()).sum();
        println!(
            "{} datagrams, {sent} bytes: answered with {} datagrams, {got} bytes",
            datagrams.len(),
            came.len()
        );
        assert!(got <= 3 * sent && came.len() <= 3);
        assert!(came.iter().all(|datagram| datagram.starts_with(b"[*] Say ")), "nothing of the room");
        assert!(!server.process.stdout.lines().iter().any(|line| line.contains(&victim.name)), "no member");
    }
    let peer = machine.peer(&server, 2);
    peer.send(b"hello\n");
    let asked = peer.recv_text();
    let number = asked.strip_prefix("[*] Say ").unwrap().strip_suffix(" to join\n").unwrap();
    peer.send(format!("{number}\n").as_bytes());
    peer.lines_until("[*] You have joined");
    speaker.send("welcome\n");
    peer.lines_until(&speaker.line("welcome"));
}

#[test]
fn clause_10_6_an_echo_service_on_another_machine_is_not_talked_to_for_ever() {
    let Some(machine) = Machine::new(2) else { return };
    let server = machine.server(&[]);
    let echo = machine.peer(&server, 3);
    echo.send(b"forged");
    let mut echoed = 0;
    loop {
        let came = echo.all_that_came();
        if came.is_empty() {
            break;
        }
        for datagram in came {
            echoed += 1;
            assert!(echoed <= 3, "they talk for ever");
            echo.send(&datagram);
        }
    }
    assert_eq!(echoed, 1);
}

#[test]
fn clause_10_1_a_trusted_network_needs_no_number_and_whoever_is_not_there_has_left_at_once() {
    let Some(machine) = Machine::new(3) else { return };
    let [a, b, c] = machine.network;
    let server = machine.server(&["--udp-trust", &format!("{a}.{b}.{c}.0/24")]);
    let (mut speaker, mut reader) = (server.peer(), server.peer());
    let peer = machine.peer(&server, 2);
    peer.send(b"hello");
    assert_eq!(peer.recv_text(), format!("[{}] hello", peer.name));
    let name = peer.name.clone();
    // From now on the peer's system answers with ICMP messages: with few per second, so the room goes on talking.
    drop(peer);
    talk(&mut speaker, &mut reader);
    thread::scope(|scope| {
        let (over, is_over) = bounded::<()>(0);
        scope.spawn(move || {
            while is_over.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                speaker.send("and more\n");
            }
        });
        server.has_closed(&name, Some("connection lost"));
        drop(over);
    });
}

#[test]
fn clause_9_4_a_server_behind_a_wildcard_answers_another_machine_from_the_address_that_was_asked() {
    let Some(machine) = Machine::new(4) else { return };
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &machine.name, CHAT, "server", "udp", "--bind", "0.0.0.0:0"]);
    // A second address that the system does not prefer.
    let [_, that] = machine.cable();
    let second = machine.ip(9).to_string() + "/24";
    let added =
        Command::new("ip").args(["-n", &machine.name, "address", "add", &second, "dev", &that]).output();
    assert!(added.is_ok_and(|output| output.status.success()));
    let server = Server::run(&mut command);
    for asked in [1, 9] {
        let to = SocketAddr::new(machine.ip(asked), server.address.port());
        let peer = Plain::at(&SocketAddr::new(machine.ip(2), 0).to_string(), to);
        peer.send(b"hello");
        assert!(peer.recv_text().starts_with("[*] Say "));
        peer.send(&encoded(&hello(fresh_nonce(), None)));
        assert!(matches!(RoomDatagram::decode(&peer.recv()), Ok(RoomDatagram::Retry { .. })));
    }
}
