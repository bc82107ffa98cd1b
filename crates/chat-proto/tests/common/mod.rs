//! Values to test with, drawn at random.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::{
    net::{SocketAddr, SocketAddrV6},
    sync::Arc,
};

use chat_proto::{
    Author, Direct, DirectItem, Entry, Event, Hello, Lagged, LeaveReason, LookBack, MemberFrame, MemberId,
    Name, Origin, PeerAddr, Present, Resume, RoomFrame, Session, Tag, Text, Welcome,
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
    prop_oneof![
        addr().prop_map(Author::Peer),
        (addr(), 1..99_999_u32)
            .prop_map(|(addr, count)| Author::tagged(addr, Tag::new("udp", count).unwrap())),
        Just(Author::Room),
        name().prop_map(Author::Named),
    ]
}

/// Authors of this version and of later ones.
pub(crate) fn shown() -> impl Strategy<Value = Author> {
    prop_oneof![4 => author(), 1 => "[a-z]{1,20}@[a-z]{1,20}".prop_map(|shown| Author::from_shown(&shown))]
}

pub(crate) fn member() -> impl Strategy<Value = MemberId> {
    any::<u64>().prop_map(MemberId::new)
}

/// Strings with many characters that matter to cleaning and cutting.
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
        LeaveReason::version(),
        LeaveReason::Other { code: 99, text: Text::one_line("the moon is full").unwrap() },
    ];
    let why = vec(any::<char>(), 0..40).prop_map(|why| why.into_iter().collect::<String>());
    prop_oneof![prop::sample::select(fixed), why.prop_map(|why| LeaveReason::kicked(&why).unwrap()),]
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (member(), any::<u64>(), shown(), text()).prop_map(|(member, number, author, text)| Event::Said {
            from: Origin { member, number },
            author,
            text
        }),
        (member(), shown(), any::<u32>()).prop_map(|(member, author, members)| Event::Joined {
            member,
            author,
            members
        }),
        (member(), shown(), reason(), any::<u32>())
            .prop_map(|(member, author, reason, members)| Event::Left { member, author, reason, members }),
        any::<(u32, u32, u32)>().prop_map(|(joined, left, members)| Event::PresenceSummary {
            joined,
            left,
            members
        }),
        (7..=u8::MAX).prop_map(|kind| Event::Unknown { kind }),
    ]
}

pub(crate) fn direct() -> impl Strategy<Value = Direct> {
    let item =
        prop_oneof![
            (member(), shown(), text()).prop_map(|(from, author, text)| DirectItem::Private {
                from,
                author,
                text
            }),
            (any::<u64>(), text()).prop_map(|(number, why)| DirectItem::Refused { number, why }),
            text().prop_map(|text| DirectItem::Notice { text }),
            (shown(), text()).prop_map(|(to, why)| DirectItem::Undelivered { to, why }),
            (any::<u64>(), entry())
                .prop_map(|(question, entry)| DirectItem::OldMessage { question, entry: Arc::new(entry) }),
            (any::<(u64, bool)>(), option::of(text()))
                .prop_map(|((question, more), why)| DirectItem::OldEnd { question, more, why }),
            (11..=u8::MAX).prop_map(|kind| DirectItem::Unknown { kind }),
        ];
    (any::<u64>(), item).prop_map(|(number, item)| Direct { number, item })
}

pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    (any::<(u64, u64)>(), event()).prop_map(|((seq, at_ms), event)| Entry { seq, at_ms, event })
}

pub(crate) fn session() -> impl Strategy<Value = Session> {
    (member(), any::<(u64, u64)>()).prop_map(|(member, (since, key))| Session { member, since, key })
}

pub(crate) fn hello() -> impl Strategy<Value = Hello> {
    let resume = (any::<(u64, u64, u64)>(), session()).prop_map(|((epoch, have, direct), session)| Resume {
        epoch,
        session,
        have,
        direct,
    });
    let place = (option::of(text()), option::of(text()));
    (vec(any::<u8>(), 0..=8), any::<(u64, u16)>(), place, option::of(resume)).prop_map(
        |(versions, (capabilities, history), (room, name), resume)| Hello {
            versions,
            capabilities,
            room,
            name,
            resume,
            history,
        },
    )
}

pub(crate) fn look_back() -> impl Strategy<Value = LookBack> {
    (any::<(u64, u8)>(), option::of(shown()), option::of(text()))
        .prop_map(|((before, messages), author, words)| LookBack { before, messages, author, words })
}

pub(crate) fn member_frame() -> impl Strategy<Value = MemberFrame> {
    prop_oneof![
        hello().prop_map(MemberFrame::Hello),
        (any::<u64>(), text()).prop_map(|(number, text)| MemberFrame::Say { number, text }),
        Just(MemberFrame::Who),
        any::<u64>().prop_map(|direct| MemberFrame::Got { direct }),
        Just(MemberFrame::Bye),
        (any::<u64>(), look_back()).prop_map(|(number, question)| MemberFrame::LookBack { number, question }),
        (7..0x80_u8).prop_map(|kind| MemberFrame::Unknown { kind }),
    ]
}

pub(crate) fn welcome() -> impl Strategy<Value = Welcome> {
    let place = (shown(), addr(), option::of(text()), option::of(text()));
    let numbers = (any::<(u8, u64, u64, bool)>(), any::<(Option<u64>, u64, u64, u32)>());
    (session(), place, numbers).prop_map(
        |(session, (you, address, room, name), ((version, capabilities, epoch, resumed), numbers))| {
            let (taken, head, began_unix_ms, members) = numbers;
            let address = Text::one_line(&address.to_string()).unwrap();
            Welcome {
                version,
                capabilities,
                epoch,
                session,
                resumed,
                taken,
                you,
                address,
                room,
                name,
                topic: None,
                head,
                began_unix_ms,
                members,
            }
        },
    )
}

pub(crate) fn room_frame() -> impl Strategy<Value = RoomFrame> {
    let lagged = any::<(u64, u64, u64, u64)>().prop_map(|(messages, next, head, taken)| Lagged {
        messages,
        next,
        head,
        taken,
    });
    let present = (any::<(u32, bool)>(), vec(shown(), 0..=20))
        .prop_map(|((members, more), authors)| Present { members, authors, more });
    prop_oneof![
        welcome().prop_map(|welcome| RoomFrame::Welcome(Box::new(welcome))),
        entry().prop_map(|entry| RoomFrame::Entry(Arc::new(entry))),
        direct().prop_map(|direct| RoomFrame::Direct(Arc::new(direct))),
        lagged.prop_map(RoomFrame::Lagged),
        present.prop_map(RoomFrame::Present),
        reason().prop_map(RoomFrame::Bye),
        (0x87..=u8::MAX).prop_map(|kind| RoomFrame::Unknown { kind }),
    ]
}
