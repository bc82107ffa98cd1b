//! The commands of an embedder: its own, in the place of others, or none.

#![allow(clippy::unwrap_used, reason = "in a test it is an assertion, in its helpers too")]

mod support;

use chat_core::commands::{CommandTable, Reply, RoomCommand};
use chat_core::{Hello, RoomConfig};

use support::{Carrier, room_with};

/// The answers to commands of a member in a room with this table.
fn answers(table: CommandTable, commands: &[&str]) -> Vec<String> {
    let (room, time) = room_with(RoomConfig::default().with_commands(table));
    let mut tcp = Carrier::new(&room, &time);
    let ann = tcp.join("192.0.2.1:5");
    for command in commands {
        let _said = tcp.try_say(ann, command).unwrap();
    }
    let lines = tcp.pull().direct.iter().map(|told| told.direct.item.to_string()).collect::<Vec<_>>();
    lines.into_iter().filter(|line| !line.is_empty()).collect()
}

fn own(name: &'static str) -> RoomCommand {
    RoomCommand::new(name, "", "One of the embedder", |_, rest| Reply::line(format!("own: {rest}")))
}

#[test]
fn an_embedder_adds_replaces_and_turns_off_commands() {
    let roll = RoomCommand::new("roll", "2d6", "Roll dice", |caller, dice| {
        Reply::say(format!("rolls {dice} for {}", caller.author()))
    });
    let table = CommandTable::default().with(roll).without("nick");
    let (room, time) = room_with(RoomConfig::default().with_commands(table.clone()));
    let tcp = Carrier::new(&room, &time);
    let ann = tcp.join("192.0.2.1:5");
    assert_eq!(tcp.say(ann, "/roll 2d6"), 1);
    assert!(answers(table, &["/nick ann"])[0].contains("There is no /nick"));

    let (room, time) = room_with(RoomConfig::default().with_commands(None));
    let tcp = Carrier::new(&room, &time);
    let welcomed = tcp.welcome("192.0.2.1:5", &Hello::default());
    assert_eq!(welcomed.welcome.capabilities & chat_proto::COMMANDS, 0);
    assert_eq!(tcp.say(welcomed.member, "/nick ann"), 1, "it is text like any other");
}

#[test]
fn help_is_a_command_that_can_be_replaced_and_turned_off() {
    assert_eq!(answers(CommandTable::default().with(own("help")), &["/help me"]), ["[*] own: me"]);
    let none = answers(CommandTable::empty(), &["/help", "/", "/foo"]);
    let there_is_no =
        ["[*] There is no /help. //help says /help.", "[*] Type the command directly after the slash."];
    assert_eq!(none, [&there_is_no[..], &["[*] There is no /foo. //foo says /foo."]].concat());
}

#[test]
fn the_name_of_a_command_goes_before_another_word_for_one() {
    let table = CommandTable::default().with(own("tell")).with(own("w")).with(own("Roll"));
    assert_eq!(answers(table, &["/tell a", "/W b", "/roll c"]), ["[*] own: a", "[*] own: b", "[*] own: c"]);
}
