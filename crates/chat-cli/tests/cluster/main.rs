//! Several servers share rooms over a real NATS cluster while any of them is killed or stopped, or a link between them is cut. No
//! confirmed message is lost, none is said twice, everyone reads one order with the same numbers, and the copies have it, too.
//!
//! `CHAT_SCHEDULES=100 cargo test -p chat-cli --test cluster` tries a hundred schedules of faults. `CHAT_SEED=7`
//! repeats one schedule.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod checker;
mod copies;
mod link;
mod schedule;
#[path = "../support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use chat_testkit::NatsServers;
use link::Link;
use support::{CHAT, Directory, Peer, Process, Server, client_command_over, free_address};

/// How long the answer to a command may take that depends on other servers. The names of a dead one come free after 15 seconds.
const ANSWERS_IN: Duration = Duration::from_secs(60);

/// How long a server must be silent until the others regard it as gone.
const GONE_AFTER: Duration = Duration::from_secs(15);

/// How soon talking goes on after the stream has a leader again.
const GOES_ON_IN: Duration = Duration::from_secs(2);

/// NATS, and chat servers that share their rooms over it.
pub(crate) struct Cluster {
    pub(crate) nats: NatsServers,
    pub(crate) servers: Vec<Option<Server>>,
    pub(crate) addresses: Vec<SocketAddr>,
    /// Between each chat server and each NATS server.
    links: Vec<Vec<Link>>,
    /// From one NATS server to another one.
    routes: Vec<(usize, usize, Link)>,
    /// Each server keeps a copy of what is said.
    copies: bool,
    /// For the secret and the copies.
    directory: Directory,
}

impl Cluster {
    /// `None` if there is no NATS on this machine.
    pub(crate) fn start(nats: usize, servers: usize) -> Option<Self> {
        Self::start_all(nats, servers, false)
    }

    /// Like [`start`](Self::start), but each server keeps a copy of what is said.
    pub(crate) fn start_with_copies(nats: usize, servers: usize) -> Option<Self> {
        Self::start_all(nats, servers, true)
    }

    fn start_all(nats: usize, servers: usize, copies: bool) -> Option<Self> {
        let directory = Directory::new();
        let mut routes = Vec::new();
        let nats = NatsServers::start_routed(nats, &directory.root().join("nats"), |from, to, server| {
            let link = Link::to(server);
            let address = link.address;
            routes.push((from, to, link));
            address
        })?;
        directory.write("secret", "0123456789abcdef0123456789abcdef\n");
        let addresses: Vec<SocketAddr> = (0..servers).map(|_| free_address()).collect();
        let servers = (0..servers).map(|_| None).collect();
        let link = |url: &String| Link::to(url.trim_start_matches("nats://").parse().unwrap());
        let links = addresses.iter().map(|_| nats.urls().iter().map(link).collect()).collect();
        let mut cluster = Self { nats, servers, addresses, links, routes, copies, directory };
        (0..cluster.servers.len()).for_each(|index| cluster.restart(index));
        Some(cluster)
    }

    /// Starts a chat server that is not running.
    pub(crate) fn restart(&mut self, index: usize) {
        if self.servers[index].is_none() {
            let urls = self.links[index].iter().map(|link| format!("nats://{}", link.address));
            let urls: Vec<String> = urls.collect();
            let replicas = urls.len().to_string();
            let (urls, secret) = (urls.join(","), self.secret());
            let mut flags = vec!["--nats", &urls, "--nats-replicas", &replicas];
            flags.extend(["--cluster-secret-file", &secret, "--rate", "0"]);
            let copy = self.copies.then(|| self.copy(index));
            flags.extend(copy.iter().flat_map(|copy| ["--history", copy.to_str().unwrap()]));
            let bind = self.addresses[index].to_string();
            self.servers[index] = Some(Server::at(&bind, &["tcp", "udp"], &flags));
        }
    }

    /// Cuts a chat server off from all NATS servers.
    pub(crate) fn cut(&self, index: usize) {
        self.links[index].iter().for_each(Link::cut);
    }

    /// Cuts a NATS server off from the others, but not from chat servers.
    pub(crate) fn cut_nats(&self, index: usize) {
        self.routes_of(index).for_each(Link::cut);
    }

    /// Mends all links between a NATS server and the others.
    pub(crate) fn mend_nats(&self, index: usize) {
        self.routes_of(index).for_each(Link::mend);
    }

    fn routes_of(&self, index: usize) -> impl Iterator<Item = &Link> {
        let is_its = move |(from, to, _): &&(usize, usize, Link)| [*from, *to].contains(&index);
        self.routes.iter().filter(is_its).map(|(_, _, link)| link)
    }

    /// Mends all links of a chat server.
    pub(crate) fn mend(&self, index: usize) {
        self.links[index].iter().for_each(Link::mend);
    }

    /// Where a server keeps its copy.
    pub(crate) fn copy(&self, index: usize) -> PathBuf {
        self.directory.root().join(format!("copy{index}.db"))
    }

    /// The file with the secret of all servers.
    fn secret(&self) -> String {
        self.directory.path("secret")
    }

