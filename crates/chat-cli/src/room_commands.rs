//! What a client and a console know of the room's commands.

/// Whether the argument of this command is the name of a room.
pub(crate) fn takes_room(command: &str) -> bool {
    ["/join", "/j"].contains(&command.trim_end())
}

/// Whether a line has a password in it.
pub(crate) fn is_secret(line: &str) -> bool {
    let command = line.split_whitespace().next();
    command.is_some_and(|command| command.eq_ignore_ascii_case("/oper"))
}
