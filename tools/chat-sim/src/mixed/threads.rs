//! The server's I/O threads, which take turns at random. A thread may be late. At each of its system calls, and when it
//! wakes another thread, it may be interrupted.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use chat_core::Rooms;
use chat_core::access::{Ban, Banned};
use chat_proto::{Author, PeerAddr, Text};
use chat_testkit::{Datagram, StreamEnd, StreamEvent, VirtualTime};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::interrupt::{self, Interrupt};
use super::plan::World;
use super::tcp_thread::{Socket, TcpThread};
use super::truth::{FAREWELL, Truth};
use super::udp_thread::UdpThread;

/// An act of a program in the server's process (the host).
#[derive(Clone, Debug)]
pub(super) enum HostAct {
    Say(usize),
    Kick(PeerAddr),
    /// Mutes the member that is shown like this, or lifts the mute.
    Mute(String, bool),
    Ban(Banned),
    Close(Duration),
}

/// How many messages the host says in a row before anything else may happen.
const SAYS_AT_ONCE: usize = 50;

pub(super) struct Threads<const QUICK: bool> {
    time: VirtualTime,
    rooms: Rooms,
    truth: Rc<RefCell<Truth>>,
    tcp: Vec<RefCell<TcpThread<QUICK>>>,
    pub(super) udp: RefCell<UdpThread>,
    dice: RefCell<StdRng>,
    preempted: f64,
    lateness: Duration,
    /// What the host does next, either between the turns of threads or in the middle of one.
    host: RefCell<VecDeque<HostAct>>,
    said_by_host: Cell<u64>,
    /// The TCP thread that gets the next connection.
    turn: Cell<usize>,
    me: Weak<Threads<QUICK>>,
}

impl<const QUICK: bool> Threads<QUICK> {
    pub(super) fn new(
        world: &World,
        rooms: &Rooms,
        truth: &Rc<RefCell<Truth>>,
        time: &VirtualTime,
        udp: UdpThread,
        seed: u64,
    ) -> Rc<Self> {
        let tcp = (0..world.threads).map(|_| RefCell::new(TcpThread::new(rooms))).collect();
        let threads = Rc::new_cyclic(|me: &Weak<Self>| Self {
            time: time.clone(),
            rooms: rooms.clone(),
            truth: Rc::clone(truth),
            tcp,
            udp: RefCell::new(udp),
            dice: RefCell::new(StdRng::seed_from_u64(seed)),
            preempted: world.preempted,
            lateness: world.lateness,
            host: RefCell::default(),
            said_by_host: Cell::new(0),
            turn: Cell::new(0),
            me: Weak::clone(me),
        });
        interrupt::interrupts(Weak::clone(&threads.me) as _);
        threads
    }

    /// Tells the thread that owns this end of a stream. False if no thread owns it.
    pub(super) fn event(&self, event: StreamEvent) -> bool {
        self.tcp.iter().any(|thread| thread.borrow_mut().event(event))
    }

    pub(super) fn arrived(&self, datagram: Datagram) {
        self.udp.borrow_mut().arrived(datagram);
    }

    pub(super) fn ask_host(&self, act: HostAct) {
        match act {
            HostAct::Say(messages) => {
                let mut left = messages;
                while left > 0 {
                    let messages = left.min(SAYS_AT_ONCE);
                    self.host.borrow_mut().push_back(HostAct::Say(messages));
                    left -= messages;
                }
            }
            act => self.host.borrow_mut().push_back(act),
        }
    }

    // ---- turns ---------------------------------------------------------------------------------