    /// Kills a chat server.
    pub(crate) fn kill(&mut self, index: usize) {
        if let Some(mut server) = self.servers[index].take() {
            server.process.kill();
            server.process.exit_code();
        }
    }

    fn server(&self, index: usize) -> &Server {
        self.servers[index].as_ref().unwrap()
    }
}

/// `chat client` that may use any of these servers.
fn client(transport: &str, addresses: &[SocketAddr]) -> Process {
    let addresses: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
    let mut command = Command::new(CHAT);
    command.args(["client", transport, &addresses.join(","), "--json", "--stay", "--reconnect"]);
    Process::start(&mut command)
}

/// Waits until a client reports `what`.
fn reports(client: &Process, what: &str) {
    client
        .stdout
        .wait_until(what, |output| output.lines.iter().any(|line| line.contains(what)).then_some(()));
}

#[test]
fn members_of_all_servers_and_transports_read_what_anyone_says() {
    let Some(cluster) = Cluster::start(1, 2) else { return };
    let mut plain = cluster.server(0).peer();
    let mut framed = Process::start(&mut client_command_over("udp", cluster.addresses[1], &["--stay"]));
    framed.hears(&mut plain);
    framed.type_line("hello from a framed one");
    hears(&mut plain, 0, "] hello from a framed one\n");
}

