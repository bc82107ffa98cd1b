//! Completions and manual pages, from the same definitions as the flags.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::CommandFactory;

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
    let command = match &args.command {
        None => chat,
        Some(name) => match chat.find_subcommand(name) {
            Some(command) => command.clone(),
            None => {
                let names: Vec<&str> = chat.get_subcommands().map(clap::Command::get_name).collect();
                let hint = format!("one of: {}", names.join(", "));
                return Err(Failure::new(format!("there is no command '{name}'"), Some(hint)));
            }
        },
    };
    // The page of a command is called chat-command, as everyone's are.
    let title = command.get_display_name().unwrap_or("chat").to_uppercase();
    let mut page = Vec::new();
    clap_mangen::Man::new(command).title(title).render(&mut page)?;
    print(&page)
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
