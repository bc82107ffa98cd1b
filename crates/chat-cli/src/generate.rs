//! Completions and manual pages, from the same definitions as the flags.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::{Command, CommandFactory};

use crate::args::{Args, CompletionsArgs, ManArgs};
use crate::failure::Failure;

/// Prints completions.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "chat", &mut script);
    print(&script)
}

/// Prints a manual page.
pub(crate) fn man(args: &ManArgs) -> Result<ExitCode, Failure> {
    let mut chat = Args::command();
    chat.build();
    let mut command = &chat;
    for name in args.command.iter().chain(&args.subcommand) {
        command = command.find_subcommand(name).ok_or_else(|| no_command(command, name))?;
    }
    print(&page(command)?)
}

fn no_command(of: &Command, name: &str) -> Failure {
    let names: Vec<&str> =
        of.get_subcommands().map(Command::get_name).filter(|name| *name != "help").collect();
    let hint =
        if names.is_empty() { "it has none".to_owned() } else { format!("one of: {}", names.join(", ")) };
    let of = of.get_bin_name().unwrap_or("chat");
    Failure::usage(format!("{of} has no command '{name}'"), Some(hint))
}

/// The page of a command, which is called `chat-command` as everyone's are.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    let title = command.get_display_name().unwrap_or("chat").to_uppercase();
    let version = concat!("chat ", env!("CARGO_PKG_VERSION"));
    let man = clap_mangen::Man::new(command.clone()).title(title).source(version).manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    page.extend_from_slice(&subcommands(command));
    if let Some(examples) = command.get_after_long_help().or(command.get_after_help()) {
        page.extend_from_slice(&verbatim("EXAMPLES", &examples.to_string()));
    }
    Ok(page)
}

/// What each subcommand does.
fn subcommands(command: &Command) -> Vec<u8> {
    let mut section = String::new();
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        let about = subcommand.get_about().map(ToString::to_string).unwrap_or_default();
        let name = subcommand.get_name();
        section.push_str(&format!(".TP\n\\fB{name}\\fR\n{}\n", about.replace('-', "\\-")));
    }
    if !section.is_empty() {
        let name = command.get_bin_name().unwrap_or("chat");
        section = format!(".SH SUBCOMMANDS\n{section}.PP\n`{name} help COMMAND` tells more of each.\n");
    }
    section.into_bytes()
}

/// A section whose lines stay as they are. They are not indented as prose is: the longest ones have 80 columns.
fn verbatim(title: &str, text: &str) -> Vec<u8> {
    let mut section = format!(".SH {title}\n.nf\n.in 0\n");
    for line in text.trim_start_matches("Examples:").trim_matches('\n').lines() {
        // A line that begins with a dot would be a command.
        section.push_str("\\&");
        section.push_str(&line.replace('\\', "\\e").replace('-', "\\-"));
        section.push('\n');
    }
    section.push_str(".fi\n");
    section.into_bytes()
}

fn print(bytes: &[u8]) -> Result<ExitCode, Failure> {
    match io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write to stdout: {error}"), None))
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_examples() {
        let mut chat = Args::command();
        chat.build();
        let commands = chat.get_subcommands().filter(|command| command.get_name() != "help").chain([&chat]);
        for command in commands {
            let page = String::from_utf8(page(command).expect("written to memory")).expect("text");
            assert!(page.contains(".SH EXAMPLES\n.nf\n.in 0\n\\&  "), "{page}");
            assert!(!page.contains("<http"), "no Markdown: {page}");
            let mut lines = page.lines();
            assert!(lines.all(|line| !line.contains("printf '") || line.ends_with("chat admin")), "{page}");
        }
        let page = String::from_utf8(page(&chat).expect("written to memory")).expect("text");
        assert!(page.contains(".SH SUBCOMMANDS\n.TP\n\\fBserver\\fR\nOpen a room, or several\n"), "{page}");
        assert!(!page.contains("help(1)"), "there is no such page: {page}");
    }

    #[test]
    fn every_shell_gets_its_completions() {
        use clap::ValueEnum;
        for &shell in clap_complete::Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "chat", &mut script);
            let script = String::from_utf8(script).expect("text");
            assert!(script.contains("no-timestamps"), "{shell}");
        }
    }
}
