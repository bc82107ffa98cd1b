//! Commands: lines that begin with `/`. They are instructions to the room, not messages.
//!
//! One table serves every member over any protocol. Help, suggestions and documents come from the same rows.

mod history;
mod line;
mod moderation;
mod people;

use std::fmt;
use std::sync::Arc;

use chat_proto::{Author, MemberId};

use crate::panics::survived;
use crate::room::Room;

pub use crate::reply::{Action, Reply};
pub use line::Line;

use line::first_word;

/// The commands of a room, sorted by name.
///
/// ```
/// use chat_core::RoomConfig;
/// use chat_core::commands::{CommandTable, Reply, RoomCommand};
///
/// let greet = RoomCommand::new("greet", "[NAME]", "Say hello", |caller, name| {
///     Reply::say(format!("{} greets {name}", caller.author()))
/// });
/// let commands = CommandTable::default().with(greet).without("me");
/// let config = RoomConfig::default().with_commands(commands);
/// # drop(config);
/// ```
#[derive(Clone, Debug)]
pub struct CommandTable {
    /// All rooms of a server share them.
    rows: Arc<Vec<RoomCommand>>,
}

/// One row of the table.
#[derive(Clone)]
pub struct RoomCommand {
    name: &'static str,
    aliases: &'static [&'static str],
    arguments: &'static str,
    help: &'static str,
    for_operators: bool,
    /// Its answer is the table, and `run` is not called.
    lists_commands: bool,
    run: Arc<Run>,
}

type Run = dyn Fn(&Caller<'_>, &str) -> Reply + Send + Sync;

/// The member that gives a command.
#[derive(Clone, Debug)]
pub struct Caller<'a> {
    room: &'a Room,
    pub(crate) member: MemberId,
    pub(crate) author: Author,
    pub(crate) is_operator: bool,
}

impl CommandTable {
    /// An empty table.
    #[must_use]
    pub fn empty() -> Self {
        Self { rows: Arc::default() }
    }

    /// Adds a command. One with the same name is replaced.
    #[must_use]
    pub fn with(self, command: RoomCommand) -> Self {
        let mut table = self.without(command.name);
        let place = table.rows.partition_point(|row| row.name < command.name);
        Arc::make_mut(&mut table.rows).insert(place, command);
        table
    }

    /// Removes a command.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        Arc::make_mut(&mut self.rows).retain(|row| row.name != name);
        self
    }

    /// The rows, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &RoomCommand> {
        self.rows.iter()
    }

    /// Runs a line without its slash.
    pub(crate) fn run(&self, caller: &Caller<'_>, line: &str) -> Reply {
        let (name, arguments) = first_word(line);
        match self.find(name) {
            Some(row) if row.lists_commands => self.help(caller, arguments.trim()),
            Some(row) if row.for_operators && !caller.is_operator => {
                Reply::refuse(format!("/{} is for operators", row.name))
            }
            Some(row) => survived(|| (row.run)(caller, arguments.trim()))
                .unwrap_or_else(|| Reply::refuse(format!("The server could not do /{}", row.name))),
            None => self.unknown(caller, name),
        }
    }

    fn find(&self, name: &str) -> Option<&RoomCommand> {
        let name = name.to_lowercase();
        let is_name = |word: &str| word.to_lowercase() == name;
        let by_name = self.rows.iter().find(|row| is_name(row.name));
        by_name.or_else(|| self.rows.iter().find(|row| row.aliases.iter().any(|&alias| is_name(alias))))
    }

    fn of(&self, caller: &Caller<'_>) -> impl Iterator<Item = &RoomCommand> {
        let is_operator = caller.is_operator;
        self.rows.iter().filter(move |row| is_operator || !row.for_operators)
    }

    fn help(&self, caller: &Caller<'_>, name: &str) -> Reply {
        if let Some(row) = self.find(name.trim_start_matches('/')) {
            return Reply::line(row.usage());
        }
        let mut reply = Reply::line("Commands. A line that begins with // is said with one slash.");
        for row in self.of(caller) {
            reply = reply.and(row.usage());
        }
        reply
    }

    /// A mistyped command says nothing: its author is told the most similar commands.
    fn unknown(&self, caller: &Caller<'_>, name: &str) -> Reply {
        let help = self.rows.iter().find(|row| row.lists_commands);
        let help = help.map(|row| format!(" /{} lists the commands", row.name));
        if name.is_empty() {
            let help = help.map_or_else(String::new, |help| help + ".");
            return Reply::refuse(format!("Type the command directly after the slash.{help}"));
        }
        let distance = |row: &&RoomCommand| edits(row.name, name);
        // In a short word two letters are too much.
        let is_near = |row: &&RoomCommand| distance(row) <= 2 && 2 * distance(row) <= name.chars().count();
        match self.of(caller).min_by_key(distance).filter(is_near) {
            Some(near) => Reply::refuse(format!("There is no /{name}. Did you mean /{}?", near.name)),
            None => {
                let help = help.map_or_else(String::new, |help| help + ";");
                Reply::refuse(format!("There is no /{name}.{help} //{name} says /{name}."))
            }
        }
    }
}

