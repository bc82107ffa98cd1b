//! Ten thousand members at one endpoint.

use std::net::SocketAddr;

use chat_core::{Rate, Room, RoomConfig, Waker};
use chat_proto::{Hello, MemberFrame, RoomFrame, Text};
use chat_testkit::VirtualTime;
use chat_udp::{ClientSession, Endpoint, UdpConfig};

const FRAMED: usize = 8_000;
const PLAIN: usize = 2_000;

/// Members, indexed by the port of their address, on a perfect network.
struct Crowd {
    time: VirtualTime,
    endpoint: Endpoint,
    framed: Vec<(ClientSession, usize)>,
    plain_lines: usize,
}

impl Crowd {
    /// Exchanges datagrams until no member and no server has anything to send now.
    fn exchange(&mut self) {
        let now = self.time.now();
        let mut out = Vec::new();
        loop {
            let mut silent = true;
            for number in 0..self.framed.len() {
                let (session, messages) = &mut self.framed[number];
                while session.transmit(&mut out, now) {
                    silent = false;
                    self.endpoint.receive(address([127, 0, 0, 1], number), &out, now);
                }
                while let Some(frame) = session.next_frame() {
                    *messages +=
                        usize::from(matches!(frame, RoomFrame::Entry(entry) if entry.event.is_message()));
                }
                // A real server also answers datagrams before too many of them have arrived.
                if number % 128 == 0 {
                    self.serve();
                }
            }
            silent &= !self.serve();
            if silent {
                return;
            }
        }
    }

    /// Lets the endpoint send everything it has. Returns whether it sent anything.
    fn serve(&mut self) -> bool {
        let now = self.time.now();
        let mut served = false;
        let mut out = Vec::new();
        self.endpoint.on_deadline(now);
        self.endpoint.pull(now);
        while let Some(to) = self.endpoint.transmit(&mut out, now).map(|route| route.peer) {
            served = true;
            let number = usize::from(to.port()) - 1;
            if to.ip() == address([127, 0, 0, 1], 0).ip() {
                self.framed[number].0.receive(&out, now);
            } else {
                self.plain_lines += out.split(|&byte| byte == b'\n').count();
            }
        }
        served
    }
}

fn address(ip: [u8; 4], number: usize) -> SocketAddr {
    SocketAddr::from((ip, u16::try_from(number + 1).expect("few enough")))
}

#[test]
fn ten_thousand_framed_and_plain_members_hear_each_other() {
    let time = VirtualTime::default();
    let room = Room::new(RoomConfig::default().with_rate(None::<Rate>));
    let server = SocketAddr::from(([127, 0, 0, 3], 5555));
    let endpoint = Endpoint::new(&room, Waker::new(|| {}), UdpConfig::default(), server, [1; 32], time.now());
    let session = |number| (ClientSession::new(number, Hello::default(), time.now()), 0);
    let framed = (0..FRAMED as u64).map(session).collect();
    let mut crowd = Crowd { time: time.clone(), endpoint, framed, plain_lines: 0 };
    crowd.exchange();
    for number in 0..PLAIN {
        crowd.endpoint.receive(address([127, 0, 0, 2], number), b"", time.now());
    }
    assert_eq!(crowd.plain_lines, 0);
    assert_eq!(room.stats().members, FRAMED + PLAIN);

    for number in 0..3 {
        let text = Text::one_line(&format!("message {number}")).expect("short");
        crowd.framed[number].0.send(MemberFrame::Say { number: 1, text }, time.now());
        crowd.exchange();
    }
    assert!(crowd.framed.iter().all(|(_, messages)| *messages == 3));
    assert_eq!(crowd.plain_lines, 3 * PLAIN);
    assert_eq!(room.stats().members, FRAMED + PLAIN);
}
