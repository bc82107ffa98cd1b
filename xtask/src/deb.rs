//! `cargo xtask deb`: a Debian package with the server, its unit files, manual pages and completions.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cargo;
use crate::failure::Failure;

/// The commands that have a manual page of their own.
const PAGES: [&str; 5] = ["server", "client", "admin", "history", "doctor"];

/// Each shell and the name of its completion file.
const SHELLS: [(&str, &str); 3] = [("bash", "chat.bash"), ("zsh", "_chat"), ("fish", "chat.fish")];

pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    cargo::run(root, &[], "build --locked -p chat-cli --release")?;
    let (made, chat) = (root.join("target/dist"), root.join("target/release/chat"));
    fs::create_dir_all(&made).map_err(|error| failure(&made, &error.to_string()))?;
    write(&chat, &["man"], &made.join("chat.1"))?;
    for page in PAGES {
        write(&chat, &["man", page], &made.join(format!("chat-{page}.1")))?;
    }
    for (shell, file) in SHELLS {
        write(&chat, &["completions", shell], &made.join(file))?;
    }
    cargo::run(root, &[], "deb -p chat-cli --no-build")
}

/// Lets the program print into a file.
fn write(chat: &Path, arguments: &[&str], file: &Path) -> Result<(), Failure> {
    let output = Command::new(chat).args(arguments).output();
    match output {
        Ok(output) if output.status.success() => {
            fs::write(file, output.stdout).map_err(|error| failure(file, &error.to_string()))
        }
        Ok(output) => Err(failure(file, &format!("chat ended with {}", output.status))),
        Err(error) => Err(failure(file, &error.to_string())),
    }
}

fn failure(file: &Path, reason: &str) -> Failure {
    let reason = format!("{} cannot be written: {reason}", file.display());
    Failure { reason, command: "cargo xtask deb".to_owned() }
}
