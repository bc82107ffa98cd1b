//! Which types may go to another thread. This is part of the contract, and no signature shows it.

use std::error::Error;
use std::fmt::Debug;

use chat_core::transport::Transport;
use chat_udp::{BindError, ConnectError, UdpConfig, UdpServer, UdpTransport};

fn may_go_to_another_thread<T: Send + Debug + 'static>() {}
fn is_an_error<T: Error + Send + Sync + 'static>() {}

#[test]
fn a_server_and_its_transports_may_go_to_another_thread() {
    may_go_to_another_thread::<UdpServer>();
    may_go_to_another_thread::<UdpTransport>();
    may_go_to_another_thread::<UdpConfig>();
}

#[test]
fn errors_are_errors_that_cross_threads() {
    is_an_error::<BindError>();
    is_an_error::<ConnectError>();
    is_an_error::<<UdpTransport as Transport>::Error>();
}
