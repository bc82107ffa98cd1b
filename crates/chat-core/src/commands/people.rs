//! Commands of everyone: names, who is here, private messages.

use chat_proto::limits::TEXT_BYTES_MAX;
use chat_proto::{Author, MemberId, Name, Text};

use super::moderation::not_here;
use super::{Action, Caller, Reply, RoomCommand, first_word};
use crate::error::sentence;
use crate::limits::WHO_NAMES_MAX;

pub(super) fn rows() -> Vec<RoomCommand> {
    vec![
        RoomCommand::new("help", "[COMMAND]", "What you can type", |_, _| Reply::default())
            .that_lists_commands(),
        RoomCommand::new("nick", "[NAME]", "Take a name; without one, give yours up", nick),
        RoomCommand::new("who", "", "Who is here", who).with_aliases(&["w"]),
        RoomCommand::new("msg", "NAME TEXT", "Tell one member something", msg).with_aliases(&["m", "tell"]),
        RoomCommand::new("reply", "TEXT", "Answer the last one that told you something", reply)
            .with_aliases(&["r"]),
        RoomCommand::new("me", "TEXT", "Say what you do: * waves", me),
        RoomCommand::new("ignore", "[NAME]", "Hide what a member says; without one, list them", ignore),
        RoomCommand::new("unignore", "NAME", "Show what a member says again", unignore),
        RoomCommand::new("join", "ROOM", "Go to another room", join).with_aliases(&["j"]),
        RoomCommand::new("rooms", "", "What rooms there are", rooms),
        RoomCommand::new("quit", "", "Leave", |_, _| Reply::action(Action::Leave)),
    ]
}

fn nick(caller: &Caller<'_>, name: &str) -> Reply {
    let name = match name {
        "" => None,
        name => match name.parse::<Name>() {
            Ok(name) => Some(name),
            Err(error) => return Reply::refuse(format!("'{name}' cannot be your name: {error}")),
        },
    };
    match caller.room.rename(caller.member, name) {
        Ok(author) => Reply::line(format!("You are {author}")),
        Err(error) => Reply::refuse(error.advice()),
    }
}

fn who(caller: &Caller<'_>, _: &str) -> Reply {
    let (count, present) = caller.room.presence(WHO_NAMES_MAX);
    // Everywhere else only members that came over a network are counted as present.
    let local = caller.room.stats().local_members.min(count);
    let mut reply = Reply::line(match count - local {
        present if local > 0 => format!("{present} present, {local} local"),
        present => format!("{present} present"),
    });
    for one in &present {
        reply = reply.and(one.line(caller.room.shows_addresses() || caller.is_operator()));
    }
    if count > present.len() { reply.and(format!("… and {} more", count - present.len())) } else { reply }
}

fn msg(caller: &Caller<'_>, arguments: &str) -> Reply {
    let (to, text) = first_word(arguments);
    if text.is_empty() {
        return Reply::refuse("Type /msg NAME TEXT");
    }
    match caller.find(to) {
        Some(to) => send(caller, to, text),
        None => Reply::refuse(not_here(to)),
    }
}

fn reply(caller: &Caller<'_>, text: &str) -> Reply {
    match caller.room.last_private(caller.member) {
        _ if text.is_empty() => Reply::refuse("Type /reply TEXT"),
        None => Reply::refuse("Nobody has told you anything yet, or they have left"),
        Some(to) => send(caller, to, text),
    }
}

fn send(caller: &Caller<'_>, to: MemberId, text: &str) -> Reply {
    let Ok(text) = Text::one_line(text.trim()) else {
        return Reply::refuse(format!("A private message has at most {TEXT_BYTES_MAX} bytes"));
    };
    match caller.room.tell_private(caller.member, to, text.as_str()) {
        Ok(to) => Reply::action(Action::Sent { to, text }),
        Err(error) => Reply::refuse(format!("Not delivered: {error}")),
    }
}

fn me(_: &Caller<'_>, text: &str) -> Reply {
    if text.is_empty() { Reply::refuse("Type /me TEXT") } else { Reply::say(format!("* {text}")) }
}

fn ignore(caller: &Caller<'_>, who: &str) -> Reply {
    if who.is_empty() {
        let ignored = caller.room.ignored(caller.member);
        let list = ignored.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Reply::line(if list.is_empty() {
            "You ignore nobody".to_owned()
        } else {
            format!("You ignore {list}")
        });
    }
    match caller.find(who) {
        None => Reply::refuse(not_here(who)),
        Some(whom) if whom == caller.member => Reply::refuse("You cannot ignore yourself"),
        Some(whom) => match caller.room.ignore(caller.member, whom) {
            Ok(()) => Reply::action(Action::Ignore { member: whom, is_ignored: true })
                .and(format!("You no longer see what {who} says. /unignore {who} ends that.")),
            Err(error) => Reply::refuse(sentence(&error.to_string())),
        },
    }
}

fn unignore(caller: &Caller<'_>, who: &str) -> Reply {
    if who.is_empty() {
        return Reply::refuse("Type /unignore NAME");
    }
    match caller.find(who) {
        Some(whom) if caller.room.unignore(caller.member, whom) => {
            Reply::action(Action::Ignore { member: whom, is_ignored: false })
                .and(format!("You see what {who} says again"))
        }
        _ => Reply::refuse(format!("You do not ignore {who}")),
    }
}

fn join(caller: &Caller<'_>, name: &str) -> Reply {
    let Some(rooms) = caller.room.rooms() else { return Reply::refuse("There is only this room") };
    let name: Name = match name.parse() {
        Ok(name) => name,
        Err(_) if name.is_empty() => return Reply::refuse("Type /join ROOM. /rooms lists them."),
        Err(error) => return Reply::refuse(format!("'{name}' cannot be a room: {error}")),
    };
    if let Some(here) = caller.room.name().filter(|here| here.is_confusable_with(&name)) {
        return Reply::line(format!("You are in {here}"));
    }
    let origin = caller.room.origin_of(caller.member);
    let called = if let Author::Named(called) = &caller.author { Some(called) } else { None };
    if let Some((peer, transport)) = &origin
        && let Err(error) = rooms.let_in(&name, peer, transport, called)
    {
        return Reply::refuse(error.advice(Some(&name)));
    }
    match rooms.open_for(&name, origin.map(|(peer, _)| peer.address.into())) {
        Ok(opening) => Reply::action(Action::Move(opening)),
        Err(error) => Reply::refuse(format!("{}. /rooms lists what there is.", sentence(&error.to_string()))),
    }
}

fn rooms(caller: &Caller<'_>, _: &str) -> Reply {
    let list = caller.room.rooms().map_or_else(|| vec![caller.room.info()], |rooms| rooms.list());
    list.iter().fold(Reply::default(), |reply, room| reply.and(room.to_string()))
}