    /// When a thread or the host runs next.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        if !self.host.borrow().is_empty() {
            return Some(now);
        }
        let tcp = self.tcp.iter().filter_map(|thread| thread.borrow_mut().schedule(now, || self.late(now)));
        tcp.chain(self.udp.borrow_mut().schedule(now, || self.late(now))).min()
    }

    /// Draws the time at which a thread runs that has something to do now.
    fn late(&self, now: Instant) -> Instant {
        if self.lateness.is_zero() || self.dice.borrow_mut().random_bool(0.7) {
            return now;
        }
        now + self.dice.borrow_mut().random_range(Duration::ZERO..=self.lateness)
    }

    /// Runs every thread whose time has come, in random order.
    pub(super) fn run(&self, now: Instant) {
        let mut order: Vec<usize> = (0..=self.tcp.len()).collect();
        order.shuffle(&mut *self.dice.borrow_mut());
        for index in order {
            self.host_acts();
            match self.tcp.get(index) {
                Some(thread) => {
                    let mut thread = thread.borrow_mut();
                    if thread.schedule(now, || self.late(now)).is_some_and(|at| at <= now) {
                        thread.run(now);
                    }
                }
                None => {
                    let mut thread = self.udp.borrow_mut();
                    if thread.schedule(now, || self.late(now)).is_some_and(|at| at <= now) {
                        thread.run(now, || self.datagram_is_taken());
                    }
                }
            }
            self.truth.borrow_mut().listen();
        }
    }

    fn host_acts(&self) {
        let act = self.host.borrow_mut().pop_front();
        match act {
            Some(HostAct::Say(messages)) => {
                for _ in 0..messages {
                    let number = self.said_by_host.get();
                    if self.rooms.first().notice(&format!("flood {number}.")).is_ok() {
                        self.said_by_host.set(number + 1);
                    }
                }
            }
            Some(HostAct::Kick(peer)) => {
                self.rooms.all().iter().for_each(|room| drop(room.kick(peer.into(), "out")));
            }
            Some(HostAct::Mute(who, is_muted)) => self.mute(&who, is_muted),
            Some(HostAct::Ban(who)) => {
                self.truth.borrow_mut().listen();
                let ban = Ban { who, why: Text::lossy("spam"), until_unix_ms: None };
                self.rooms.first().ban(&ban).expect("there are only a few");
                // The entries of those that it has kicked come before those that it must keep out.
                self.truth.borrow_mut().listen();
                self.truth.borrow_mut().ban(ban.who);
            }
            Some(HostAct::Close(grace)) => self.rooms.close(FAREWELL, grace),
            None => return,
        }
        self.truth.borrow_mut().listen();
    }

    fn mute(&self, who: &str, is_muted: bool) {
        for (place, room) in self.rooms.all().iter().enumerate() {
            let Some(member) = room.find(who) else { continue };
            self.truth.borrow_mut().listen();
            if !is_muted {
                let lifted = room.unmute(who);
                self.truth.borrow_mut().unmute(&lifted, who);
                continue;
            }
            let mute = room.mute(&Author::from_shown(who)).expect("it is here, and there are only a few");
            // A journal may still have what the member said before.
            if self.rooms.all().len() > 1 {
                self.truth.borrow_mut().mute((place, member), &mute, who);
            }
        }
    }

    /// Call this where a thread may be interrupted. By chance, the host acts and another thread runs.
    pub(super) fn interrupt(&self) {
        if self.preempted == 0.0 || !self.dice.borrow_mut().random_bool(self.preempted) {
            return;
        }
        self.host_acts();
        let now = self.time.now();
        let index = self.dice.borrow_mut().random_range(0..=self.tcp.len());
        match self.tcp.get(index) {
            Some(thread) => {
                if let Ok(mut thread) = thread.try_borrow_mut()
                    && thread.has_work(now)
                {
                    thread.run(now);
                }
            }
            None => {
                if let Ok(mut thread) = self.udp.try_borrow_mut()
                    && thread.has_work(now)
                {
                    thread.run(now, || self.datagram_is_taken());
                }
            }
        }
        if let Ok(mut truth) = self.truth.try_borrow_mut() {
            truth.listen();
        }
    }

    /// Lets the local member that records the truth listen after each datagram, so that it keeps up with a burst.
    fn datagram_is_taken(&self) {
        if let Ok(mut truth) = self.truth.try_borrow_mut() {
            truth.listen();
        }
        self.interrupt();
    }

    // ---- what is observed ----------------------------------------------------------------------

    /// Whether all threads have ended.
    pub(super) fn are_over(&self) -> bool {
        self.tcp.iter().all(|thread| thread.borrow().is_over()) && self.udp.borrow().is_over()
    }

    /// Describes the memory of a thread that holds more than it may, if there is one.
    pub(super) fn fault(&self, log_bytes_max: usize) -> Option<String> {
        self.tcp.iter().find_map(|thread| thread.borrow().fault(log_bytes_max))
    }
}

impl<const QUICK: bool> Interrupt for Threads<QUICK> {
    fn interrupt(&self) {
        Threads::interrupt(self);
    }
}

/// Accepts connections.
pub(super) trait Door {
    /// Takes a connection from `address`.
    fn enter(&self, end: StreamEnd, address: SocketAddr);
}

impl<const QUICK: bool> Door for Threads<QUICK> {
    /// Deals the connections to the threads in turn.
    fn enter(&self, end: StreamEnd, address: SocketAddr) {
        let turn = self.turn.get();
        self.turn.set((turn + 1) % self.tcp.len());
        let socket = Socket::new(end, Weak::clone(&self.me) as _);
        self.tcp[turn].borrow_mut().deal(socket, address, self.time.now());
    }
}