#[test]
fn a_client_whose_server_dies_goes_on_at_another_one() {
    for transport in ["tcp", "udp"] {
        let Some(mut cluster) = Cluster::start(1, 2) else { return };
        let mut moving = client(transport, &cluster.addresses);
        moving.type_line(r#"{"type":"say","text":"before"}"#);
        reports(&moving, r#""text":"before""#);
        cluster.kill(0);
        moving.type_line(r#"{"type":"say","text":"meanwhile"}"#);
        reports(&moving, r#""text":"meanwhile""#);
        cluster.server(1).process.stdout.wait_until("both messages", |output| {
            let said: Vec<&str> =
                output.lines.iter().filter_map(|line| Some(line.split_once("] ")?.1)).collect();
            let said: Vec<&str> =
                said.into_iter().filter(|text| ["before", "meanwhile"].contains(text)).collect();
            (said == ["before", "meanwhile"]).then_some(())
        });
    }
}

#[test]
fn names_lists_and_private_messages_reach_other_servers_and_the_names_of_a_dead_one_come_free() {
    let Some(mut cluster) = Cluster::start(1, 3) else { return };
    let (mut ann, mut eve) = (cluster.server(0).peer(), cluster.server(2).peer());
    let mut bob = cluster.server(1).peer();
    answers(&mut ann, "/nick ann\n", "You are ann");
    answers(&mut eve, "/nick eve\n", "You are eve");
    answers(&mut bob, "/nick bob\n", "You are bob");
    // Once the server knows a name of another one, it gives it to nobody else.
    answers(&mut bob, "/msg ann hello\n", "[you -> ann] hello");
    hears(&mut ann, 0, "[bob -> you] hello");
    answers(&mut bob, "/nick Ann\n", "The name Ann is taken. Ann-2 is free.");
    let at = cluster.addresses[0].port();
    answers(&mut bob, "/who\n", &format!(":{at}, here for"));
    answers(&mut bob, "/msg eve hello\n", "[you -> eve] hello");
    cluster.kill(0);
    answers(&mut bob, "/nick ann\n", "You are ann");
    answers(&mut bob, "/nick eve\n", "The name eve is taken");
}

/// Gives a command again and again, until the answer has this text: other servers may have to be heard first.
fn answers(peer: &mut Peer, command: &str, text: &str) {
    let by = support::now() + ANSWERS_IN;
    loop {
        let before = peer.text().len();
        peer.send(command);
        hears(peer, before, "\n");
        if peer.text()[before..].contains(text) {
            return;
        }
        let heard = peer.text();
        assert!(support::now() < by, "{command:?} is not answered with {text:?}: {heard}");
    }
}

/// Waits until a peer has received this after the first `before` bytes of text.
fn hears(peer: &mut Peer, before: usize, what: &str) {
    let by = support::now() + ANSWERS_IN;
    while !peer.text()[before..].contains(what) {
        assert!(!peer.recv().is_empty(), "the connection ended");
        let heard = peer.text();
        assert!(support::now() < by, "{what:?} is not heard: {heard}");
    }
}

#[test]
fn a_server_that_stops_says_goodbye_to_its_own_members_only_and_their_names_are_free_at_once() {
    let Some(cluster) = Cluster::start(1, 2) else { return };
    let (mut here, mut there) = (cluster.server(0).peer(), cluster.server(1).peer());
    answers(&mut here, "/nick ann\n", "You are ann");
    // What is said under a name comes once the name is taken.
    here.send("that is my name\n");
    hears(&mut there, 0, "[ann] that is my name\n");
    let stops = support::now();
    cluster.server(0).process.terminate();
    hears(&mut here, 0, "[*] The server is stopping\n");
    let mut third = cluster.server(1).peer();
    third.send("still here\n");
    hears(&mut there, 0, &format!("{}\n", third.line("still here")));
    assert!(!there.text().contains("stopping"), "{}", there.text());
    answers(&mut third, "/nick ann\n", "You are ann");
    assert!(stops.elapsed() < GONE_AFTER, "{:?}", stops.elapsed());
}

#[test]
fn what_is_wrong_is_told_with_what_to_do() {
    let directory = Directory::new();
    let short = directory.write("short", "abc\n");
    let run = |secret: &str| {
        let mut command = Command::new(CHAT);
        command.args(["server", "tcp", "--bind", "127.0.0.1:0", "--nats", "nats://127.0.0.1:1"]);
        let output = command.arg("--cluster-secret-file").arg(secret).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let told = run(&directory.path("none"));
    assert!(told.contains("openssl rand -hex 32"), "{told}");
    let told = run(&short);
    assert!(told.contains("3 bytes") && told.contains("32"), "{told}");
}

#[test]
fn a_server_says_at_once_that_it_waits_for_nats() {
    let directory = Directory::new();
    let secret = directory.write("secret", "0123456789abcdef0123456789abcdef\n");
    let mut command = Command::new(CHAT);
    command.args(["server", "tcp", "--bind", "127.0.0.1:0", "--nats", "nats://127.0.0.1:1"]);
    let process = Process::start(command.arg("--cluster-secret-file").arg(secret));
    let first = process.stderr.wait_until("a line", |output| output.lines.first().cloned());
    assert!(first.contains("NATS does not answer yet: trying for 15s"), "{first}");
}

#[test]
fn servers_with_different_secrets_tell_their_operators() {
    let Some(cluster) = Cluster::start(1, 1) else { return };
    let other = cluster.directory.write("other-secret", "fedcba9876543210fedcba9876543210\n");
    let url = format!("nats://{}", cluster.links[0][0].address);
    let secret = ["--cluster-secret-file", &other];
    let stranger = Server::over(&["tcp"], &[&["--nats", &url][..], &secret[..]].concat());
    for server in [cluster.server(0), &stranger] {
        server.process.stderr.wait_until("the warning", |output| {
            output.lines.iter().any(|line| line.contains("another cluster secret")).then_some(())
        });
    }
}

#[test]
fn talking_goes_on_soon_after_the_stream_has_a_leader_again() {
    let Some(mut cluster) = Cluster::start(3, 2) else { return };
    let (mut speaks, mut hears_it) = (cluster.server(0).peer(), cluster.server(1).peer());
    speaks.send("before\n");
    hears(&mut hears_it, 0, "before\n");
    // On a busy machine it may take longer, but not each time.
    let goes_on = (0..3).map(|round| {
        let leader = cluster.nats.leader(schedule::STREAM).unwrap();
        cluster.nats.kill(leader);
        speaks.send(format!("meanwhile {round}\n"));
        let by = support::now() + ANSWERS_IN;
        while cluster.nats.leader(schedule::STREAM).is_none_or(|now| now == leader) {
            assert!(support::now() < by, "the stream has no leader");
        }
        let chosen = support::now();
        hears(&mut hears_it, 0, &format!("meanwhile {round}\n"));
        let after = chosen.elapsed();
        println!("talking goes on {after:?} after the stream has a leader again");
        cluster.nats.restart(leader);
        after
    });
    assert!(goes_on.into_iter().any(|after| after < GOES_ON_IN));
}

#[test]
fn a_server_that_is_cut_off_tells_its_members_and_goes_on_once_the_link_is_mended() {
    let Some(cluster) = Cluster::start(1, 2) else { return };
    let (mut ann, mut bob) = (cluster.server(0).peer(), cluster.server(1).peer());
    let mut eve = cluster.server(1).peer();
    ann.send("before\n");
    hears(&mut bob, 0, "] before\n");
    cluster.cut(0);
    ann.send("meanwhile\n");
    hears(&mut ann, 0, "[*] Messages are on hold");
    eve.send("elsewhere it goes on\n");
    hears(&mut bob, 0, "] elsewhere it goes on\n");
    assert!(!bob.text().contains("meanwhile"));
    cluster.mend(0);
    let mended = support::now();
    hears(&mut bob, 0, "] meanwhile\n");
    let after = mended.elapsed();
    println!("talking goes on {after:?} after the link is mended");
    hears(&mut ann, 0, "] elsewhere it goes on\n");
    hears(&mut ann, 0, "[*] Messages go on");
    ann.send("afterwards\n");
    hears(&mut bob, 0, "] afterwards\n");
    assert_eq!(bob.text().matches("] meanwhile\n").count(), 1);
    assert!(after < GOES_ON_IN, "{after:?}");
}

#[test]
fn faults_of_all_kinds_lose_nothing_and_double_nothing() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match number("CHAT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CHAT_SCHEDULES").unwrap_or(2),
    };
    for seed in seeds {
        println!("CHAT_SEED={seed}");
        let Some(cluster) = Cluster::start_with_copies(3, 3) else { return };
        schedule::run(seed, cluster);
    }
}
