//! What a server started by root may do, and what no server may do.
#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use support::{CHAT, Directory, Process, Server};

fn is_root() -> bool {
    fs::metadata("/proc/self").expect("there is /proc").uid() == 0
}

#[test]
fn root_binds_a_low_port_and_then_becomes_another_user() {
    let id = |flag| {
        let output = Command::new("id").args([flag, "nobody"]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
    };
    let (true, Some(user), Some(group)) = (is_root(), id("-u"), id("-g")) else {
        println!("skipped: not root, or no user nobody");
        return;
    };
    let directory = Directory::new();
    // Like the directory that a package creates.
    let home = directory.root().join("lib");
    fs::create_dir(&home).expect("a directory");
    std::os::unix::fs::chown(&home, Some(user), Some(group)).expect("root may");
    let (socket, history) = (directory.path("control"), directory.path("lib/chat.db"));
    let bind = format!("{}:99", support::own_loopback());
    let members = directory.path("lib/members");
    // Left by a command that root has run, such as `chat history redact`.
    fs::write(directory.path("lib/chat.db-lock"), "").expect("root may");
    let flags = ["--user", "nobody", "--socket", &socket, "--history", &history, "--bind", &members];
    let server = Server::at(&bind, &["tcp", "unix"], &flags);
    let status = fs::read_to_string(format!("/proc/{}/status", server.process.id())).expect("it runs");
    let ids = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        line.split_whitespace().map(|id| id.parse().expect("a number")).collect::<Vec<u32>>()
    };
    assert_eq!((ids("Uid:"), ids("Gid:")), (vec![user; 4], vec![group; 4]));
    assert!(ids("Groups:").iter().all(|id| *id == group), "{status}");
    for path in [&history, &socket, &members] {
        assert_eq!(fs::metadata(path).expect("it is there").uid(), user, "{path}");
    }
    server.peer();
}

#[test]
fn a_user_that_cannot_be_is_refused() {
    let mut command = Command::new(CHAT);
    command.args(["server", "tcp", "--bind", "127.0.0.1:0", "--user", "no-such-user"]);
    let mut server = Process::start(command.env_remove("XDG_RUNTIME_DIR"));
    assert_eq!(server.exit_code(), Some(1));
    let stderr = server.stderr.all().join("\n");
    assert!(stderr.contains("there is no user 'no-such-user'") && stderr.contains("hint: "), "{stderr}");
}

#[test]
fn it_writes_nowhere_but_where_its_files_are() {
    if !Process::heeds("HUP") {
        return;
    }
    let (directory, other) = (Directory::new(), Directory::new());
    fs::set_permissions(other.root(), fs::Permissions::from_mode(0o777)).expect("it is ours");
    let log = directory.path("chat.log");
    let server = Server::with(&["-v", "--log-file", &log]);
    server.peer();
    let confined = server.process.stderr.wait_until("whether the kernel can", |output| {
        let line = output.lines.iter().find(|line| line.contains("writes are "))?;
        Some(line.contains("Enforced") && !line.contains("NotEnforced"))
    });
    if !confined {
        println!("skipped: the kernel has no Landlock");
        return;
    }
    let reopen = |answer: &str| {
        server.process.signal("HUP");
        server
            .process
            .stderr
            .wait_until(answer, |output| output.lines.iter().any(|line| line.contains(answer)).then_some(()));
    };
    fs::rename(&log, directory.path("chat.log.1")).expect("it is there");
    reopen("opened ");
    assert!(fs::metadata(&log).is_ok());
    fs::remove_file(&log).expect("it is there");
    std::os::unix::fs::symlink(other.path("chat.log"), &log).expect("it can be made");
    reopen("cannot open ");
    assert!(fs::metadata(other.path("chat.log")).is_err());
}