impl Default for CommandTable {
    /// The commands of every room.
    fn default() -> Self {
        people::rows()
            .into_iter()
            .chain(history::rows())
            .chain(moderation::rows())
            .fold(Self::empty(), Self::with)
    }
}

impl RoomCommand {
    /// A command for everyone. `name` is what follows the slash; `arguments` and `help` are shown to people, as
    /// `/name arguments: help`. `run` gets what follows the name, without spaces around it. It runs on the
    /// I/O thread of the member, without the room's lock: it may call the room, must be quick, and must never wait.
    /// If it panics, the member is told that the command could not be done.
    pub fn new(
        name: &'static str,
        arguments: &'static str,
        help: &'static str,
        run: impl Fn(&Caller<'_>, &str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let run = Arc::new(run);
        Self { name, aliases: &[], arguments, help, for_operators: false, lists_commands: false, run }
    }

    /// A command that lists those which the member may give.
    fn that_lists_commands(self) -> Self {
        Self { lists_commands: true, ..self }
    }

    /// Other names for the same command.
    #[must_use]
    pub fn with_aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// A command that only operators may give.
    #[must_use]
    pub fn for_operators(self) -> Self {
        Self { for_operators: true, ..self }
    }

    /// What follows the slash.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// `/name arguments: help`.
    #[must_use]
    pub fn usage(&self) -> String {
        let Self { name, arguments, help, .. } = self;
        let space = if arguments.is_empty() { "" } else { " " };
        format!("/{name}{space}{arguments}: {help}")
    }
}

impl fmt::Debug for RoomCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.usage())
    }
}

impl<'a> Caller<'a> {
    pub(crate) fn new(room: &'a Room, member: MemberId, author: Author, is_operator: bool) -> Self {
        Self { room, member, author, is_operator }
    }

    /// The room.
    #[must_use]
    pub fn room(&self) -> &Room {
        self.room
    }

    /// Which member it is.
    #[must_use]
    pub fn member(&self) -> MemberId {
        self.member
    }

    /// The member as people see it.
    #[must_use]
    pub fn author(&self) -> &Author {
        &self.author
    }

    /// Whether the member is an operator of the room.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.is_operator
    }

    /// The member that is shown like this. If addresses are hidden from the caller, it cannot find a member with a name
    /// by its address.
    fn find(&self, who: &str) -> Option<MemberId> {
        let found = self.room.find(who)?;
        let sees_addresses = self.is_operator || self.room.shows_addresses();
        let is_named = |author: Author| matches!(author, Author::Named(_));
        let is_by_name = is_named(Author::from_shown(who));
        let is_hidden =
            !sees_addresses && !is_by_name && self.room.lock().author_of(found).is_some_and(is_named);
        (!is_hidden).then_some(found)
    }
}

/// How many letters must be changed, added or left out, at most 3, to make one word of the other.
fn edits(a: &str, b: &str) -> usize {
    const MANY: usize = 3;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().take(32).collect());
    if a.len().abs_diff(b.len()) >= MANY {
        return MANY;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()].min(MANY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistyped_words_are_near() {
        assert_eq!([edits("nick", "nick"), edits("nick", "nikc"), edits("who", "woh")], [0, 2, 2]);
        assert_eq!([edits("nick", "nic"), edits("kick", "nick"), edits("who", "topic")], [1, 1, 3]);
    }

    #[test]
    fn each_command_has_a_name_of_its_own_and_help_that_fits_a_row() {
        let table = CommandTable::default();
        let mut names: Vec<&str> =
            table.iter().flat_map(|row| row.aliases.iter().copied().chain([row.name])).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for row in table.iter() {
            let usage = format!("[*] {}", row.usage());
            assert!(usage.len() <= 80, "{usage}");
        }
    }
}
