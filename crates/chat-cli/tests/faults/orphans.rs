//! A test that is killed leaves no server behind.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::{env, thread};

use super::support::{PATIENCE, Server, now};

/// The test below runs this one and kills it.
#[test]
#[ignore = "never ends"]
fn starts_a_server_and_waits() {
    let server = Server::start();
    eprintln!("listening on {}", server.address);
    loop {
        thread::park();
    }
}

#[test]
fn a_server_ends_with_its_test_although_that_is_killed() {
    let module = module_path!().split_once("::").unwrap().1;
    let mut test = Command::new(env::current_exe().unwrap());
    test.args(["--ignored", "--exact", "--nocapture", &format!("{module}::starts_a_server_and_waits")]);
    let mut test = test.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(test.stderr.take().unwrap()).lines().map(Result::unwrap);
    let address: SocketAddr =
        told.find_map(|line| line.strip_prefix("listening on ")?.parse().ok()).expect("it says where");
    assert!(TcpStream::connect(address).is_ok());
    test.kill().unwrap();
    test.wait().unwrap();
    let deadline = now() + PATIENCE;
    while TcpStream::connect(address).is_ok() {
        assert!(now() < deadline, "the server goes on");
        thread::yield_now();
    }
}
