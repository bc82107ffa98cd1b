//! Values to test with, drawn at random.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::{
    net::{SocketAddr, SocketAddrV6},
    sync::Arc,
};

use chat_proto::{
    Author, Entry, Event, Hello, LeaveReason, MemberFrame, Name, PeerAddr, Present, Resume, RoomFrame,
    Session, Skipped, Text, Welcome,
};
use proptest::{collection::vec, option, prelude::*};

/// IPv4, IPv4 in IPv6, and IPv6 with scopes and flow information.
pub(crate) fn addr() -> impl Strategy<Value = PeerAddr> {
    prop_oneof![
        any::<([u8; 4], u16)>().prop_map(|(ip, port)| SocketAddr::from((ip, port))),
        any::<([u8; 4], u16)>().prop_map(|(ip, port)| {
            SocketAddr::from((std::net::Ipv4Addr::from(ip).to_ipv6_mapped(), port))
        }),
        (any::<[u16; 8]>(), any::<(u16, u32)>(), prop_oneof![Just(0), any::<u32>()])
            .prop_map(|(ip, (port, flow), scope)| SocketAddrV6::new(ip.into(), port, flow, scope).into()),
    ]
    .prop_map(PeerAddr::from)
}

pub(crate) fn name() -> impl Strategy<Value = Name> {
    "[a-zA-Z][a-zA-Z0-9_-]{0,31}".prop_map(|s| s.parse().unwrap())
}

pub(crate) fn author() -> impl Strategy<Value = Author> {
    prop_oneof![addr().prop_map(Author::Peer), Just(Author::Room), name().prop_map(Author::Named),]
}

/// Strings rich in what cleaning and cutting must look at.
pub(crate) fn dirty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        "[ -~]{1,40}",
        prop::sample::select(vec![
            "\t",
            "\0",
            "\x1b[2J",
            "\x7f",
            "\u{9b}",
            "\u{85}",
            "\u{200c}",
            "\u{200d}",
            "\u{fe0e}",
            "\u{fe0f}",
            "\u{202e}",
            "\u{2028}",
            "\u{e0061}",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "\u{e007f}",
            "\u{1f3f4}",
            "\u{200b}",
            "\u{e01}\u{200b}\u{e02}",
            "\u{e01}",
            "\u{845b}\u{e0100}",
            "\u{e0100}",
            "\u{fe00}",
            "\u{1820}\u{180b}",
            "\u{180e}",
            "\u{ad}",
            "\u{200e}",
            "\u{200f}",
            "\u{61c}",
            "\u{5d0}",
            "\u{627}",
            "\u{2066}",
            "\u{2067}",
            "\u{2069}",
            "\u{202a}",
            "\u{202c}",
            "\u{34f}",
            "\u{feff}",
            "\u{3164}",
            "\u{94d}\u{200d}",
            "\u{1f3fd}",
            "\u{20e3}",
            "\u{1f469}\u{200d}\u{1f680}",
            "\u{2764}\u{fe0f}\u{200d}\u{1f525}",
            "\u{1f1e9}\u{1f1ea}",
            "1\u{fe0f}\u{20e3}",
            "\u{645}\u{6cc}\u{200c}\u{62e}",
            "\u{dc1}\u{dca}\u{200d}\u{dbb}",
            "\u{301}",
            "e\u{301}",
            "\u{d55c}",
            "\u{1112}\u{1161}",
            "\u{915}\u{94d}\u{937}",
            "\u{10ffff}",
            "\u{e000}",
        ])
        .prop_map(String::from),
    ];
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

pub(crate) fn text() -> impl Strategy<Value = Text> {
    dirty().prop_map(|s| Text::split(s.as_bytes()).next().unwrap_or_default())
}

pub(crate) fn reason() -> impl Strategy<Value = LeaveReason> {
    let fixed = vec![
        LeaveReason::Quit,
        LeaveReason::Lost,
        LeaveReason::Idle,
        LeaveReason::TooSlow,
        LeaveReason::Lagged,
        LeaveReason::LineTooLong,
        LeaveReason::Unfinished,
        LeaveReason::Protocol,
        LeaveReason::NotChat,
        LeaveReason::Replaced,
        LeaveReason::Stopping,
        LeaveReason::RoomFull,
        LeaveReason::AddressFull,
    ];
    let why = vec(any::<char>(), 0..40).prop_map(|why| why.into_iter().collect::<String>());
    prop_oneof![prop::sample::select(fixed), why.prop_map(|why| LeaveReason::kicked(&why).unwrap()),]
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (author(), text()).prop_map(|(author, text)| Event::Said { author, text }),
        (addr(), any::<u32>()).prop_map(|(peer, members)| Event::Joined { peer, members }),
        (addr(), reason(), any::<u32>()).prop_map(|(peer, reason, members)| Event::Left {
            peer,
            reason,
            members
        }),
        any::<(u32, u32, u32)>().prop_map(|(joined, left, members)| Event::PresenceSummary {
            joined,
            left,
            members
        }),
        (addr(), any::<(u64, u64)>(), text()).prop_map(|(peer, (member, said), why)| Event::Refused {
            peer,
            member,
            said,
            why
        }),
    ]
}

pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    (any::<(u64, u64)>(), event()).prop_map(|((seq, at_ms), event)| Entry { seq, at_ms, event })
}

pub(crate) fn session() -> impl Strategy<Value = Session> {
    any::<(u64, u64, u64)>().prop_map(|(member, since, key)| Session { member, since, key })
}

pub(crate) fn member_frame() -> impl Strategy<Value = MemberFrame> {
    let resume =
        (any::<(u64, u64)>(), session()).prop_map(|((epoch, have), session)| Resume { epoch, session, have });
    prop_oneof![
        (option::of(resume), any::<u16>())
            .prop_map(|(resume, history)| MemberFrame::Hello(Hello { resume, history })),
        text().prop_map(MemberFrame::Say),
        Just(MemberFrame::Who),
        Just(MemberFrame::Bye),
    ]
}

pub(crate) fn room_frame() -> impl Strategy<Value = RoomFrame> {
    let welcome = (session(), addr(), any::<(u64, u64, u64, u32)>()).prop_map(
        |(session, you, (epoch, head, began_unix_ms, members))| Welcome {
            epoch,
            session,
            you,
            head,
            began_unix_ms,
            members,
        },
    );
    let skipped = any::<(u64, u64, u64, u64)>().prop_map(|(messages, next, head, accepted)| Skipped {
        messages,
        next,
        head,
        accepted,
    });
    let present = (any::<(u32, bool)>(), vec(addr(), 0..=64)).prop_map(|((members, more), peers)| Present {
        members,
        peers,
        more,
    });
    prop_oneof![
        welcome.prop_map(RoomFrame::Welcome),
        entry().prop_map(|entry| RoomFrame::Entry(Arc::new(entry))),
        skipped.prop_map(RoomFrame::Skipped),
        present.prop_map(RoomFrame::Present),
        reason().prop_map(RoomFrame::Bye),
    ]
}
