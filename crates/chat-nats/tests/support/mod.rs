//! Chat servers in this process, with real NATS servers between them.
#![allow(dead_code, reason = "each test program uses some of it")]

use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use chat_core::journal::Page;
use chat_core::transport::{Attachment, Welcomed};
use chat_core::{Hello, HistoryError, JoinError, Room, RoomConfig, Waker};
use chat_nats::{Cluster, ClusterConfig, Secret};
use chat_proto::Resume;
use chat_testkit::NatsServers;

pub(crate) fn nats(name: &str, count: usize) -> Option<NatsServers> {
    let name = format!("{name}-{}", std::process::id());
    NatsServers::start(count, &Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
}

/// A chat server: its part in the cluster, and its room.
pub(crate) struct Server {
    pub(crate) cluster: Cluster,
    pub(crate) room: Room,
}

impl Server {
    pub(crate) fn new(nats: &NatsServers) -> Self {
        Self::with_secret(nats, 7)
    }

    pub(crate) fn with_secret(nats: &NatsServers, secret: u8) -> Self {
        let replicas = if nats.urls().len() > 1 { 3 } else { 1 };
        let secret = Secret::new([secret; 32]).unwrap();
        let config = ClusterConfig::new(secret).with_servers(nats.urls()).with_replicas(replicas);
        let config = config.with_server_name("box".to_owned());
        let cluster = Cluster::connect(config).unwrap();
        let config = RoomConfig::default().with_rate(None).with_history_max(u16::MAX);
        let room = Room::restore(config, &cluster).unwrap();
        cluster.share_bans(&room);
        Self { cluster, room }
    }

    pub(crate) fn carrier(&self) -> Attachment {
        self.room.attach(Waker::new(|| {}))
    }
}

#[expect(clippy::disallowed_methods, reason = "real servers take real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Joins as a member with this name.
pub(crate) fn welcome_as(carrier: &Attachment, port: u16, name: &str) -> Welcomed {
    let hello = Hello { name: Some(name.parse().unwrap()), ..Hello::default() };
    let address: SocketAddr = ([192, 0, 2, 1], port).into();
    carrier.welcome(0, address, &hello, now(), now()).unwrap()
}

/// Waits until the other servers have passed something on.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let by = now() + Duration::from_secs(60);
    while !is_so() {
        assert!(now() < by, "{what}");
        thread::yield_now();
    }
}

/// Asks for old messages until the stream answers in time.
pub(crate) fn page(mut ask: impl FnMut() -> Result<Page, HistoryError>) -> Page {
    let mut page = None;
    until("the stream answers", || {
        page = ask().ok();
        page.is_some()
    });
    page.unwrap()
}

pub(crate) fn welcome(carrier: &Attachment, resume: Option<Resume>) -> Result<Welcomed, JoinError> {
    let hello = Hello { resume, ..Hello::default() };
    carrier.welcome(0, "192.0.2.1:5".parse::<SocketAddr>().unwrap(), &hello, now(), now())
}

pub(crate) fn resume(welcomed: &Welcomed, have: u64) -> Option<Resume> {
    let (epoch, session) = (welcomed.welcome.epoch, welcomed.welcome.session);
    Some(Resume { epoch, session, have, direct: 0 })
}
